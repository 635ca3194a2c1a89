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
	Breadth                        // distinct groups touched
	Misses                         // asked-for ids that did not exist
	Denials                        // calls refused, for lack of permission or for their rate
	ReachPerActor                  // distinct members for each acting user
	RecordsPerActor                // records for each acting user
	Features                       // how many there are
)

// counts is the number of features that are plain counts.
const counts = ReachPerActor

var featureNames = [Features]string{
	"reach", "records", "new_members", "groups", "misses", "denials", "reach_per_actor", "records_per_actor",
}

// featureWords completes "read …" for people.
var featureWords = [Features]string{
	"distinct members", "member records", "members never read before", "groups",
	"missed look-ups", "refused calls", "distinct members per acting user", "member records per acting user",
}

// String returns the feature's name as it appears in factors.
func (f Feature) String() string { return featureNames[f] }

func (f Feature) perActor() bool { return f >= ReachPerActor }

// numerator is the count whose sampling noise a ratio carries.
func (f Feature) numerator() Feature {
	switch f {
	case ReachPerActor:
		return Reach
	case RecordsPerActor:
		return Records
	default:
		return f
	}
}

// kind maps a feature and stream to the kind of signal it raises.
func (f Feature) kind(stream streamID) memberwatch.Kind {
	slow := stream == daySlow
	switch f {
	case ReachPerActor, RecordsPerActor:
		if slow {
			return memberwatch.KindPerActorSlow
		}
		return memberwatch.KindPerActorBurst
	case Novelty:
		return memberwatch.KindNovelty
	case Breadth:
		return memberwatch.KindBreadth
	case Misses:
		return memberwatch.KindEnumeration
	case Denials:
		return memberwatch.KindDenials
	default:
		if slow {
			return memberwatch.KindVolumeSlow
		}
		return memberwatch.KindVolumeBurst
	}
}

// values holds the features of one window with the number of acting users.
type values struct {
	v      [Features]float64
	actors float64
}

// derive fills the per-actor features from the counts. Without a known actor
// they stay zero and are not tested.
func (x *values) derive() {
	if x.actors < 1 {
		return
	}
	x.v[ReachPerActor] = x.v[Reach] / x.actors
	x.v[RecordsPerActor] = x.v[Records] / x.actors
}
