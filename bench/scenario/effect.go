package scenario

import "time"

// effect alters what an app does of its own accord, for a time.
type effect struct {
	from, to int64
	state
}

// state is how an app's own traffic differs from ordinary at an instant.
type state struct {
	incident   int  // that alters it, -1 if none
	leaks      bool // what the altered calls disclose
	volume     float64
	actors     float64
	page       float64
	groups     float64
	errors     float64
	classes    map[string][]string // by endpoint, when classes are added
	network    string
	credential string
	shift      time.Duration
	late       time.Duration
	skew       time.Duration
	duplicates float64
}

// unaltered is the state of an app that nothing befalls. It is never written.
var unaltered = state{incident: -1, volume: 1, actors: 1, page: 1, groups: 1}

// at returns the app's state at an instant. The result is valid until the next
// call.
func (a *app) at(t int64) *state {
	if len(a.effects) == 0 {
		return &unaltered
	}
	altered := false
	a.now = unaltered
	for _, e := range a.effects {
		if e.from <= t && t < e.to {
			a.now.apply(&e.state)
			altered = true
		}
	}
	if !altered {
		return &unaltered
	}
	return &a.now
}

// apply puts another alteration on top.
func (s *state) apply(by *state) {
	if by.incident >= 0 {
		s.incident, s.leaks = by.incident, by.leaks
	}
	s.volume *= by.volume
	s.actors *= by.actors
	s.page *= by.page
	s.groups *= by.groups
	s.errors += by.errors
	if by.classes != nil {
		s.classes = by.classes
	}
	if by.network != "" {
		s.network = by.network
	}
	if by.credential != "" {
		s.credential = by.credential
	}
	s.shift += by.shift
	s.late += by.late
	s.skew += by.skew
	s.duplicates += by.duplicates
}
