package detector

import (
	"math/bits"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/series"
	"github.com/memberwatch/memberwatch/detector/sketch"
)

// State is all that is known of one app. Its parts are stored apart, so that a
// checkpoint writes only what changed: the hot part changes with every event,
// the baseline when a window closes, the history once a day.
type State struct {
	// What every event touches comes first, so that it shares few cache lines.
	control    int64 // newest control change known
	last       int64
	events     uint64
	dirty      Part
	actors     bool      // some event named an acting user
	bound      bool      // restrictions or purposes may bind the app
	developers bool      // the state is a developer's
	admins     float32   // who run the app's groups, as the platform declared: a slow mean, 0 if unknown
	attested   *attested // nil: the app has attested nothing
	recent     recent    // events that are not in the sketches yet
	tab        tab       // and not in windows and ledger

	first    int64 // event time, 0 before the first event
	wake     int64 // end of the silence the app woke from; 0: awake as usual
	declared *memberwatch.App
	rules    []*memberwatch.Restriction
	ruled    ruled  // those in force now
	asking   uint64 // calls that asked for members by id, before any attestation

	App       memberwatch.AppID
	open      []*window // by end, then scale
	ledger    []LedgerDelta
	names     [dimensions]names // that its calls have used
	met       [dimensions]met   // the newest of them
	silence   int32             // how many days the silence before wake lasted
	back      int32             // day of the return from a silence that made the baseline stale; 0: none
	late      uint64
	ruleRev   int64
	Developer memberwatch.DeveloperID // of its first event; whose windows it is united with

	united   *union    // while a developer's window is being closed
	pending  []pending // closed windows that wait for the fleet, oldest first
	episodes []episode // open signals
	asks     int64     // start of the newest day that was told to ask whether they are over
	fresh    sketch.Sample
	history  sketch.Sample

	closed [memberwatch.Scales]int64 // start of the newest closed window; 0: none
	hour   [Features]series.Series
	day    [Features]series.Series
	slow   [Features]series.Series
	rise   [Features]series.Evidence // of the slow stream
	infant infancy
	shape  uint64 // of its first day; 0: not known
	mix    mix
	// Of the days of the slow stream, and of exclusions.
	learnt   [Features]learnt
	unlearnt int64 // revision of the newest exclusion that was heeded
	habit    habit
	losses   []loss
}

// infancy sums what a new app has read since birth, for the peer test.
type infancy struct {
	reach, actors float64
	hours         [2]float64 // both, summed over the hours of a day that is not over
	done          uint8      // ages already compared, and above them those raised before their time
}

// Part is a set of separately stored parts of a state.
type Part uint8

// Parts of a state. The totals are apart because they change with every event
// and the baseline must not: what is written of it may depend on the windows
// closed, never on the events that came between two checkpoints.
const (
	PartBaseline Part = 1 << iota
	PartHistory
	PartTotals
	PartHot
)

// NewState returns the state of an app that has never been seen.
func NewState(app memberwatch.AppID, developer memberwatch.DeveloperID) *State {
	return &State{App: app, Developer: developer, developers: app.IsDeveloper(), dirty: PartBaseline | PartTotals}
}

// Dirty returns the parts that changed since MarkClean.
func (s *State) Dirty() Part { return s.dirty }

// MarkClean notes that all parts have been encoded for storage.
func (s *State) MarkClean() { s.dirty = 0 }

// active tells whether the hot part holds anything.
func (s *State) active() bool {
	return len(s.open)+len(s.pending)+len(s.episodes)+s.fresh.Len() > 0
}

// View fills in what an app's state adds to its declaration. now is the newest
// event time of the whole service, nanoseconds since the epoch: an app that has
// been silent for long beside it is STALE.
func (s *State) View(v *memberwatch.AppView, cfg *Config, now int64) {
	v.FirstEvent, v.LastEvent, v.Events = s.first, s.last, int64(s.events)
	if v.ID == "" {
		v.ID = s.App
	}
	if v.Developer == "" {
		v.Developer = s.Developer
	}
	v.LearningDays = s.days()
	v.Learning = s.learning(cfg, now)
}

// learning tells how far the baseline can be trusted at an event time: after a long
// silence not before a week of new days has entered it.
func (s *State) learning(cfg *Config, now int64) memberwatch.Learning {
	switch {
	case s.days() < cfg.ReadyDays:
		return memberwatch.LearningYoung
	case dayOf(now)-dayOf(s.last) > maxSilentDays || s.back != 0 && dayOf(now)-s.back < rankedDays:
		return memberwatch.LearningStale
	default:
		return memberwatch.LearningReady
	}
}

// Late returns how many events came after their window had closed.
func (s *State) Late() uint64 { return s.late }

// days is how many of its own days the baseline rests on.
func (s *State) days() int32 { return int32(s.day[Records].Learnt()) }

// LedgerDelta is what an app read of one data class by one endpoint on one day
// since the last ResetLedger. It merges into the stored row: counts add, sketches
// unite.
type LedgerDelta struct {
	Key      memberwatch.LedgerKey
	Endpoint string // of the platform's API
	// Rest marks what came by further endpoints than memberwatch.RowEndpoints.
	Rest    bool
	Calls   uint64
	Records uint64
	Denials uint64
	Late    uint64
	Members sketch.Distinct
	Groups  sketch.Distinct
	lent    bool // the sketches are in the engine's memory
}

// Ledger returns an app's deltas gathered since ResetLedger; those without calls hold
// nothing. They are valid until then, or until the next app's are asked for.
func (e *Engine) Ledger(s *State) []LedgerDelta {
	s.bookTab()
	e.ledger.used = 0
	for _, w := range s.open {
		if w.Scale == memberwatch.Hour {
			s.lend(w, &e.ledger)
			s.bookHour(w)
		}
	}
	s.book()
	return s.ledger
}

// lender has memory for sketches of ledger deltas that are made up only to be read.
type lender struct {
	pieces [][]uint64
	used   int
}

func (l *lender) piece() []uint64 {
	if l.used == len(l.pieces) {
		l.pieces = append(l.pieces, make([]uint64, sketch.WordsAtMost))
	}
	l.used++
	return l.pieces[l.used-1]
}

// lend gives memory to the deltas that all calls of an hour have in common, until
// ResetLedger: mostly they hold nothing of their own.
func (s *State) lend(hour *window, memory *lender) {
	for set := uint32(hour.deltas &^ anyDelta); set != 0; set &= set - 1 {
		d := &s.ledger[bits.TrailingZeros32(set)]
		if d.Calls > 0 && !d.lent && d.Members.Empty() && d.Groups.Empty() {
			d.Members.Lend(memory.piece())
			d.Groups.Lend(memory.piece())
			d.lent = true
		}
	}
}

// ResetLedger empties the deltas and keeps their memory, but for that of sketches
// which some burst made large. Those that all calls of an open hour have in
// common, or that the tab's rows are booked in, stay, empty, in front.
func (s *State) ResetLedger() {
	s.bookTab()
	shared := noDelta
	for _, w := range s.open {
		shared |= w.deltas &^ anyDelta
	}
	for r := range s.tab.rows {
		shared |= r.deltas
	}
	var place [mostDeltas]int
	kept := 0
	for i := range s.ledger {
		if s.ledger[i].clear(); i < mostDeltas && shared>>i&1 != 0 {
			s.ledger[kept], s.ledger[i] = s.ledger[i], s.ledger[kept]
			place[i] = kept
			kept++
		}
	}
	s.ledger = s.ledger[:kept]
	for _, w := range s.open {
		w.deltas = w.deltas.moved(&place)
	}
	for r := range s.tab.rows {
		r.deltas = r.deltas.moved(&place)
	}
	s.recent.bookedAll()
}

// openAt returns the open window at a time, nil if there is none.
func (s *State) openAt(at memberwatch.Window) *window {
	for _, w := range s.open {
		if w.Window == at {
			return w
		}
	}
	return nil
}

// openNow returns the open window of a scale that holds an event time, nil if
// there is none.
func (s *State) openNow(scale memberwatch.Scale, t int64) *window {
	length := uint64(scale.Length())
	for _, w := range s.open {
		if w.Scale == scale && uint64(t-w.Start) < length {
			return w
		}
	}
	return nil
}

// insert adds an open window in order of end, hours before days.
func (s *State) insert(w *window) {
	i, _ := slices.BinarySearchFunc(s.open, w.Window, func(o *window, at memberwatch.Window) int { return compareWindows(o.Window, at) })
	s.open = slices.Insert(s.open, i, w)
}

// compareWindows orders windows by end; at the same end hours come before days.
func compareWindows(a, b memberwatch.Window) int {
	switch {
	case a.End() != b.End():
		if a.End() < b.End() {
			return -1
		}
		return 1
	default:
		return int(a.Scale) - int(b.Scale)
	}
}
