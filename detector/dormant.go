package detector

import (
	"fmt"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Dormancy: an app that has been silent for three months and comes back with a harvest
// has mostly changed hands, or lost its token.
//
//	silent >= 90 days before an event that is not late, and within a week of it
//	members disclosed in a day >= 40
//
// It is a rule: what a baseline of three months ago says of today is little, and nobody
// who merely comes back needs many members at once. Assumption: an app is as silent as its
// events. It lies for an app that is used once a season, which has a word each time,
// and for one that wakes slowly: from the eighth day on it is its baseline's matter.
// Source: S11 of the catalogue; both limits are ours (Config.DormantDays, DormantReach).

// wakeUp notes that an app returns after a long silence.
func (e *Engine) wakeUp(s *State, ev *memberwatch.Event) {
	if s.last == 0 || ev.Time-s.last < int64(min(maxSilentDays, e.cfg.DormantDays-1))*memberwatch.Day.Length() {
		return
	}
	silent := dayOf(ev.Time) - dayOf(s.last)
	if silent > maxSilentDays {
		s.back = dayOf(ev.Time)
	}
	if silent >= e.cfg.DormantDays {
		s.wake, s.silence = ev.Time, silent
	}
	s.dirty |= PartTotals
}

// wakeAlarm raises a dormant app that, back for less than a week, reads more
// members in a day than an app that was merely forgotten would.
func (e *Engine) wakeAlarm(s *State, w *window, now int64) {
	if s.wake == 0 {
		return
	}
	s.dirty |= PartTotals
	if now-s.wake > 7*memberwatch.Day.Length() {
		s.wake = 0
		return
	}
	s.settle(w)
	reach := w.members.Estimate()
	if reach < e.cfg.DormantReach {
		return
	}
	s.wake = 0
	e.raise(s, "", e.ground(s, &woken{w.Window, now, w.exposed(), s.silence, e.cfg.DormantDays}))
}

// woken are the grounds of a finding about a dormant app that woke.
type woken struct {
	at      memberwatch.Window
	raised  int64 // event time
	members memberwatch.Estimate
	silence int32 // days
	dormant int32 // days of silence after which an app counts as dormant
}

func (g *woken) finding(float64) memberwatch.Finding {
	return memberwatch.Finding{
		Kind: memberwatch.KindDormant, Window: g.at, Time: g.raised, Stream: memberwatch.StreamRule, FleetFactor: 1, Members: g.members,
		Sentence: fmt.Sprintf("read %s in a day after %d days of silence", plural(g.members.Value, "distinct member", "distinct members"), g.silence),
		Factors: []memberwatch.Factor{{
			Feature: "silent_days", Observed: float64(g.silence), High: float64(g.dormant), Share: 1,
			Text: fmt.Sprintf("silent for %d days before", g.silence),
		}},
	}
}

func (g *woken) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Int(g.raised)
	encodeEstimate(e, g.members)
	e.Int(int64(g.silence))
	e.Int(int64(g.dormant))
}

func (g *woken) decode(d *codec.Decoder) {
	*g = woken{decodeWindow(d), d.Int(), decodeEstimate(d), int32(d.Int()), int32(d.Int())}
}
