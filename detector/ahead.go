package detector

import "github.com/memberwatch/memberwatch"

// Call is an event with the state of its app.
type Call struct {
	State *State
	Event *memberwatch.Event
	Late  bool
}

// ahead is how many calls' states are looked at together: enough to fetch them side
// by side, and so few that they are still in the nearest cache when their turn
// comes. 8 and 16 measured alike, 32 no better.
const ahead = 16

// ObserveAll folds events into their apps' states in their order, like Observe for
// each of them. Of thousands of apps most are in no cache of the processor, so
// what the next few calls will need is fetched from memory together.
func (e *Engine) ObserveAll(calls []Call) {
	for len(calls) > 0 {
		next := calls[:min(len(calls), ahead)]
		e.touch(next)
		for i := range next {
			e.Observe(next[i].State, next[i].Event, next[i].Late)
		}
		calls = calls[len(next):]
	}
}

// touch reads a word of each cache line that a call which repeats others will use.
// No read waits for another, except that pointers are read before what they lead
// to.
func (e *Engine) touch(calls []Call) {
	sum := uint64(0)
	for i := range calls {
		s := calls[i].State
		sum += uint64(s.control) + uint64(len(s.rules)) + uint64(s.recent.hour) + uint64(s.tab.arms) + s.tab.room.unattended
	}
	for i := range calls {
		s := calls[i].State
		if words, n := s.recent.words, len(s.recent.words); n+eventWords+4 < cap(words) {
			words = words[:cap(words)]
			sum += words[n] + words[n+eventWords+4]
		}
		if rows := s.tab.memory; rows != nil {
			sum += uint64(rows[0].like) + rows[0].calls + uint64(rows[0].short[0]) + uint64(rows[0].short[len(rows[0].short)-1])
		}
		if hour := s.tab.hour; hour != nil && !s.recent.takes(calls[i].Event) {
			sum += uint64(hour.Start) + uint64(hour.deltas) + uint64(hour.members.Estimate())
		}
	}
	e.touched = sum // or else the compiler would leave out the reads
}
