package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/bench/tune"
	"github.com/memberwatch/memberwatch/detector"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// proposeFrom tunes a running service by its own evidence.
func (f *tuneFlags) proposeFrom(cmd *cobra.Command, labels *tune.Labels, wanted float64) (*tune.Proposal, error) {
	current, err := currentTuning(cmd.Context(), f.from)
	if err != nil {
		return nil, err
	}
	inForce := current.GetTuning().GetBudgetAppDays()
	evidence, err := f.fetchEvidence(cmd.Context(), labels, inForce)
	if err != nil {
		return nil, err
	}
	proposal := evidence.Propose(wanted, inForce)
	if !f.apply || proposal.Chosen == nil || proposal.Chosen.Setting == proposal.Before.Setting {
		return proposal, nil
	}
	t := wire.DecodeTuning(current.GetTuning())
	proposal.Chosen.Apply(&t)
	m := wire.EncodeTuning(&t)
	m.Configured, m.Comment = false, "bench tune: "+strings.Join(proposal.Reasons, "; ")
	applied, err := putTuning(cmd.Context(), f.from, m, current.GetTuning().GetRevision())
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: applied as tuning %d, from %s of event time on\n", applied.GetRevision(), instant(applied.GetFromTime()))
	}
	return proposal, err
}

// fetchEvidence takes what a running service has kept: clues of closed windows,
// and signals of the kinds of which there are none.
func (f *tuneFlags) fetchEvidence(ctx context.Context, labels *tune.Labels, inForce float64) (*tune.Evidence, error) {
	conn, err := dial(ctx, f.from)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // only read from
	known, first, last, err := fetchApps(ctx, conn)
	if err != nil {
		return nil, err
	}
	from := last.AddDate(0, 0, -f.days)
	if first.After(from) {
		from = first
	}
	signals, err := fetchSignals(ctx, conn)
	if err != nil {
		return nil, err
	}
	if labels == nil {
		labels, err = fetchVerdicts(ctx, conn, signals)
	} else {
		err = checkLabels(labels, known, f.from)
	}
	if err != nil {
		return nil, err
	}
	clues, err := fetchClues(ctx, conn, f.days)
	if err != nil {
		return nil, err
	}
	config := detector.DefaultConfig()
	config.Budget = inForce / memberwatch.ClueReach
	kinds := make(map[memberwatch.Kind]bool)
	for _, k := range detector.WindowKinds() {
		kinds[k] = true
	}
	var records []tune.Record
	for _, s := range signals {
		if !kinds[s.Kind] && s.Opened >= from.UnixNano() {
			records = append(records, tune.Record{Signal: s})
		}
	}
	days := max(last.Sub(from).Hours()/24, 1)
	evidence := tune.NewEvidence(config, records, labels, days, len(known))
	evidence.AddClues(clues)
	return evidence, nil
}

func fetchClues(ctx context.Context, conn *grpc.ClientConn, days int) ([]memberwatch.Clue, error) {
	stream, err := pb.NewTuningServiceClient(conn).ListClues(ctx, &pb.ListCluesRequest{Days: int32(days)})
	if err != nil {
		return nil, err
	}
	var clues []memberwatch.Clue
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return clues, nil
		}
		if err != nil {
			return nil, err
		}
		for _, m := range page.GetClues() {
			c, err := wire.DecodeClue(m)
			if err != nil {
				return nil, err
			}
			clues = append(clues, c)
		}
	}
}

// fetchVerdicts makes labels of what reviews have decided: an app is abusive from
// the day before the signals of a case of ABUSE until a week after. Everybody
// else counts as honest.
func fetchVerdicts(ctx context.Context, conn *grpc.ClientConn, signals []memberwatch.Signal) (*tune.Labels, error) {
	abuse := make(map[memberwatch.CaseID]bool)
	err := pages(0, maxPage, func(token string, size int) (int, string, error) {
		answer, err := pb.NewCaseServiceClient(conn).ListCases(ctx, &pb.ListCasesRequest{PageSize: int32(size), PageToken: token})
		for _, c := range answer.GetCases() {
			if c.GetVerdict() == pb.Verdict_VERDICT_ABUSE {
				abuse[memberwatch.CaseID(bare(c.GetName()))] = true
			}
		}
		return len(answer.GetCases()), answer.GetNextPageToken(), err
	})
	if err != nil {
		return nil, err
	}
	labels := &tune.Labels{File: "the verdicts of cases", Rows: []tune.Label{{App: tune.Everybody}}}
	day := memberwatch.Day.Length()
	at := make(map[memberwatch.CaseID]int)
	for _, s := range signals {
		id := s.Triage.Case
		if s.App == "" || !abuse[id] {
			continue
		}
		n, seen := at[id]
		if !seen {
			n = len(labels.Rows)
			at[id] = n
			labels.Rows = append(labels.Rows, tune.Label{App: s.App, Abuse: true, From: s.Opened - day, To: s.Last + 7*day})
		}
		labels.Rows[n].From = min(labels.Rows[n].From, s.Opened-day)
		labels.Rows[n].To = max(labels.Rows[n].To, s.Last+7*day)
	}
	return labels, nil
}

// checkLabels holds labels against the apps that a service knows.
func checkLabels(labels *tune.Labels, known map[memberwatch.AppID]bool, target string) error {
	if err := labels.CheckKnown(func(app memberwatch.AppID) bool { return known[app] }); err != nil {
		return err
	}
	for app := range known {
		if !labels.Has(app) {
			return hinted{fmt.Errorf("%s: app %q of %s has no label", labels.File, app, target), "label it, or all others with a row *,benign"}
		}
	}
	return nil
}

// fetchApps lists the apps that made events, and from when to when those go.
func fetchApps(ctx context.Context, conn *grpc.ClientConn) (known map[memberwatch.AppID]bool, first, last time.Time, err error) {
	known = make(map[memberwatch.AppID]bool)
	err = pages(0, maxPage, func(token string, size int) (int, string, error) {
		answer, err := pb.NewRegistryServiceClient(conn).ListApps(ctx, &pb.ListAppsRequest{PageSize: int32(size), PageToken: token})
		for _, a := range answer.GetApps() {
			if a.GetFirstEventTime() == nil {
				continue
			}
			known[memberwatch.AppID(bare(a.GetName()))] = true
			if t := a.GetFirstEventTime().AsTime(); first.IsZero() || t.Before(first) {
				first = t
			}
			if t := a.GetLastEventTime().AsTime(); t.After(last) {
				last = t
			}
		}
		return len(answer.GetApps()), answer.GetNextPageToken(), err
	})
	if err == nil && len(known) == 0 {
		err = hinted{errors.New("the service has seen no events"), "stream some first"}
	}
	return known, first, last, err
}
