package ocsf

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/memberwatch/memberwatch"
)

// Change is what a finding says besides the signal itself.
type Change struct {
	// Activity is what happened to the signal.
	Activity Activity
	// UID names this change; it is the same whenever the change is told again.
	UID string
	// Time is when it happened, nanoseconds since the epoch.
	Time int64
	// SignalURL and VerdictURL lead to the signal and to the form for its
	// verdict; empty where there are no pages.
	SignalURL, VerdictURL string
	// ProductVersion is the version of this program; it may be empty.
	ProductVersion string
}

// Encode returns the finding for a signal at one of its changes.
func Encode(s *memberwatch.Signal, c Change) Finding {
	f := Finding{
		ActivityID: c.Activity, ActivityName: activityNames[c.Activity],
		CategoryUID: categoryFindings, ClassUID: classDetection, TypeUID: classDetection*100 + int(c.Activity),
		Time: millis(c.Time), StartTime: millis(start(s)), EndTime: millis(s.Last), Count: min(s.Occurrences, math.MaxInt32),
		Message: s.Sentence, IsAlert: c.Activity != Close && !suppressed(s) && s.Triage.Verdict == memberwatch.VerdictUnspecified,
		Metadata: Metadata{
			Version: version, UID: c.UID, Profiles: []string{"incident"},
			Product: Product{Name: "memberwatch", VendorName: "memberwatch", Version: c.ProductVersion},
		},
		Info: FindingInfo{
			UID: "signals/" + string(s.ID), Title: title(s.Kind), Types: []string{string(s.Kind)}, SrcURL: c.SignalURL,
			CreatedTime: millis(s.Opened), FirstSeenTime: millis(s.Opened), LastSeenTime: millis(s.Last), Analytic: analytic(s),
		},
		Resources: resources(s), AnomalyAnalyses: analyses(s), SrcURL: c.VerdictURL,
		Unmapped: extras(s),
	}
	f.VerdictID, f.Verdict = verdict(s.Triage.Verdict)
	f.SeverityID, f.Severity, f.PriorityID, f.Priority = severity(s.Severity)
	f.StatusID, f.Status = status(s)
	f.ConfidenceID, f.Confidence = confidence(s)
	return f
}

// activityNames are the captions of the activities.
var activityNames = map[Activity]string{Create: "Create", Update: "Update", Close: "Close"}

// millis turns nanoseconds into milliseconds, both since the epoch.
func millis(nanos int64) int64 { return nanos / int64(time.Millisecond) }

// start is the beginning of what the signal rests on: findings speak of the
// windows before them.
func start(s *memberwatch.Signal) int64 {
	if w := s.Strongest.Window.Start; w > 0 {
		return min(w, s.Opened)
	}
	return s.Opened
}

// title writes access-after-restriction as Access after restriction.
func title(kind memberwatch.Kind) string {
	words := strings.ReplaceAll(string(kind), "-", " ")
	if words == "" {
		return "Signal"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// severity maps severities to those of the schema, and to the priority that the
// incident profile has.
func severity(v memberwatch.Severity) (id int, name string, priorityID int, priority string) {
	switch v {
	case memberwatch.SeverityLow:
		return 2, "Low", 1, "Low"
	case memberwatch.SeverityMedium:
		return 3, "Medium", 2, "Medium"
	case memberwatch.SeverityHigh:
		return 4, "High", 3, "High"
	case memberwatch.SeverityCritical:
		return 5, "Critical", 4, "Critical"
	default:
		return 0, "Unknown", 0, "Unknown"
	}
}

// suppressed tells whether somebody has set the signal aside, or told to.
func suppressed(s *memberwatch.Signal) bool {
	return s.Triage.State == memberwatch.TriageDismissed || s.Triage.State == memberwatch.TriageSilenced
}

// verdict maps what a review found to the verdicts of the schema.
func verdict(v memberwatch.Verdict) (id int, name string) {
	switch v {
	case memberwatch.VerdictAbuse:
		return 2, "True Positive"
	case memberwatch.VerdictExpected: // true, and agreed
		return 5, "Benign"
	case memberwatch.VerdictBenign: // the detector should not have spoken
		return 1, "False Positive"
	case memberwatch.VerdictInconclusive:
		return 7, "Insufficient Data"
	case memberwatch.VerdictDuplicate:
		return 10, "Duplicate"
	default:
		return 0, "Unknown"
	}
}

// status follows the verdict, and before it the triage. A signal that fell quiet was
// not reviewed for that, hence not Resolved.
func status(s *memberwatch.Signal) (id int, name string) {
	switch v := s.Triage.Verdict; {
	case v == memberwatch.VerdictAbuse, v == memberwatch.VerdictInconclusive:
		return 4, "Resolved"
	case v == memberwatch.VerdictDuplicate:
		return 5, "Archived"
	case suppressed(s), v == memberwatch.VerdictExpected, v == memberwatch.VerdictBenign:
		return 3, "Suppressed"
	case s.Triage.State == memberwatch.TriageLinked, s.Triage.State == memberwatch.TriageRegressed:
		return 2, "In Progress"
	case s.Open():
		return 1, "New"
	default:
		return otherValue, "Ended"
	}
}

// confidence is high for what is certain and low for what may be taken back or
// rests on little.
func confidence(s *memberwatch.Signal) (id int, name string) {
	switch f := &s.Strongest; {
	case f.Stream == memberwatch.StreamRule:
		return 3, "High"
	case f.Provisional, s.Learning != memberwatch.LearningReady, len(f.Caveats) > 0:
		return 1, "Low"
	default:
		return 2, "Medium"
	}
}

func analytic(s *memberwatch.Signal) Analytic {
	a := Analytic{
		TypeID: 3, Type: "Statistical", UID: "detectors/" + string(s.Kind), Name: string(s.Kind), Version: s.Model,
		StateID: 1, State: "Active",
	}
	if s.Strongest.Stream == memberwatch.StreamRule {
		a.TypeID, a.Type = 1, "Rule"
	}
	return a
}

// resources are the app, which acts, and its developer, who acts where no app is
// named. A signal about the whole fleet has neither.
func resources(s *memberwatch.Signal) []Resource {
	var all []Resource
	if s.App != "" {
		all = append(all, Resource{UID: "apps/" + string(s.App), Name: string(s.App), Type: "third_party_app", RoleID: 2, Role: "Actor"})
	}
	if s.Developer != "" {
		developer := Resource{UID: "developers/" + string(s.Developer), Name: string(s.Developer), Type: "developer", RoleID: 4, Role: "Related"}
		if s.App == "" {
			developer.RoleID, developer.Role = 2, "Actor"
		}
		all = append(all, developer)
	}
	return all
}

// analyses has one entry for each feature of the strongest finding, so that
// both what was seen and what was expected reach the receiver.
func analyses(s *memberwatch.Signal) []Analysis {
	target := Target{Name: "apps/" + string(s.App), Type: "third_party_app"}
	switch {
	case s.App != "":
	case s.Developer != "":
		target = Target{Name: "developers/" + string(s.Developer), Type: "developer"}
	default:
		target = Target{Name: "fleet", Type: "all third-party apps"}
	}
	w := s.Strongest.Window
	var all []Analysis
	for i := range s.Strongest.Factors {
		f := &s.Strongest.Factors[i]
		parameter := f.Feature + "_per_" + w.Scale.String()
		all = append(all, Analysis{
			Targets: []Target{target},
			Baselines: []Measurement{{
				Parameter: parameter, Type: observationType, Observations: []Observation{{Value: band(f)}},
			}},
			Anomalies: []Measurement{{
				Parameter: parameter, Type: observationType, Pattern: pattern(f),
				Observations: []Observation{{
					Value: decimal(f.Observed), Count: 1,
					Timespan: &Timespan{StartTime: millis(w.Start), EndTime: millis(w.End())},
				}},
			}},
		})
	}
	return all
}

// observationType is what all features are: how much of something.
const observationType = "Volume Analysis"

// band is the interval that was expected, or the one value where it is none.
func band(f *memberwatch.Factor) string {
	if f.Low >= f.High {
		return decimal(f.Expected)
	}
	return decimal(f.Low) + ".." + decimal(f.High)
}

func pattern(f *memberwatch.Factor) string {
	switch {
	case f.Observed > max(f.High, f.Expected):
		return "ABOVE_EXPECTED"
	case f.Observed < f.Low:
		return "BELOW_EXPECTED"
	default:
		return "WITHIN_EXPECTED"
	}
}

// decimal writes a number as people would: whole when large, else with three
// significant digits.
func decimal(v float64) string {
	if math.Abs(v) >= 100 || v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func extras(s *memberwatch.Signal) SignalExtras {
	f := &s.Strongest
	x := SignalExtras{
		App: string(s.App), Developer: string(s.Developer), Revision: s.Revision, Provisional: f.Provisional,
		ReturnPeriodDays: finite(f.ReturnPeriod), FleetFactor: finite(f.FleetFactor), Restriction: string(f.Restriction), Caveats: f.Caveats,
	}
	if f.Members != (memberwatch.Estimate{}) {
		x.MembersExposed = &Interval{Value: finite(f.Members.Value), Low: finite(f.Members.Low), High: finite(f.Members.High)}
	}
	for i := range f.Factors {
		g := &f.Factors[i]
		x.Factors = append(x.Factors, FactorShare{
			Feature: g.Feature, Share: finite(g.Share), PValue: finite(g.P), ReturnPeriodDays: finite(g.ReturnPeriod),
		})
	}
	return x
}

// finite keeps what JSON cannot hold out of it.
func finite(v float64) float64 {
	switch {
	case math.IsNaN(v):
		return 0
	case math.IsInf(v, 0):
		return math.Copysign(math.MaxFloat64, v)
	default:
		return v
	}
}
