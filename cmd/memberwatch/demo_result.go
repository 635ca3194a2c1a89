package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/scenario"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// demoResult compares what was planted with what the service said.
type demoResult struct {
	Planted    []plantedRow `json:"planted"`     // abuse
	LookAlikes []plantedRow `json:"look_alikes"` // benign
	Signals    []signalRow  `json:"signals"`
	Found      int          `json:"found"`  // planted abuse with a signal
	Missed     int          `json:"missed"` // without
	False      int          `json:"false"`  // signals on apps that did nothing wrong then
	Fleet      int          `json:"fleet"`  // signals on the whole population, neither found nor false
}

// plantedRow is one incident and the first signal that named its app.
type plantedRow struct {
	App        string    `json:"app"`
	Kind       string    `json:"kind"`
	Start      time.Time `json:"start"`
	Scenario   string    `json:"scenario"`
	FoundBy    string    `json:"found_by,omitempty"`
	DelayHours float64   `json:"delay_hours,omitempty"`
	LeakedThen int64     `json:"leaked_then,omitempty"` // members, when the signal opened
	Leaked     int64     `json:"leaked,omitempty"`      // members, in all
}

// signalRow is one signal and what it speaks of in truth.
type signalRow struct {
	App       string    `json:"app"`                 // empty: of the developer, or of the whole fleet
	Developer string    `json:"developer,omitempty"` // where no app is named
	Kind      string    `json:"kind"`
	Opened    time.Time `json:"opened"`
	Severity  string    `json:"severity"`
	Sentence  string    `json:"sentence"`
	About     string    `json:"about"` // kind of the incident, ordinary traffic, or fleet
	False     bool      `json:"false,omitempty"`
}

// tailTime is how long after an incident's end a signal may still be about it:
// slow evidence comes with the day's end, and the next days' may confirm it.
const tailTime = 7 * 24 * time.Hour

// ordinaryTraffic is what a signal is about when nothing was planted.
const ordinaryTraffic = "ordinary traffic"

// compare matches signals to incidents: a signal is about an incident that
// befalls its app, or its developer if it names no app, and that had begun when it opened.
func compare(truth []*scenario.Incident, signals []*pb.Signal) *demoResult {
	r := &demoResult{Planted: []plantedRow{}, LookAlikes: []plantedRow{}, Signals: []signalRow{}}
	slices.SortStableFunc(signals, func(a, b *pb.Signal) int { return a.GetOpenTime().AsTime().Compare(b.GetOpenTime().AsTime()) })
	first := make(map[*scenario.Incident]*pb.Signal)
	for _, s := range signals {
		incident := about(truth, s)
		r.Signals = append(r.Signals, describe(s, incident))
		if incident != nil && first[incident] == nil {
			first[incident] = s
		}
	}
	for _, s := range r.Signals {
		switch {
		case s.App == "" && s.Developer == "":
			r.Fleet++
		case s.False:
			r.False++
		}
	}
	for _, i := range truth {
		row := plantedRow{Kind: i.Kind, Scenario: i.Scenario, Start: i.Start, Leaked: i.Leaked()}
		if len(i.Apps) > 0 {
			row.App = string(i.Apps[0])
		}
		if s := first[i]; s != nil {
			opened := s.GetOpenTime().AsTime()
			row.FoundBy = s.GetKind()
			row.DelayHours = opened.Sub(time.Unix(0, i.FirstEvent())).Hours()
			row.LeakedThen = i.LeakedBy(opened.UnixNano())
		}
		switch {
		case !i.Abuse:
			r.LookAlikes = append(r.LookAlikes, row)
			continue
		case row.FoundBy != "":
			r.Found++
		default:
			r.Missed++
		}
		r.Planted = append(r.Planted, row)
	}
	byStart := func(a, b plantedRow) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.App, b.App)) }
	slices.SortStableFunc(r.Planted, byStart)
	slices.SortStableFunc(r.LookAlikes, byStart)
	return r
}

// about returns the incident that a signal is about, nil if none.
func about(truth []*scenario.Incident, s *pb.Signal) *scenario.Incident {
	app, developer, opened := memberwatch.AppID(bare(s.GetApp())), memberwatch.DeveloperID(s.GetDeveloper()), s.GetOpenTime().AsTime()
	for _, i := range truth {
		begun := i.FirstEvent() > 0 && opened.UnixNano() >= i.FirstEvent()
		named := slices.Contains(i.Apps, app) || app == "" && slices.Contains(i.Developers, developer)
		if begun && named && opened.Before(i.End.Add(tailTime)) {
			return i
		}
	}
	return nil
}

func describe(s *pb.Signal, incident *scenario.Incident) signalRow {
	row := signalRow{
		App: bare(s.GetApp()), Kind: s.GetKind(), Opened: s.GetOpenTime().AsTime(),
		Severity: s.GetSeverity().String()[len("SEVERITY_"):], Sentence: s.GetSentence(),
		About: ordinaryTraffic, False: true,
	}
	if row.App == "" {
		row.Developer = s.GetDeveloper()
	}
	switch {
	case row.App == "" && row.Developer == "":
		row.About, row.False = "fleet", false
	case incident != nil:
		row.About, row.False = incident.Kind, !incident.Abuse
	}
	return row
}

// writeJSON prints the result as one object.
func (r *demoResult) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// writeTable prints the result for people.
func (r *demoResult) writeTable(w io.Writer) error {
	planted := table{columns: []column{
		left("PLANTED"), left("APP"), left("FROM"), left("FOUND BY"), right("AFTER"), right("MEMBERS LEAKED"),
	}}
	for _, p := range r.Planted {
		by, after, leaked := "missed", "", number(p.Leaked)
		if p.FoundBy != "" {
			by, after, leaked = p.FoundBy, delay(p.DelayHours), number(p.LeakedThen)+" of "+leaked
		}
		planted.add(p.Kind, p.App, p.Start.Format(time.DateOnly), by, after, leaked)
	}
	fmt.Fprintln(w)
	if err := planted.writeTo(w); err != nil {
		return err
	}
	wrong := table{columns: []column{left("FALSE SIGNAL"), left("APP"), left("OPENED"), left("SEVERITY"), left("IN TRUTH")}}
	for _, s := range r.Signals {
		if s.False {
			wrong.add(s.Kind, cmp.Or(s.App, s.Developer), s.Opened.Format(time.DateTime), s.Severity, s.About)
		}
	}
	if len(wrong.rows) > 0 {
		fmt.Fprintln(w)
	}
	if err := wrong.writeTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nFound %d of %d planted; %s on honest apps, %s planted among them.\n",
		r.Found, len(r.Planted), plural(r.False, "false signal"), plural(len(r.LookAlikes), "look-alike"))
	return err
}

// delay writes a time span as people speak of it.
func delay(hours float64) string {
	switch {
	case hours < 1.0/60:
		return "at once"
	case hours < 2:
		return fmt.Sprintf("%.0f min", hours*60)
	case hours < 72:
		return fmt.Sprintf("%.0f h", hours)
	default:
		return fmt.Sprintf("%.1f days", hours/24)
	}
}
