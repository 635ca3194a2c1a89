package detector

import (
	"math"

	"github.com/memberwatch/memberwatch"
)

// Counts is what a whole window held, where that is known without its events:
// in series that others have counted, and in measurements of the models.
type Counts struct {
	Records float64 // member records disclosed; NaN: nobody counted
	Actors  float64 // distinct acting users; 0: not known
}

// CloseCounts closes an app's window from its counts alone. From there on it is
// a window like any other: it is compared, learnt, tallied, and waits for the
// fleet's word where that matters. Its comparisons are returned. One that nobody
// counted is passed over: it is neither traffic nor silence. Windows come in order of
// their ends, hours before days.
func (e *Engine) CloseCounts(s *State, at memberwatch.Window, c Counts) []Trial {
	defer e.endQuiet(s, at)
	e.through = max(e.through, at.End())
	if math.IsNaN(c.Records) {
		s.closed[at.Scale] = at.Start
		s.dirty |= PartBaseline
		return nil
	}
	w := e.window(s, at.Scale, at.Start)
	w.records = uint64(c.Records)
	x := values{actors: c.Actors}
	x.v[Records] = c.Records
	x.derive()
	s.actors = s.actors || c.Actors >= 1
	e.close(s, w, x)
	var list []Trial
	for _, t := range e.tests {
		list = append(list, Trial{
			Stream: streamNames[t.stream], Feature: t.feature, Expected: t.mid, Surprise: t.reach[bySurprise], P: t.p,
		})
	}
	return list
}

// Trial is one comparison of a window with what was expected.
type Trial struct {
	// Stream is the road to evidence: "hour", "day" or "slow".
	Stream  string
	Feature Feature
	// Expected is the middle of the predictive.
	Expected float64
	// Surprise is -log10 of the predictive's tail, P its calibrated p-value
	// before the fleet's word.
	Surprise, P float64
}

var streamNames = [streams]string{"hour", "day", "slow"}

// CloneAs returns a copy of the state under another app's name.
func (s *State) CloneAs(app memberwatch.AppID) (*State, error) {
	c := NewState(app, s.Developer)
	for _, part := range []Part{PartBaseline, PartHistory, PartHot, PartTotals} {
		b, err := s.AppendPart(part, nil)
		if err == nil && len(b) > 0 {
			err = c.LoadPart(part, b)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}
