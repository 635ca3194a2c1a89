package scenario

import "github.com/memberwatch/memberwatch"

// choose fills in the members of an addition's call of a number.
func (s *Simulator) choose(x *addition, number, page, actor uint64, e *memberwatch.Event) {
	a, people := x.app, s.people
	switch x.selection {
	case selectEveryone:
		for i := range page {
			s.disclosed = append(s.disclosed, s.nth(x, x.place(number, i)))
		}
	case selectSequence, selectLookups:
		s.lookUp(x, number, page, e)
	case selectOwnGroups:
		if a.groups == 0 {
			s.readFriends(people.at(a.key, actor), page)
			break
		}
		s.readGroup(s.managed(a, actor, &unaltered, e.Time), page, false, e)
	case selectOwnAgain:
		s.wholeGroup(s.managedGroup(a, x.key%uint64(max(1, a.groups))), page, e)
	case selectSweep:
		s.wholeGroup(s.managedGroup(a, number%a.groupCount(a.at(e.Time))), page, e)
	case selectPosts:
		e.Group = people.group(s.managedGroup(a, number%a.groupCount(a.at(e.Time))))
	case selectOtherGroups:
		s.wholeGroup(people.anyGroup(key(x.key, number)), page, e)
	case selectOneGroup:
		e.Group = people.group(x.group)
		for i := range page {
			s.disclosed = append(s.disclosed, s.nth(x, x.place(number, i)))
		}
	case selectOneGroupPosts:
		e.Group = people.group(x.group)
	case selectFriends:
		s.fanOut(x, number, actor)
	case selectExpired:
		gone := people.at(a.key, 1<<22+uint64(s.dice.below(int64(a.users)+1)))
		s.readFriends(gone, page)
	case selectFormer:
		s.readFormer(x, page)
	case selectTest:
		for range page {
			s.disclosed = append(s.disclosed, testMembers+uint64(s.dice.below(500)))
		}
	case selectNone, selectKnown:
	}
}

// fanOut discloses a page of everybody an installer is connected with.
func (s *Simulator) fanOut(x *addition, number, actor uint64) {
	circle := key(x.app.key, actor)
	page := uint64(x.call.high)
	first := number % x.callsPerActor() * page
	for rank := first; rank < min(first+page, uint64(x.perActor)); rank++ {
		s.disclosed = append(s.disclosed, s.people.at(circle, rank))
	}
}

// canaries returns the hashes of the members planted where an incident reads.
func (s *Simulator) canaries(x *addition) []memberwatch.MemberID {
	planted := make([]memberwatch.MemberID, canaryCount)
	for n := range planted {
		planted[n] = memberwatch.MemberID(s.people.hash(x.canary(uint64(n))))
	}
	return planted
}

// nth returns the n-th member of a walk through the whole population that
// meets nobody twice before it has met all: steps of a stride without a common
// divisor with the population's size.
func (s *Simulator) nth(x *addition, n uint64) uint64 {
	size := s.people.members
	return (x.first + n%size*x.stride) % size
}

// place returns where in the walk the i-th member of a call stands. Apps that
// split a walk take its pages in turn.
func (x *addition) place(number, i uint64) uint64 {
	return (number*x.parts+x.part)*uint64(x.call.high) + i
}

// coprime returns the first number from n on without a common divisor with m.
func coprime(n, m uint64) uint64 {
	for ; ; n++ {
		a, b := n, m
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return n
		}
	}
}

// lookUp asks for ids, of which a share of x.hit exist. In sequence the ids
// follow each other; shuffled, the same ids come in another order. Hashes hide
// the difference, as they do on a real platform.
func (s *Simulator) lookUp(x *addition, number, page uint64, e *memberwatch.Event) {
	for i := range page {
		place := x.place(number, i)
		member := place % s.people.members
		if x.selection == selectLookups {
			member = s.nth(x, place)
		}
		if s.dice.float() < x.hit {
			s.requested = append(s.requested, member)
			s.disclosed = append(s.disclosed, member)
			continue
		}
		s.requested = append(s.requested, nobody+member)
		e.Missed++
	}
}

// wholeGroup discloses a group from its newest member on.
func (s *Simulator) wholeGroup(g, page uint64, e *memberwatch.Event) {
	e.Group = s.people.group(g)
	size := uint64(s.people.sizes[g])
	first := firstRank(size, s.dayOf(e.Time))
	for i := range min(page, size) {
		s.disclosed = append(s.disclosed, s.people.at(s.people.groupList(g), first+i))
	}
}

// readFormer asks by id for people who were in the app's groups at the start
// and had left them when deletion was attested: whoever left later, the app may
// have read in between.
func (s *Simulator) readFormer(x *addition, page uint64) {
	a := x.app
	for tries := 0; uint64(len(s.disclosed)) < page && tries < 4*int(page); tries++ {
		g := s.managedGroup(a, uint64(s.dice.below(int64(max(1, a.groups)))))
		size := uint64(s.people.sizes[g])
		left := firstRank(size, s.dayOf(x.attested))
		if left == 0 {
			continue
		}
		member := s.people.at(s.people.groupList(g), uint64(s.dice.below(int64(left))))
		s.requested = append(s.requested, member)
		s.disclosed = append(s.disclosed, member)
	}
}
