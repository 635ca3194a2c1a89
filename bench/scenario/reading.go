package scenario

import "github.com/memberwatch/memberwatch"

// maxPage is the most members one call discloses.
const maxPage = 500

// read fills in whose data the answer held. Numbers of members go into the
// simulator's buffers; Next turns them into hashes.
func (s *Simulator) read(a *app, c *call, actor uint64, now *state, e *memberwatch.Event) {
	if c.reads == readNone {
		return
	}
	if c.reads == readCount {
		if a.groups > 0 {
			e.Group = s.people.group(s.managed(a, actor, now, e.Time))
		}
		return
	}
	page := uint64(s.dice.between(c.low, c.high))
	if now.page != 1 {
		page = uint64(min(max(1, float64(page)*now.page), maxPage))
	}
	switch c.reads {
	case readSelf:
		s.disclosed = append(s.disclosed, s.people.at(a.key, actor))
	case readFriends:
		s.readFriends(s.people.at(a.key, actor), page)
	case readLookup:
		s.readContacts(s.people.at(a.key, actor), page, c.miss, e)
	case readRoster, readFeed:
		if a.groups == 0 {
			s.readFriends(s.people.at(a.key, actor), page)
			break
		}
		s.readGroup(s.managed(a, actor, now, e.Time), page, c.reads == readFeed, e)
	case readNone, readCount:
	}
	if c.records > 1 {
		e.Records = uint64(len(s.disclosed) * c.records)
	}
}

// managed returns one of the groups that an acting user runs. There are up to
// five; the first sees most of the work. Groups that an app takes on come with
// people of their own, and those who were there before keep theirs.
func (s *Simulator) managed(a *app, actor uint64, now *state, t int64) uint64 {
	first, count := uint64(0), uint64(max(1, a.groups))
	if now.groups > 1 && float64(actor) >= s.usersOn(a, t) {
		first, count = count, max(1, uint64(float64(a.groups)*now.groups)-count)
	}
	own := 1 + scaled(mix(actor^a.key), 5)
	u := s.dice.float()
	return s.managedGroup(a, first+mix(actor+uint64(u*u*float64(own))<<32)%count)
}

// groupCount returns how many groups an app manages.
func (a *app) groupCount(now *state) uint64 { return uint64(max(1, float64(a.groups)*now.groups)) }

// managedGroup returns the group at a place of the app's list.
func (s *Simulator) managedGroup(a *app, place uint64) uint64 {
	return s.people.anyGroup(key(a.key, place|1<<32))
}

// readFriends discloses people connected with a person, who has 5 to 60 such.
func (s *Simulator) readFriends(person, page uint64) {
	count := 5 + scaled(mix(person), 56)
	s.readList(mix(person^0xf1), 0, count, page, false)
}

// readContacts asks for people of an address book of 20 to 120 by id; some of
// the ids lead nowhere.
func (s *Simulator) readContacts(person, page uint64, miss float64, e *memberwatch.Event) {
	book := mix(person ^ 0xc0)
	size := 20 + scaled(book, 101)
	first := uint64(s.dice.below(int64(size)))
	for i := range min(page, size) {
		rank := (first + i) % size
		member := s.people.at(book, rank)
		if unit(mix(book^rank)) < miss {
			s.requested = append(s.requested, nobody+member)
			e.Missed++
			continue
		}
		s.requested = append(s.requested, member)
		s.disclosed = append(s.disclosed, member)
	}
}

// readGroup discloses a page of a group: newest members first more often than
// not, and for a feed the few who post much.
func (s *Simulator) readGroup(g, page uint64, feed bool, e *memberwatch.Event) {
	e.Group = s.people.group(g)
	size := uint64(s.people.sizes[g])
	s.readList(s.people.groupList(g), firstRank(size, s.dayOf(e.Time)), size, page, feed)
}

// readList discloses a page of a list of the given size that starts at rank
// first. Pages near the list's head are read more often: the place is the cube
// of a uniform draw. A feed shows single authors, drawn in the same way.
func (s *Simulator) readList(list, first, size, page uint64, feed bool) {
	page = min(page, size)
	if feed {
		for range page {
			u := s.dice.float()
			s.disclosed = append(s.disclosed, s.people.at(list, first+uint64(u*u*u*float64(size))))
		}
		return
	}
	u := s.dice.float()
	offset := uint64(u * u * u * float64(size-page+1))
	for i := range page {
		s.disclosed = append(s.disclosed, s.people.at(list, first+offset+i))
	}
}

// dayOf returns the days since the start.
func (s *Simulator) dayOf(t int64) float64 { return float64(t-s.start) / float64(day) }
