package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// printExplanation prints a signal for people; past are verdicts about its like.
func printExplanation(w io.Writer, answer *pb.ExplainSignalResponse, past string) error {
	s := answer.GetSignal()
	head := table{columns: []column{left("SIGNAL"), left(bare(s.GetName()))}}
	head.add("app", dash(bare(s.GetApp())))
	head.add("developer", dash(s.GetDeveloper()))
	if apps := s.GetApps(); len(apps) > 0 {
		head.add("names", enumerate(apps))
	}
	if s.GetNetwork() != "" {
		head.add("network", s.GetNetwork())
	}
	head.add("kind", s.GetKind())
	head.add("severity", s.GetSeverity().String()[len("SEVERITY_"):])
	head.add("state", stateName(s))
	head.add("triage", strings.Join(strings.Fields(strings.TrimPrefix(s.GetTriage().String(), "TRIAGE_")+" "+bare(s.GetCase())+" "+s.GetVerdict()+" "+bare(s.GetSilence())), " "))
	head.add("opened", instant(s.GetOpenTime()))
	head.add("newest finding", instant(s.GetLastTime()))
	if s.GetEndTime() != nil {
		head.add("ended", instant(s.GetEndTime()))
	}
	head.add("findings", number(s.GetOccurrences()))
	head.add("members exposed", estimate(s.GetMembersExposed()))
	head.add("by chance", signalChance(s))
	if s.GetLearningState() != pb.LearningState_LEARNING_STATE_UNSPECIFIED { // what only the fleet shows has no baseline
		head.add("baseline", fmt.Sprintf("%s, %s of its own", learningName(s.GetLearningState()), plural(s.GetLearningDays(), "day")))
	}
	head.add("models", fmt.Sprintf("%s, %s, control revision %d", dash(s.GetModelVersion()), calibrationName(s.GetCalibrationVersion()), s.GetControlRevision()))
	head.add("others like it", past)
	head.add("evidence", answer.GetEvidenceSha256())
	if s.GetRestriction() != "" {
		head.add("restriction", bare(s.GetRestriction()))
	}
	if err := head.writeTo(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\n%s", indent(s.GetSentence(), "")); err != nil {
		return err
	}
	for _, c := range s.GetCaveats() {
		fmt.Fprintf(w, "%s", indent("caveat: "+c, "  "))
	}
	return printFindings(w, answer.GetFindings())
}

// enumerate lists resources without their collection.
func enumerate(names []string) string {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = bare(name)
	}
	return strings.Join(ids, ", ")
}

// printFindings prints findings with their factors.
func printFindings(w io.Writer, findings []*pb.Finding) error {
	for _, f := range findings {
		provisional := ""
		if f.GetProvisional() {
			provisional = ", provisional"
		}
		fmt.Fprintf(w, "\nfinding %d  %s of %s, raised %s (%s%s)\n", f.GetNumber(), f.GetWindow().GetScale(),
			instant(f.GetWindow().GetStartTime()), instant(f.GetTime()), f.GetStream(), provisional)
		fmt.Fprint(w, indent(f.GetSentence(), "  "))
		for _, x := range f.GetInfluences() {
			fmt.Fprint(w, indent(x.GetText(), "  "))
		}
		for _, c := range f.GetCaveats() {
			fmt.Fprint(w, indent("caveat: "+c, "  "))
		}
		fmt.Fprint(w, indent(basis(f), "  "))
		t := table{columns: []column{
			left("  FACTOR"), right("OBSERVED"), right("EXPECTED"), right("95 % INTERVAL"), right("BY CHANCE"), right("SHARE"), right("PEERS BELOW"),
		}}
		for _, x := range f.GetFactors() {
			t.add("  "+x.GetFeature(), decimal(x.GetObserved()), decimal(x.GetExpected()),
				interval(x), factorChance(f, x), fmt.Sprintf("%.0f %%", 100*x.GetShare()), peers(x.GetPeers()))
		}
		if err := t.writeTo(w); err != nil {
			return err
		}
	}
	return nil
}

// basis says what a finding rests on.
func basis(f *pb.Finding) string {
	b := f.GetBasis()
	if b == nil {
		return "severity " + f.GetSeverity().String()[len("SEVERITY_"):]
	}
	text := "severity " + f.GetSeverity().String()[len("SEVERITY_"):]
	if b.GetLearningState() != pb.LearningState_LEARNING_STATE_UNSPECIFIED {
		text += fmt.Sprintf(", baseline %s with %s of its own", learningName(b.GetLearningState()), plural(b.GetLearningDays(), "day"))
	}
	text += fmt.Sprintf(", models %s, %s, control revision %d", b.GetModelVersion(), calibrationName(b.GetCalibrationVersion()), b.GetControlRevision())
	if f.GetFleetFactor() > 1 {
		text += fmt.Sprintf(", discounted by %.1f as the whole population moved", f.GetFleetFactor())
	}
	return text
}

// signalChance says how rare a signal is.
func signalChance(s *pb.Signal) string {
	switch text := chance(s.GetReturnPeriodDays()); {
	case s.GetReturnPeriodDays() <= 0:
		return text
	case s.GetApp() != "":
		return "an app like this does so " + text
	case s.GetDeveloper() != "":
		return "a developer like this does so " + text
	default:
		return "the fleet does so " + text
	}
}

// factorChance says how rare a factor is; some of a finding's have no measure of
// their own.
func factorChance(f *pb.Finding, x *pb.Factor) string {
	if x.GetReturnPeriodDays() <= 0 && f.GetReturnPeriodDays() > 0 {
		return "-"
	}
	return chance(x.GetReturnPeriodDays())
}

// interval is what was expected, if anything was.
func interval(x *pb.Factor) string {
	if x.GetHigh() == 0 {
		return "-"
	}
	return decimal(x.GetLow()) + "-" + decimal(x.GetHigh())
}

// calibrationName says how new the fleet's history was.
func calibrationName(day int64) string {
	if day == 0 {
		return "calibration as shipped"
	}
	return "calibration through " + time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly)
}

// peers says what part of the like values of like apps lie below.
func peers(part float64) string {
	if part == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*part)
}

// chance says how often an app does so without a reason. What is rarer than once
// in a million years is not told apart: it is arithmetic, not experience.
func chance(days float64) string {
	const year, most = 365, 1e6
	switch years := days / year; {
	case days <= 0:
		return "never: a rule"
	case years >= most:
		return "less than once in a million years"
	case years >= 2:
		return fmt.Sprintf("once in %s years", decimal(years))
	case days >= 60:
		return fmt.Sprintf("once in %s months", decimal(days/year*12))
	default:
		return fmt.Sprintf("once in %s days", decimal(days))
	}
}

func learningName(state pb.LearningState) string {
	return strings.TrimPrefix(state.String(), "LEARNING_STATE_")
}
