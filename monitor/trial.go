package monitor

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// trying is a tuning under trial.
type trying struct {
	now, then *detector.Config
	from, to  int64
	clues     []memberwatch.Clue
	raised    []memberwatch.Signal // in fact, in shadow or not
	verdicts  map[memberwatch.CaseID]memberwatch.Verdict
}

// collect reads what the trial rests on.
func (m *Monitor) collect(ctx context.Context, x *trying) error {
	err := m.Clues(ctx, x.from, func(c memberwatch.Clue) error {
		x.clues = append(x.clues, c)
		return nil
	})
	if err != nil {
		return err
	}
	since := func(s *memberwatch.Signal) bool { return s.Opened >= x.from }
	for _, read := range []signalReader{m.store.Platform.Signals, m.store.Platform.ShadowSignals} {
		for after := ""; ; {
			page, next, err := signalPages(ctx, read, memberwatch.Order{}, after, signalPage, since)
			if err != nil {
				return err
			}
			if x.raised = append(x.raised, page...); next == "" {
				break
			}
			after = next
		}
	}
	x.verdicts = make(map[memberwatch.CaseID]memberwatch.Verdict)
	return m.store.Platform.ReadReview(func(r *store.Review) error {
		for i := range x.raised {
			id := x.raised[i].Triage.Case
			if id == "" {
				continue
			}
			c, err := r.Case(id)
			if errors.Is(err, memberwatch.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			x.verdicts[id] = c.Verdict
		}
		return nil
	})
}

// decide returns the signals that a configuration comes to.
func (x *trying) decide(c *detector.Config) []memberwatch.TrialSignal {
	signals := c.Decide(x.clues)
	kinds := detector.WindowKinds()
	for i := range x.raised {
		s := &x.raised[i]
		if slices.Contains(kinds, s.Kind) || slices.Contains(c.Shadow, s.Kind) {
			continue
		}
		signals = append(signals, memberwatch.TrialSignal{App: s.App, Developer: s.Developer, Kind: s.Kind, Opened: s.Opened, Last: s.Last})
	}
	for i := range signals {
		signals[i].Verdict = x.verdict(&signals[i])
	}
	slices.SortStableFunc(signals, compareTrialSignals)
	return signals
}

func compareTrialSignals(a, b memberwatch.TrialSignal) int {
	return cmp.Or(cmp.Compare(a.Opened, b.Opened), strings.Compare(string(a.App), string(b.App)),
		strings.Compare(string(a.Developer), string(b.Developer)), strings.Compare(string(a.Kind), string(b.Kind)))
}

// verdict finds a case about the same app or developer at that time: a window's
// day before the signal began, a week after it ended.
func (x *trying) verdict(t *memberwatch.TrialSignal) string {
	day := memberwatch.Day.Length()
	for i := range x.raised {
		s := &x.raised[i]
		same := s.App == t.App && (s.App != "" || s.Developer == t.Developer)
		if !same || s.Opened > t.Last+day || s.Last+7*day < t.Opened {
			continue
		}
		if v := x.verdicts[s.Triage.Case]; v != memberwatch.VerdictUnspecified {
			return v.String()
		}
	}
	return ""
}

// result compares the two.
func (x *trying) result() memberwatch.Trial {
	now, then := x.decide(x.now), x.decide(x.then)
	t := memberwatch.Trial{From: x.from, To: x.to, Days: float64(x.to-x.from) / float64(memberwatch.Day.Length())}
	for i := range x.raised {
		if !x.raised[i].Shadow {
			t.Raised++
		}
	}
	t.Now, t.Then = outcome(now, t.Days), outcome(then, t.Days)
	t.Gone, t.Come = without(now, then), without(then, now)
	return t
}

// outcome counts signals.
func outcome(signals []memberwatch.TrialSignal, days float64) memberwatch.TrialOutcome {
	o := memberwatch.TrialOutcome{Signals: len(signals), PerDay: float64(len(signals)) / max(days, 1)}
	kinds, verdicts := make(map[string]int64), make(map[string]int64)
	for i := range signals {
		kinds[string(signals[i].Kind)]++
		verdicts[cmp.Or(signals[i].Verdict, "NONE")]++
	}
	o.Kinds, o.Verdicts = sortedCounts(kinds), sortedCounts(verdicts)
	abuse := verdicts[memberwatch.VerdictAbuse.String()]
	if all := abuse + verdicts[memberwatch.VerdictExpected.String()] + verdicts[memberwatch.VerdictBenign.String()]; all > 0 {
		o.Precision = float64(abuse) / float64(all)
	}
	return o
}

func sortedCounts(counts map[string]int64) []memberwatch.Count {
	var list []memberwatch.Count
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, memberwatch.Count{Name: name, Count: counts[name]})
	}
	return list
}

// without returns signals that nothing among others overlaps, the newest of them.
func without(signals, others []memberwatch.TrialSignal) []memberwatch.TrialSignal {
	var rest []memberwatch.TrialSignal
	for i := range signals {
		s := &signals[i]
		overlaps := func(o memberwatch.TrialSignal) bool {
			return o.App == s.App && o.Developer == s.Developer && s.Kind.Joins(o.Kind) && o.Opened <= s.Last && s.Opened <= o.Last
		}
		if !slices.ContainsFunc(others, overlaps) {
			rest = append(rest, *s)
		}
	}
	return rest[max(0, len(rest)-memberwatch.MaxTrialSignals):]
}
