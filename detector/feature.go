package detector

import "github.com/memberwatch/memberwatch"

// Feature is one number of a window that is compared with what was expected.
type Feature uint8

// Features. The counts come first; only they have critical counts, because only
// they cannot fall while a window is open.
const (
	Reach           Feature = iota // distinct members disclosed
	Records                        // member records disclosed
	Novelty                        // distinct members never disclosed to the app before
	Breadth                        // distinct groups read from
	Misses                         // asked-for ids that did not exist
	Denials                        // calls refused, for lack of permission or for their rate
	Unattended                     // member records disclosed on calls without an acting user
	ReachPerActor                  // distinct members for each acting user
	RecordsPerActor                // records for each acting user
	NoveltyPerActor                // members never disclosed to the app before, for each acting user
	MissRatio                      // per cent of what was asked for that did not exist
	DistinctShare                  // per cent of the members disclosed that were not disclosed before in the window
	Together                       // surprises of members, new members and the distinct share, added up
	ClassShift                     // of the data classes that calls name
	Evenness                       // of calls over the hours of the day, 100 for a clock
	Regularity                     // of calls within the hour, 200 for a clock
	Displaced                      // records beside what a restriction covers, after it took effect
	Features                       // how many there are
)

// counts is the number of features that are plain counts.
const counts = ReachPerActor

var featureNames = [Features]string{
	"reach", "records", "new_members", "groups", "misses", "denials", "records_unattended", "reach_per_actor", "records_per_actor",
	"new_members_per_actor",
	"miss_ratio", "distinct_share", "together", "class_shift", "evenness", "regularity", "displaced_records",
}

// featureWords completes "read …" for people.
var featureWords = [Features]string{
	"distinct members", "member records", "members never read before", "groups",
	"missed look-ups", "refused calls", "member records without an acting user", "distinct members per acting user", "member records per acting user",
	"members never read before per acting user",
	"% of all it asked for", "distinct members in every 100 it was shown",
	"deviations above its usual in members, new members and members shown once, on average,",
	"points of change in the data classes of its calls", "points of evenness over the hours, 100 being a clock,",
	"points of regularity within the hour, 200 being a clock,", "member records beside what is restricted",
}

// String returns the feature's name as it appears in factors.
func (f Feature) String() string { return featureNames[f] }

// moves is the feature that tells whether everybody moved in one.
func (f Feature) moves() Feature {
	switch f {
	case Displaced:
		return Records
	case Together:
		return ReachPerActor
	default:
		return f
	}
}

// mark is the bit of the feature in window.fired; 0 if open windows do not watch it.
func (f Feature) mark() uint8 {
	switch {
	case f < counts:
		return 1 << f
	case f == ClassShift:
		return shifted
	default:
		return 0
	}
}

func (f Feature) perActor() bool { return f >= ReachPerActor && f <= NoveltyPerActor }

// needsActors tells whether the feature says something of an app only if its
// calls name acting users.
func (f Feature) needsActors() bool { return f.perActor() || f == Unattended }

// aboutMembers tells whether the feature counts the members that calls disclose.
func (f Feature) aboutMembers() bool {
	return f <= Breadth || f == Unattended || f.perActor() || f == DistinctShare || f == Together
}

// novel tells whether the feature counts members by what the app knew before.
func (f Feature) novel() bool { return f == Novelty || f == NoveltyPerActor }

// kind maps a feature and stream to the kind of signal it raises.
func (f Feature) kind(stream streamID) memberwatch.Kind {
	slow := stream == daySlow
	switch f {
	case ReachPerActor, RecordsPerActor:
		if slow {
			return memberwatch.KindPerActorSlow
		}
		return memberwatch.KindPerActorBurst
	case Novelty, NoveltyPerActor, DistinctShare, Together:
		return memberwatch.KindNovelty
	case Unattended:
		return memberwatch.KindUnattended
	case Breadth:
		return memberwatch.KindBreadth
	case Misses, MissRatio:
		return memberwatch.KindEnumeration
	case ClassShift:
		return memberwatch.KindClassShift
	case Evenness, Regularity:
		return memberwatch.KindMetronome
	case Displaced:
		return memberwatch.KindDisplaced
	case Denials:
		return memberwatch.KindDenials
	default:
		if slow {
			return memberwatch.KindVolumeSlow
		}
		return memberwatch.KindVolumeBurst
	}
}

// overlaps tells whether the feature shares a signal with others.
func (f Feature) overlaps(stream streamID) bool {
	return f.kind(stream).Joins(memberwatch.KindVolumeBurst)
}

// values holds the features of one window with what the ratios rest on.
type values struct {
	v         [Features]float64
	actors    float64 // acting users
	disclosed float64 // members disclosed, each time they are
	// Calls behind a ratio; 0: too few to say anything.
	mixed, profiled float64
	timed           float64 // hours behind regularity
	sampled         float64 // part of the members whose novelty is known
	named           bool    // most records name their members
}

// derive fills the ratios of counts. Without a known actor those for each acting
// user stay zero and are not tested.
func (x *values) derive() {
	if asked := x.asked(); asked > 0 {
		x.v[MissRatio] = 100 * x.v[Misses] / asked
	}
	if x.disclosed > 0 {
		x.v[DistinctShare] = min(100*x.v[Reach]/x.disclosed, 100)
	}
	if x.actors < 1 {
		return
	}
	x.v[ReachPerActor] = x.v[Reach] / x.actors
	x.v[RecordsPerActor] = x.v[Records] / x.actors
	x.v[NoveltyPerActor] = x.v[Novelty] / x.actors
}

// fewestAsked is how many look-ups and records a miss ratio needs, and members
// disclosed a distinct share: with 50 its own sampling noise is at most 7 points. Ours.
const fewestAsked = 50

// asked is the number of things asked for, found or not; 0 when they are few.
func (x *values) asked() float64 {
	if asked := x.v[Records] + x.v[Misses]; asked >= fewestAsked {
		return asked
	}
	return 0
}

// exposure is what a ratio rests on, in the unit that makes value times exposure
// a count; 1 for counts, 0 for a ratio that says nothing.
func (x *values) exposure(f Feature) float64 {
	switch f {
	case ReachPerActor, RecordsPerActor:
		if x.actors < 1 {
			return 0
		}
		return x.actors
	case Novelty:
		return x.sampled
	case NoveltyPerActor:
		if x.actors < 1 {
			return 0
		}
		return x.actors * x.sampled
	case MissRatio:
		return x.asked() / 100
	case DistinctShare:
		if x.disclosed < fewestAsked {
			return 0
		}
		return x.disclosed / 100
	case Together:
		return 0 // it has no expectation of its own
	case ClassShift:
		return min(x.mixed, 1)
	case Evenness:
		return min(x.profiled, 1)
	case Regularity:
		return min(x.timed, 1)
	default:
		return 1
	}
}
