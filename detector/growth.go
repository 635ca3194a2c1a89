package detector

import "github.com/memberwatch/memberwatch"

// Growth that is accounted for. More acting users read more members, and an
// agency that takes on groups reads groups it never read: both are honest, and
// the ratios for each acting user judge what they do. So what counts are expected
// to be rises with the acting users, and with the people whom the platform has
// registered as running the app's groups, up to a bound.
//
//	a0   expected acting users, E[reach]/E[reach per acting user], at least 1
//	g_a  min(max(a/a0, 1), 4)            for members, records, new members, groups
//	     (10 in the slow stream)
//	g_r  min(1 + 3 max(admins/mean - 1, 0), 16)  for these, and for members and new
//	                                     members per acting user, and the distinct share:
//	                                     who joins reads its groups whole once
//	expected count = max(g_a, g_r) times what the past says
//	g_a                                  for refused calls
//	g_s  max(E[reach]/reach, 1)          for the distinct share: who reads less meets fewer
//	                                     of its members twice
//	g_l  max(a0/2a, 1)                   for ratios for each acting user: where most of
//	                                     those who read little stay away, the ratio rises
//	                                     and no more is read
//
// Beyond the bound more users are no excuse: whoever invents acting users is left
// with volume, which sees them from four times the usual number on. What the slow
// stream expects is three weeks old, in which honest users may double three times.
// The registry is the platform's own, and its mean follows in four weeks, when the
// baselines have learnt. Assumption: acting users are the platform's accounts, not the
// app's word. It lies for a surge of real users that is tenfold, which volume
// still reports.
// Source: evidence section 6 (per-actor ratios hold under growth of users, volume
// does not); B1, B7 and B12 of the catalogue; bounds are ours.

// Bounds of growth that is accounted for.
const (
	mostActors = 4.0      // times the expected acting users
	mostSlow   = 10.0     // likewise, in the slow stream
	firstRead  = 3.0      // of groups taken on, beside those of long: they are read whole once
	mostAdmins = 16.0     // times what is read of groups of long
	adminRate  = 1.0 / 28 // of that mean, a day
)

// growth is the factor by which a feature is expected to exceed its past in a
// window with so many acting users. known is what has been asked of the past already;
// nil is nothing.
func (s *State) growth(stream streamID, f Feature, at memberwatch.Window, x *values, known *outlooks) float64 {
	actors := x.actors
	switch f {
	case Reach, Records, Novelty, Breadth:
		return max(s.actorGrowth(stream, at, actors, known), s.adminGrowth())
	case ReachPerActor, NoveltyPerActor:
		return max(s.actorLoss(stream, at, actors, known), s.adminGrowth())
	case RecordsPerActor:
		return s.actorLoss(stream, at, actors, known)
	case DistinctShare:
		return max(s.reachLoss(stream, at, x.v[Reach]), s.adminGrowth())
	case Denials:
		return s.actorGrowth(stream, at, actors, known)
	default:
		return 1
	}
}

// actorGrowth compares acting users with what the past says of them.
func (s *State) actorGrowth(stream streamID, at memberwatch.Window, actors float64, known *outlooks) float64 {
	if actors <= 1 {
		return 1
	}
	usual := s.usualActors(stream, at, known)
	if usual == 0 {
		return 1
	}
	most := mostActors
	if stream == daySlow {
		most = mostSlow
	}
	return min(max(actors/usual, 1), most)
}

// actorLoss tells by how much ratios for each acting user rise only because fewer
// than half of the usual ones came.
func (s *State) actorLoss(stream streamID, at memberwatch.Window, actors float64, known *outlooks) float64 {
	return max(s.usualActors(stream, at, known)/(2*max(actors, 1)), 1)
}

// reachLoss tells by how much the distinct share rises only because an app reads less:
// who reads little meets few of its members twice.
func (s *State) reachLoss(stream streamID, at memberwatch.Window, reach float64) float64 {
	usual := s.seriesOf(stream, Reach).Expect(&shapes[stream], slot(stream, at), 1)
	return max(usual.Center()/max(reach, 1), 1)
}

// usualActors is how many acting users the past expects in a window, 0 if it cannot
// say.
func (s *State) usualActors(stream streamID, at memberwatch.Window, known *outlooks) float64 {
	reach, ok := s.center(stream, Reach, at, known)
	if !ok {
		return 0
	}
	ratio, ok := s.center(stream, ReachPerActor, at, known)
	if !ok {
		return 0
	}
	return max(reach/max(ratio, 1e-9), 1)
}

// center is the middle of what the past expects, and whether it expects anything.
func (s *State) center(stream streamID, f Feature, at memberwatch.Window, known *outlooks) (float64, bool) {
	if known.of(stream, f) != nil {
		return known.mid[f], true
	}
	return s.seriesOf(stream, f).Center(&shapes[stream], slot(stream, at))
}

// adminGrowth compares the registered admins with their mean.
func (s *State) adminGrowth() float64 {
	if s.admins == 0 || s.declared == nil {
		return 1
	}
	joined := max(float64(s.declared.Admins)/float64(s.admins)-1, 0)
	return min(1+firstRead*joined, mostAdmins)
}

// learnAdmins moves the mean of registered admins by a day.
func (s *State) learnAdmins() {
	if s.declared == nil || s.declared.Admins <= 0 {
		return
	}
	now := float64(s.declared.Admins)
	if s.admins == 0 {
		s.admins = float32(now)
		return
	}
	s.admins = float32(float64(s.admins) + float64(adminRate*(now-float64(s.admins))))
}

// mostGrowth is the most that growth can become in a window. Open windows wait for
// it: acting users may still come, and whether an alert comes must not depend on
// whether they or the members arrive first.
func (s *State) mostGrowth(f Feature) float64 {
	switch f {
	case Reach, Records, Novelty, Breadth:
		if s.actors {
			return max(mostActors, s.adminGrowth())
		}
		return s.adminGrowth()
	case Denials:
		if s.actors {
			return mostActors
		}
		return 1
	default:
		return 1
	}
}

// beyond tells whether a count of a window that is over was a burst: at least its
// critical value, as far as it has grown with the acting users.
func (s *State) beyond(w *window, f Feature, v float64) bool {
	stream := burstOf(w.Scale)
	if v < w.critical[f] || f.reread(stream) && w.named() {
		return false
	}
	return v >= w.critical[f]*s.growth(stream, f, w.Window, &values{actors: w.actors.Estimate()}, nil)
}

// reread tells whether, where records name their members, the feature can only
// repeat what reach says, or speak of reading the same people again: polling, a
// weekly report, a backfill. To read them again for days, for each acting user, is
// left to the slow stream.
func (f Feature) reread(stream streamID) bool {
	return f == Records || f == RecordsPerActor && stream != daySlow
}
