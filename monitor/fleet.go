package monitor

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// ruling is what the fleet tells the partitions: a judgement, or the
// calibration of a day. It takes effect when the partition itself has closed
// the windows up to end.
type ruling struct {
	end         int64
	judgement   *detector.Judgement
	calibration *detector.Calibration
}

// inbox holds the fleet's rulings for one partition. What is in it is bounded:
// the fleet cannot rule beyond what the partition has closed, but for what it
// had ruled before a crash.
type inbox struct {
	mu      sync.Mutex
	rulings []ruling
	judged  int64 // the fleet has ruled on all that ends at or before it
	durable int64 // likewise, on the disk
	wake    chan struct{}
}

func (b *inbox) put(rulings []ruling, judged, durable int64) {
	b.mu.Lock()
	b.rulings = append(b.rulings, rulings...)
	b.judged, b.durable = judged, durable
	b.mu.Unlock()
	signal(b.wake)
}

func (b *inbox) take() (rulings []ruling, judged, durable int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rulings, b.rulings = b.rulings, nil
	return rulings, b.judged, b.durable
}

// fleet is the coordinator: once every partition has closed a window it merges
// their tallies, judges the window, writes the judgement down, and only then
// tells the partitions. A judgement is thus made once, whatever crashes after.
type fleet struct {
	m    *Monitor
	wake chan struct{}

	mu      sync.Mutex
	through []int64                                  // by partition: windows closed
	taken   []int64                                  // by partition: rulings applied, durably
	resting []int64                                  // by partition: windows closed, durably
	tallies map[memberwatch.Window][]*detector.Tally // by partition, nil where it has none
	tunings []*memberwatch.Tuning                    // that the model does not know yet

	// The rest belongs to the coordinator goroutine.
	model     *detector.Fleet
	judged    int64 // all that ends at or before it is judged
	durable   int64 // likewise, on the disk
	openDay   int32 // the day of the windows since the last EndDay
	dayIsOpen bool
	snapshots []int32 // days of stored snapshots
}

func newFleet(m *Monitor, partitions int) *fleet {
	return &fleet{
		m: m, wake: make(chan struct{}, 1), model: detector.NewFleet(*m.options.Detector),
		through: make([]int64, partitions), taken: make([]int64, partitions), resting: make([]int64, partitions),
		tallies: make(map[memberwatch.Window][]*detector.Tally),
	}
}

// tally takes a partition's word on a window; it must come before the partition
// says that it has closed the window. The tally belongs to the fleet then.
func (f *fleet) tally(partition int, t *detector.Tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tallies[t.Window] == nil {
		f.tallies[t.Window] = make([]*detector.Tally, len(f.through))
	}
	f.tallies[t.Window][partition] = t
}

// tune takes a tuning, before any event arrives that it is about.
func (f *fleet) tune(t *memberwatch.Tuning) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tunings = append(f.tunings, t)
}

// closed notes how far a partition has closed its windows.
func (f *fleet) closed(partition int, through int64) {
	f.mu.Lock()
	f.through[partition] = through
	f.mu.Unlock()
	signal(f.wake)
}

// applied notes a partition's committed progress.
func (f *fleet) applied(partition int, progress store.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken[partition], f.resting[partition] = progress.Judged, progress.Closed
}

// run judges windows as they become complete, until stop is closed.
func (f *fleet) run(stop <-chan struct{}) {
	for {
		select {
		case <-f.wake:
			if !f.judge(stop) {
				return
			}
		case <-stop:
			return
		}
	}
}

// judge rules on everything that all partitions have closed. It returns false
// when it was stopped.
func (f *fleet) judge(stop <-chan struct{}) bool {
	due, through := f.due()
	if through <= f.judged {
		return true
	}
	commit := store.FleetCommit{Through: through}
	var rulings []ruling
	for _, t := range due {
		day := dayOf(t.Window.Start)
		if f.dayIsOpen && day > f.openDay {
			rulings = append(rulings, f.endDay(&commit))
		}
		f.openDay, f.dayIsOpen = day, true
		rulings = append(rulings, f.rule(t, &commit))
	}
	if f.dayIsOpen && dayEnd(f.openDay) <= through {
		rulings = append(rulings, f.endDay(&commit))
	}
	if len(rulings) > 0 {
		f.forget(&commit)
		if !f.write(&commit, stop) {
			return false
		}
		f.durable = through
		if len(commit.Updates) > 0 {
			f.m.publisher.announce()
		}
	}
	f.judged = through
	for _, p := range f.m.partitions {
		p.inbox.put(rulings, f.judged, f.durable)
	}
	return true
}

// due takes the complete tallies, in the order of their windows, and returns
// how far all partitions have closed.
func (f *fleet) due() ([]*detector.Tally, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tunings {
		f.model.Tune(t)
	}
	f.tunings = nil
	through := slices.Min(f.through)
	var due []*detector.Tally
	for w, parts := range f.tallies {
		if w.End() > through {
			continue
		}
		if w.End() > f.judged { // else it was judged before a restart
			due = append(due, merge(parts))
		}
		delete(f.tallies, w)
	}
	slices.SortFunc(due, func(a, b *detector.Tally) int { return compareWindows(a.Window, b.Window) })
	return due, through
}

// merge adds the partitions' tallies of a window up, in the order of the
// partitions: sums of fractions depend on it.
func merge(parts []*detector.Tally) *detector.Tally {
	merged := new(detector.Tally)
	for _, t := range parts {
		if t != nil {
			merged.Merge(t)
		}
	}
	return merged
}

// compareWindows orders windows by their end, hours before days.
func compareWindows(a, b memberwatch.Window) int {
	switch {
	case a.End() != b.End():
		return compareInts(a.End(), b.End())
	default:
		return int(a.Scale) - int(b.Scale)
	}
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// rule judges one window. The tally is written beside the judgement: with the
// newest snapshot it rebuilds the model after a restart.
func (f *fleet) rule(t *detector.Tally, commit *store.FleetCommit) ruling {
	judgement := f.model.Judge(t)
	commit.Updates = append(commit.Updates, f.model.TakeUpdates()...)
	commit.Judgements = append(commit.Judgements, store.WindowValue{Window: t.Window, Value: encode(judgement.AppendBinary)})
	commit.Merged = append(commit.Merged, store.WindowValue{Window: t.Window, Value: encode(t.AppendBinary)})
	return ruling{end: t.Window.End(), judgement: &judgement}
}

// endDay folds the open day into the model.
func (f *fleet) endDay(commit *store.FleetCommit) ruling {
	calibration := f.model.EndDay(f.openDay)
	commit.Snapshots = append(commit.Snapshots, store.FleetSnapshot{Day: f.openDay, Value: encode(f.model.AppendBinary)})
	commit.Merged = nil // the snapshot holds them
	f.snapshots = append(f.snapshots, f.openDay)
	f.dayIsOpen = false
	return ruling{end: dayEnd(f.openDay), calibration: calibration}
}

func encode(appendBinary func([]byte) ([]byte, error)) []byte {
	b, err := appendBinary(nil)
	if err != nil {
		panic(fmt.Sprintf("bug: fleet does not encode: %v", err))
	}
	return b
}

// keptSnapshots is how many calibrations before the slowest partition's place
// are kept: a window of day D uses the newest through day D-2.
const keptSnapshots = 4

// forget drops what no partition will ask for after a crash.
func (f *fleet) forget(commit *store.FleetCommit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	commit.JudgementsDone = slices.Min(f.taken)
	resting, past := slices.Min(f.resting), 0
	for past < len(f.snapshots) && dayEnd(f.snapshots[past]) <= resting {
		past++
	}
	if past > keptSnapshots {
		f.snapshots = slices.Clone(f.snapshots[past-keptSnapshots:])
	}
	if len(f.snapshots) > 0 {
		commit.SnapshotsFrom = f.snapshots[0]
	}
}

// write commits, again and again until it succeeds or is stopped.
func (f *fleet) write(commit *store.FleetCommit, stop <-chan struct{}) bool {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := f.m.store.Platform.CommitFleet(commit)
		if err == nil {
			f.m.storage.clear(fleetStorage)
			return true
		}
		f.m.storage.fail(fleetStorage, err)
		select {
		case <-time.After(wait):
		case <-stop:
			return false
		}
	}
}

// restore rebuilds the model from what is stored and gives every partition the
// rulings that it has not applied yet. It runs before any goroutine.
func (f *fleet) restore() error {
	state, err := f.m.store.Platform.Fleet()
	if err != nil {
		return err
	}
	f.judged, f.durable = state.Through, state.Through
	var rulings []ruling
	f.model = f.newModel()
	for _, s := range state.Snapshots {
		f.model = f.newModel()
		if err := f.model.UnmarshalBinary(s.Value); err != nil {
			return fmt.Errorf("fleet snapshot of day %d: %w", s.Day, err)
		}
		f.snapshots = append(f.snapshots, s.Day)
		rulings = append(rulings, ruling{end: dayEnd(s.Day), calibration: f.model.Calibration()})
	}
	for _, m := range state.Merged {
		t := new(detector.Tally)
		if err := t.UnmarshalBinary(m.Value); err != nil {
			return fmt.Errorf("fleet tally of window %v: %w", m.Window, err)
		}
		f.model.Judge(t)
		f.openDay, f.dayIsOpen = dayOf(m.Window.Start), true
	}
	f.tunings = nil
	f.model.TakeUpdates() // they were published when it was judged
	judgements, err := decodeJudgements(state.Judgements)
	if err != nil {
		return err
	}
	rulings = append(judgements, rulings...)
	slices.SortStableFunc(rulings, func(a, b ruling) int { return compareInts(a.end, b.end) })
	f.hand(rulings)
	return nil
}

// newModel returns a model that knows all tunings and nothing else.
func (f *fleet) newModel() *detector.Fleet {
	model := detector.NewFleet(*f.m.options.Detector)
	for _, t := range f.tunings {
		model.Tune(t)
	}
	return model
}

func decodeJudgements(values []store.WindowValue) ([]ruling, error) {
	var rulings []ruling
	for _, v := range values {
		j := new(detector.Judgement)
		if err := j.UnmarshalBinary(v.Value); err != nil {
			return nil, fmt.Errorf("judgement of window %v: %w", v.Window, err)
		}
		rulings = append(rulings, ruling{end: v.Window.End(), judgement: j})
	}
	return rulings, nil
}

// hand gives each partition the rulings of its future, and the calibrations of
// its past.
func (f *fleet) hand(rulings []ruling) {
	for _, p := range f.m.partitions {
		var ahead []ruling
		for _, r := range rulings {
			switch {
			case r.end > p.progress.Judged:
				ahead = append(ahead, r)
			case r.calibration != nil:
				p.engine.SetCalibration(r.calibration)
			}
		}
		p.inbox.put(ahead, f.judged, f.durable)
		f.taken[p.index], f.resting[p.index] = p.progress.Judged, p.progress.Closed
	}
}

// dayOf returns the UTC day of an event time, in days since the epoch.
func dayOf(t int64) int32 {
	return int32(memberwatch.WindowAt(memberwatch.Day, t).Start / memberwatch.Day.Length())
}

// dayEnd returns the first instant after a day.
func dayEnd(day int32) int64 { return (int64(day) + 1) * memberwatch.Day.Length() }
