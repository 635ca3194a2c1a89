package detector

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
	"github.com/memberwatch/memberwatch/detector/tails"
)

// Coordination: apps that touch the same members within minutes of each other,
// again and again and over different members.
//
//	S      sum over touches shared by d apps of d(d-1), / N(N-1), N all touches of the day
//	L      sum over days of n_a n_b S, the pair's own meetings left out of S
//	c      different members on which a and b have met
//	linked c >= 4 and P(Poisson(L) >= c-1) <= q = 1e-4
//	group  linked apps of which each has three partners in it at least
//	p      C(E, k-1) q^l of a group of k apps and l links, where E pairs have met
//
// L is what the configuration model expects of two apps with n_a and n_b touches
// in a day on which touches are shared as they are: a viral member raises it for
// all. The first meeting only introduces a pair, so it is not counted against L,
// which adds up from there on; both are forgotten after 60 to 120 days. One member
// met every day is one member. Two apps alone may be two names of one, hence
// groups: four apps are the least. p is the union bound over the trees that could
// span a group, as if links came independently; busy apps meet more, so it is the
// partners that keep chance out, not p. It lies for apps that share the members of
// one community and poll them on the hour, and sees nothing of apps that keep ten
// minutes apart.
// Source: the coordinated accounts of Righetti and others 2022 and Kulichkina,
// Righetti, Waldherr 2024, against the same accounts moved by random days and
// against readings handed out anew within each hour (decision 0054). Configuration
// model: Molloy and Reed, 1995; the core: Seidman, 1983.
type coordination struct {
	pairs map[pair]*meetings
}

type pair struct{ a, b memberwatch.AppID } // a < b

// meetings are what is known of two apps that have met.
type meetings struct {
	epoch int32      // of the newer half
	last  int32      // day of the newest meeting
	tags  [2]uint64  // the members met, each one of 64 places; newer, older half
	usual [2]float64 // L
}

const (
	epochDays       = 60
	mostTogether    = 32 // apps: what more of them touch together is the news
	mostPairs       = 1 << 15
	mostMeetings    = 1 << 18 // of a day, the rarest touches first
	linkedMembers   = 4
	linkedP         = 1e-4
	fewestPartners  = 3
	meetingsSpeakOf = 64 // places of members
)

// shared is a touch with the apps that had it.
type shared struct {
	touch touch
	apps  []memberwatch.AppID
}

// meet takes a day's touches.
func (c *coordination) meet(day int32, all map[memberwatch.AppID]touches) {
	common, total := commonTouches(all)
	own := make(map[pair]int)
	around, budget := 0, mostMeetings
	for _, s := range common {
		d := len(s.apps)
		if d > mostTogether || budget < d*(d-1)/2 {
			break // they are in rising order
		}
		around += d * (d - 1)
		budget -= d * (d - 1) / 2
		for i, a := range s.apps {
			for _, b := range s.apps[i+1:] {
				c.at(pair{a, b}, day).note(s.touch, day)
				own[pair{a, b}]++
			}
		}
	}
	if total < 2 {
		return
	}
	for p, m := range c.pairs { // each pair on its own: the order does not matter
		a, b := len(all[p.a]), len(all[p.b])
		if a == 0 || b == 0 {
			continue
		}
		m.turn(day)
		others := float64(around-2*own[p]+2) / (float64(total) * float64(total-1))
		m.usual[0] += float64(float64(a*b) * others)
	}
	c.trim(day)
}

// commonTouches returns what several apps touched, the rarest first, and the
// number of all touches.
func commonTouches(all map[memberwatch.AppID]touches) (common []shared, total int) {
	type one struct {
		touch touch
		app   memberwatch.AppID
	}
	var list []one
	for app, ts := range all {
		for _, t := range ts {
			list = append(list, one{t, app})
		}
	}
	slices.SortFunc(list, func(a, b one) int { return cmp.Or(cmp.Compare(a.touch, b.touch), compareStrings(a.app, b.app)) })
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].touch == list[i].touch {
			j++
		}
		if j > i+1 {
			s := shared{touch: list[i].touch}
			for _, o := range list[i:j] {
				s.apps = append(s.apps, o.app)
			}
			common = append(common, s)
		}
		i = j
	}
	slices.SortStableFunc(common, func(a, b shared) int { return cmp.Compare(len(a.apps), len(b.apps)) })
	return common, len(list)
}

func (c *coordination) at(p pair, day int32) *meetings {
	m, ok := c.pairs[p]
	if !ok {
		if c.pairs == nil {
			c.pairs = make(map[pair]*meetings)
		}
		m = &meetings{epoch: day / epochDays}
		c.pairs[p] = m
	}
	return m
}

// turn moves the halves on.
func (m *meetings) turn(day int32) {
	switch epoch := day / epochDays; {
	case epoch == m.epoch+1:
		m.tags, m.usual, m.epoch = [2]uint64{0, m.tags[0]}, [2]float64{0, m.usual[0]}, epoch
	case epoch > m.epoch:
		m.tags, m.usual, m.epoch = [2]uint64{}, [2]float64{}, epoch
	}
}

func (m *meetings) note(t touch, day int32) {
	m.turn(day)
	m.tags[0] |= 1 << (t.tag() % meetingsSpeakOf)
	m.last = day
}

// members is the least number of different members on which the two have met.
func (m *meetings) members() int { return bits.OnesCount64(m.tags[0] | m.tags[1]) }

// chance is the probability of meeting on as many members, once introduced.
func (m *meetings) chance() float64 { return tails.Poisson(m.members()-1, m.usual[0]+m.usual[1]) }

func (m *meetings) linked() bool { return m.members() >= linkedMembers && m.chance() <= linkedP }

// trim drops pairs whose meetings are forgotten, and of too many those with the
// fewest members and the oldest meetings.
func (c *coordination) trim(day int32) {
	maps.DeleteFunc(c.pairs, func(_ pair, m *meetings) bool {
		m.turn(day)
		return m.members() == 0
	})
	keepFirst(c.pairs, mostPairs, func(p, q pair) int {
		a, b := c.pairs[p], c.pairs[q]
		return cmp.Or(cmp.Compare(b.members(), a.members()), cmp.Compare(b.last, a.last), comparePairs(p, q))
	})
}

func comparePairs(p, q pair) int { return cmp.Or(compareStrings(p.a, q.a), compareStrings(p.b, q.b)) }

// groups returns the linked pairs by groups, in order, but for pairs that are in
// none. A group has more apps than fewestPartners.
func (c *coordination) groups() [][]pair {
	var links []pair
	for p, m := range c.pairs {
		if m.linked() {
			links = append(links, p)
		}
	}
	slices.SortFunc(links, comparePairs)
	links = core(links)
	group := make(map[memberwatch.AppID]memberwatch.AppID) // towards the first app of the group
	var first func(memberwatch.AppID) memberwatch.AppID
	first = func(app memberwatch.AppID) memberwatch.AppID {
		up, ok := group[app]
		if !ok || up == app {
			return app
		}
		group[app] = first(up)
		return group[app]
	}
	for _, p := range links {
		a, b := first(p.a), first(p.b)
		group[max(a, b)] = min(a, b)
	}
	by := make(map[memberwatch.AppID][]pair)
	for _, p := range links {
		by[first(p.a)] = append(by[first(p.a)], p)
	}
	var groups [][]pair
	for _, app := range slices.Sorted(maps.Keys(by)) {
		groups = append(groups, by[app])
	}
	return groups
}

// core takes away, again and again, apps with fewer than fewestPartners partners.
func core(links []pair) []pair {
	for {
		partners := make(map[memberwatch.AppID]int)
		for _, p := range links {
			partners[p.a]++
			partners[p.b]++
		}
		left := slices.DeleteFunc(slices.Clone(links), func(p pair) bool {
			return partners[p.a] < fewestPartners || partners[p.b] < fewestPartners
		})
		if len(left) == len(links) {
			return left
		}
		links = left
	}
}

// appsOf lists the apps of pairs, in order.
func appsOf(pairs []pair) []memberwatch.AppID {
	var apps []memberwatch.AppID
	for _, p := range pairs {
		apps = append(apps, p.a, p.b)
	}
	slices.Sort(apps)
	return slices.Compact(apps)
}

// watchCoordination takes a day's touches and raises a signal for each group that
// met on it.
func (f *Fleet) watchCoordination(t *Tally) {
	if t.Window.Scale != memberwatch.Day {
		return
	}
	day := dayOf(t.Window.Start)
	f.coordination.meet(day, t.touched)
	for _, group := range f.coordination.groups() {
		if !slices.ContainsFunc(group, func(p pair) bool { return f.coordination.pairs[p].last == day }) {
			continue
		}
		g := f.coordination.grounds(t.Window, group)
		if g.p() <= fleetWeight/f.cfg.Budget {
			apps := appsOf(group)
			f.raise(f.nameOfGroup(apps), f.ground(g), apps)
		}
	}
}

// nameOfGroup returns what tells a group's signal from others: that of an open
// signal that names one of its apps, else its first app.
func (f *Fleet) nameOfGroup(apps []memberwatch.AppID) string {
	for i := range f.episodes {
		ep := &f.episodes[i]
		if ep.Signal.Kind != memberwatch.KindCoordination {
			continue
		}
		if slices.ContainsFunc(apps, func(app memberwatch.AppID) bool { return slices.Contains(ep.Signal.Apps, app) }) {
			return ep.Dim
		}
	}
	return string(apps[0])
}

func (c *coordination) encode(e *codec.Encoder) {
	e.Uint(uint64(len(c.pairs)))
	for _, p := range slices.SortedFunc(maps.Keys(c.pairs), comparePairs) {
		m := c.pairs[p]
		e.Text(string(p.a))
		e.Text(string(p.b))
		e.Int(int64(m.epoch))
		e.Int(int64(m.last))
		e.U64(m.tags[0])
		e.U64(m.tags[1])
		e.F64(m.usual[0])
		e.F64(m.usual[1])
	}
}

func (c *coordination) decode(d *codec.Decoder) {
	*c = coordination{}
	for range d.Count(36) {
		p := pair{memberwatch.AppID(d.Text()), memberwatch.AppID(d.Text())}
		m := &meetings{epoch: int32(d.Int()), last: int32(d.Int())}
		m.tags = [2]uint64{d.U64(), d.U64()}
		m.usual = [2]float64{d.F64(), d.F64()}
		if c.pairs == nil {
			c.pairs = make(map[pair]*meetings)
		}
		c.pairs[p] = m
	}
}
