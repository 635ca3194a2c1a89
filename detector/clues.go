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
			App: s.App, Developer: e.developerOf(s), Window: p.Window, Kind: v.feature.kind(v.stream), Feature: v.feature.String(),
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
			cmp.Compare(a.Window.End(), b.Window.End()), int(a.Window.Scale)-int(b.Window.Scale),
			slices.Index(judgedKinds, a.Kind)-slices.Index(judgedKinds, b.Kind))
	})
	var signals []memberwatch.TrialSignal
	days := make(map[int]bool) // signals of which a clue is about a day
	for i := range clues {
		x := &clues[i]
		if slices.Contains(c.Shadow, x.Kind) || x.Period*x.Share*c.factor(x.Feature) < c.Budget {
			continue
		}
		at, of := x.Window.End()-1, len(signals)-1
		for of >= 0 && signals[of].App == x.App && signals[of].Developer == x.Developer && !x.Kind.Joins(signals[of].Kind) {
			of--
		}
		if of < 0 || signals[of].App != x.App || signals[of].Developer != x.Developer || at >= signals[of].Last+c.quiet(days[of]) {
			of = len(signals)
			signals = append(signals, memberwatch.TrialSignal{App: x.App, Developer: x.Developer, Kind: x.Kind, Opened: at})
		}
		signals[of].Last = at
		days[of] = days[of] || x.Window.Scale == memberwatch.Day
	}
	slices.SortStableFunc(signals, func(a, b memberwatch.TrialSignal) int { return cmp.Compare(a.Opened, b.Opened) })
	return signals
}

// quiet is after how long without a finding a signal is over, by whether one was about a
// day.
func (c *Config) quiet(days bool) int64 {
	if days {
		return c.QuietDays * memberwatch.Day.Length()
	}
	return c.QuietHours * memberwatch.Hour.Length()
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
