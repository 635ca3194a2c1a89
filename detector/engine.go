package detector

import (
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Engine scores the apps of one partition. It holds what the platform has
// declared, the fleet's calibrations, and an index of the windows that are open
// or wait for the fleet; the states themselves belong to the caller, who may
// keep them anywhere. An Engine is not safe for concurrent use.
type Engine struct {
	spare []*window // memory of closed windows

	cfg          Config
	heeded       [streams][]Feature // see Config.heeded
	revision     int64
	apps         map[memberwatch.AppID]*memberwatch.App
	rules        []*memberwatch.Restriction // by id
	ruleRev      int64                      // revision of the newest restriction
	canaries     canaries
	attestations map[memberwatch.AppID]*memberwatch.Attestation // the newest of each app
	excluded     exclusions

	calibrations []*Calibration // by day, the newest few
	settings     settings

	through int64 // the newest watermark: windows that end at or before it are closed
	since   int64 // event time of the partition's first event that was not late; 0: none yet

	open    map[memberwatch.Window][]memberwatch.AppID // in no order, some twice
	waiting map[memberwatch.Window][]memberwatch.AppID // in no order
	tallies map[memberwatch.Window]*Tally
	counted *Tally // the newest one asked for
	crowds  map[memberwatch.Window]*crowd

	unions   map[memberwatch.DeveloperID]*union   // of the window that is being closed
	enlisted map[memberwatch.DeveloperID]struct{} // developers with a state

	updates []memberwatch.Update
	clues   []memberwatch.Clue // what closed windows were worth

	texts map[string]string  // names of data classes and endpoints, to be shared
	today memberwatch.Window // the day of the newest call of dayOf

	idle     [streams][counts]idleCritical
	touched  uint64       // see touch
	ledger   lender       // memory of Ledger
	found    []uint64     // memory of checkCanaries
	asked    []uint64     // memory of checkKnowledge
	tests    []comparison // memory of compare
	outlooks outlooks     // memory of close
	trials   []trial      // memory of judge
	verdicts []verdict    // likewise
}

// New returns an engine without apps, rules or history.
func New(cfg Config) *Engine {
	return &Engine{
		cfg:          cfg,
		heeded:       cfg.heeded(),
		apps:         make(map[memberwatch.AppID]*memberwatch.App),
		excluded:     newExclusions(),
		attestations: make(map[memberwatch.AppID]*memberwatch.Attestation),
		calibrations: []*Calibration{new(Calibration)},
		settings:     settings{newSetting(0, cfg, 1)},
		open:         make(map[memberwatch.Window][]memberwatch.AppID),
		waiting:      make(map[memberwatch.Window][]memberwatch.AppID),
		tallies:      make(map[memberwatch.Window]*Tally),
		crowds:       make(map[memberwatch.Window]*crowd),
		unions:       make(map[memberwatch.DeveloperID]*union),
		enlisted:     make(map[memberwatch.DeveloperID]struct{}),
		texts:        make(map[string]string),
		today:        memberwatch.WindowAt(memberwatch.Day, 0),
	}
}

// Apply takes one control change. Changes come in the order of their revisions.
func (e *Engine) Apply(c *memberwatch.Change) {
	e.revision = c.Revision
	switch {
	case c.App != nil:
		app := *c.App
		e.apps[app.ID] = &app
	case c.Restriction != nil:
		e.restrict(*c.Restriction)
	case c.Canaries != nil:
		e.canaries.apply(c.Canaries)
	case c.Exclusion != nil:
		e.exclude(*c.Exclusion)
	case c.Tuning != nil:
		e.tune(c.Tuning)
	case c.Attestation != nil:
		attestation := *c.Attestation
		attestation.Revision = c.Revision
		e.attestations[attestation.App] = &attestation
	}
}

// sharedTexts bounds the names that an engine keeps.
const sharedTexts = 4096

// shared returns a name that may be borrowed as one that lasts: for all apps the
// same, so that comparing it finds it in the processor's caches.
func (e *Engine) shared(name string) string {
	kept, ok := e.texts[name]
	if !ok {
		kept = strings.Clone(name)
		if len(e.texts) < sharedTexts {
			e.texts[kept] = kept
		}
	}
	return kept
}

// dayOf returns the day of an event time: mostly the same as before.
func (e *Engine) dayOf(t int64) int32 {
	if uint64(t-e.today.Start) >= uint64(memberwatch.Day.Length()) {
		e.today = memberwatch.WindowAt(memberwatch.Day, t)
	}
	return int32(e.today.Start / memberwatch.Day.Length())
}

// restrict takes a restriction, or another state of a known one.
func (e *Engine) restrict(r memberwatch.Restriction) {
	e.ruleRev = e.revision
	i, found := slices.BinarySearchFunc(e.rules, r.ID, func(o *memberwatch.Restriction, id memberwatch.RestrictionID) int {
		return compareStrings(o.ID, id)
	})
	if found {
		e.rules[i] = &r
		return
	}
	e.rules = slices.Insert(e.rules, i, &r)
}

// category is the declared category of an app, empty when unknown.
func (e *Engine) category(app memberwatch.AppID) string {
	if a := e.apps[app]; a != nil {
		return a.Category
	}
	return ""
}

// developerOf is whose an app is said to be: the developer's that is declared, or else
// of its first event.
func (e *Engine) developerOf(s *State) memberwatch.DeveloperID {
	if a := e.apps[s.App]; a != nil && a.Developer != "" {
		return a.Developer
	}
	return s.Developer
}

// refresh gives a state what the platform has declared of its app since the
// app's newest event.
func (e *Engine) refresh(s *State) {
	if s.control != e.revision {
		e.renew(s)
	}
}

func (e *Engine) renew(s *State) {
	s.control = e.revision
	s.declared = e.apps[s.App]
	if s.ruleRev != e.ruleRev {
		s.ruleRev = e.ruleRev
		s.rules, s.ruled = s.rules[:0], ruled{}
		for _, r := range e.rules {
			if r.Covers(s.App) {
				s.rules = append(s.rules, r)
			}
		}
	}
	s.bound = len(s.rules) > 0 || s.declared != nil && len(s.declared.Purposes) > 0
	s.attest(e.attestations[s.App])
	s.tab.span = 0 // what else it notes of an event may have changed
}

func compareStrings[S ~string](a, b S) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Revision returns the newest control change applied.
func (e *Engine) Revision() int64 { return e.revision }

// keptCalibrations is how many calibrations an engine keeps: a window of day D
// uses the newest through day D-2, and windows of up to two days are open.
const keptCalibrations = 5

// SetCalibration adds the fleet's newest calibration.
func (e *Engine) SetCalibration(c *Calibration) {
	e.calibrations = append(e.calibrations, c)
	for _, x := range e.settings {
		x.alarms = append(x.alarms, nil)
	}
	if n := len(e.calibrations) - keptCalibrations; n > 0 {
		e.calibrations = slices.Clone(e.calibrations[n:])
		for _, x := range e.settings {
			x.alarms = slices.Clone(x.alarms[n:])
		}
	}
}

// calibrationFor returns the index of the calibration for windows of a day: the
// newest that knows nothing later than two days before, so that a replay finds
// the same one.
func (e *Engine) calibrationFor(day int32) int {
	best := 0
	for i, c := range e.calibrations {
		if c.Through <= day-2 {
			best = i
		}
	}
	return best
}

func (e *Engine) calibration(day int32) *Calibration { return e.calibrations[e.calibrationFor(day)] }

// alarms caches, for one calibration, the measure at which each cell's burst
// stream fires, for each sort of entity. 0 stands for not computed.
type alarms [entitySorts][cellCount]float64

// alarmAt returns the measure from which on an entity's window that starts then is
// a burst.
func (e *Engine) alarmAt(s *State, start int64, m measure, stream streamID, f Feature, stratum int) float64 {
	x, i, id := e.on(start), e.calibrationFor(dayOf(start)), cellID(m, stream, f, stratum)
	at := &x.alarmsOf(i)[s.sort()][id]
	if *at == 0 {
		cal := e.calibrations[i]
		p := x.weight(s, f, stream) / (x.cfg.Budget * stream.perDay() * cal.word(f, stream))
		*at = cal.reachAt(id, p*shares[m])
	}
	return *at
}

// Restore indexes a state that was loaded after a restart. Call it once for
// each app that has a hot part, after UnmarshalBinary.
func (e *Engine) Restore(s *State) {
	for _, w := range s.open {
		e.open[w.Window] = append(e.open[w.Window], s.App)
		e.join(w)
	}
	for i := range s.pending {
		at := s.pending[i].Window
		e.waiting[at] = append(e.waiting[at], s.App)
	}
	e.watchEpisodes(s)
}

// NextDue returns the earliest window that is over at the watermark, with the
// apps to close in it, sorted. Call Close for each, then CloseDeveloper for
// DevelopersDue, then EndWindow.
func (e *Engine) NextDue(watermark int64) (w memberwatch.Window, apps []memberwatch.AppID, ok bool) {
	e.through = max(e.through, watermark)
	e.settings = e.settings.since(e.through)
	for at := range e.open { // a minimum: the order does not matter
		if at.End() <= watermark && (!ok || compareWindows(at, w) < 0) {
			w, ok = at, true
		}
	}
	if !ok {
		return w, nil, false
	}
	apps, _ = parted(e.open[w])
	return w, apps, true
}

// inOrder returns a list's apps sorted, each once.
func inOrder(list []memberwatch.AppID) []memberwatch.AppID {
	apps := slices.Clone(list)
	slices.Sort(apps)
	return slices.Compact(apps)
}

// EndWindow returns the partition's tally of a window whose apps are all closed
// and forgets the window. It returns nil when nothing was compared, no app
// waits for the fleet and there is nothing to count.
func (e *Engine) EndWindow(w memberwatch.Window) *Tally {
	for d, u := range e.unions {
		delete(e.unions, d)
		e.reuse(u.w)
	}
	t := e.tally(w)
	t.control = e.revision
	t.trimLitters()
	delete(e.tallies, w)
	e.counted = nil
	delete(e.open, w)
	delete(e.crowds, w)
	if !t.compared && t.empty() && len(e.waiting[w]) == 0 {
		return nil
	}
	return t
}

// tally returns what is counted of a window: mostly of the same as before.
func (e *Engine) tally(w memberwatch.Window) *Tally {
	if e.counted != nil && e.counted.Window == w {
		return e.counted
	}
	t, ok := e.tallies[w]
	if !ok {
		t = newTally(w)
		e.tallies[w] = t
	}
	e.counted = t
	return t
}

// Pending returns the apps that wait for the fleet's word on a window, sorted.
func (e *Engine) Pending(w memberwatch.Window) []memberwatch.AppID {
	return inOrder(e.waiting[w])
}

// EndJudgement forgets a window whose apps are all judged.
func (e *Engine) EndJudgement(w memberwatch.Window) { delete(e.waiting, w) }

// TakeUpdates returns the changes of signals since the last call, in the order
// in which they came about.
func (e *Engine) TakeUpdates() []memberwatch.Update {
	u := e.updates
	e.updates = nil
	return u
}

const engineVersion = 1

// AppendBinary appends what the engine itself remembers of the stream, apart
// from the states, calibrations and control changes that the caller keeps.
func (e *Engine) AppendBinary(b []byte) ([]byte, error) {
	enc := codec.NewEncoder(b, engineVersion)
	enc.Int(e.since)
	enc.Int(e.through)
	return enc.Finish()
}

// UnmarshalBinary reads what AppendBinary wrote. The error wraps codec.ErrCorrupt.
func (e *Engine) UnmarshalBinary(b []byte) error {
	d := codec.NewDecoder(b, engineVersion, "engine")
	e.since, e.through = d.Int(), d.Int()
	return d.Finish()
}
