package detector

import (
	"cmp"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
)

// keepClues keeps what a window's verdicts are worth, from a part of the budget on.
func (e *Engine) keepClues(s *State, p *pending, verdicts []verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		share, ok := e.clueOf(s, v.feature, v.stream, v.period)
		if !ok {
			continue
		}
		c := memberwatch.Clue{
			App: s.App, Developer: s.Developer, Window: p.Window, Kind: v.feature.kind(v.stream), Feature: v.feature.String(),
			Period: v.period, Share: share,
		}
		if s.joint() {
			c.App = ""
		}
		e.clues = append(e.clues, c)
	}
}

// clueOf tells whether a return period is worth a clue, and the share of the budget.
func (e *Engine) clueOf(s *State, f Feature, stream streamID, period float64) (share float64, ok bool) {
	factor := e.cfg.multiplier(f)
	share = e.weight(s, f, stream) / factor
	return share, share > 0 && period*share*max(factor, 1)*memberwatch.ClueReach >= e.cfg.Budget
}

// TakeClues returns what closed windows were worth since the last call.
func (e *Engine) TakeClues() []memberwatch.Clue {
	c := e.clues
	e.clues = nil
	return c
}

// Decide returns the signals that clues come to under a configuration, as the
// engine would open and end them, ordered by opening, app and kind. It lies where
// the engine sees more than closed windows: a signal opens at the end of its
// window here, and one that the whole population's move withdraws is none.
func (c *Config) Decide(clues []memberwatch.Clue) []memberwatch.TrialSignal {
	clues = slices.Clone(clues)
	slices.SortStableFunc(clues, func(a, b memberwatch.Clue) int {
		return cmp.Or(strings.Compare(string(a.App), string(b.App)), strings.Compare(string(a.Developer), string(b.Developer)),
			strings.Compare(string(a.Kind), string(b.Kind)), cmp.Compare(a.Window.End(), b.Window.End()), int(a.Window.Scale)-int(b.Window.Scale))
	})
	var signals []memberwatch.TrialSignal
	quiet := int64(0)
	for i := range clues {
		x := &clues[i]
		if slices.Contains(c.Shadow, x.Kind) || x.Period*x.Share*c.factor(x.Feature) < c.Budget {
			continue
		}
		at, last := x.Window.End()-1, len(signals)-1
		if last < 0 || signals[last].App != x.App || signals[last].Developer != x.Developer || signals[last].Kind != x.Kind || at >= quiet {
			signals = append(signals, memberwatch.TrialSignal{App: x.App, Developer: x.Developer, Kind: x.Kind, Opened: at})
			last++
		}
		signals[last].Last = at
		quiet = at + c.QuietDays*memberwatch.Day.Length()
		if x.Window.Scale == memberwatch.Hour {
			quiet = at + c.QuietHours*memberwatch.Hour.Length()
		}
	}
	slices.SortStableFunc(signals, func(a, b memberwatch.TrialSignal) int { return cmp.Compare(a.Opened, b.Opened) })
	return signals
}

// factor is that of a feature by name.
func (c *Config) factor(feature string) float64 {
	if f := slices.Index(featureNames[:], feature); f >= 0 && c.Factors[f] != 0 {
		return c.Factors[f]
	}
	return 1
}

// WindowKinds returns the kinds that closed windows raise, and of which there are
// clues.
func WindowKinds() []memberwatch.Kind { return slices.Clone(judgedKinds) }
