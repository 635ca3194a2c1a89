package scenario

import (
	"fmt"
	"math"
	"strings"
)

// Members are numbers 0 to members-1 inside the simulator and keyed hashes in
// its events. Above them lie numbers nobody has: ids that were never given out,
// canaries and test members.
const (
	testMembers = uint64(1) << 40
	canaries    = uint64(1) << 41
	nobody      = uint64(1) << 42
)

// groupChurn is the share of a group's members that is replaced each day.
// Its value is ours: about one in nine over a month.
const groupChurn = 0.004

// groupNameBytes is the fixed length of a group's name.
const groupNameBytes = 8

// population is the platform's people. Who is in a group is computed, not
// stored: the member at a rank of a group is a hash of both, and a day's group
// is a window of ranks that moves on as members come and go.
type population struct {
	key     uint64
	members uint64
	sizes   []uint32
	names   string // all group names in a row
}

func newPopulation(seed uint64, members, groups int) *population {
	p := &population{key: key(seed, 1), members: uint64(members), sizes: make([]uint32, groups)}
	var names strings.Builder
	names.Grow(groups * groupNameBytes)
	for g := range p.sizes {
		// Zipf sizes: the largest holds 2 % of all members, the median about ten.
		size := float64(members) / 50 * math.Pow(float64(g+1), -0.8)
		p.sizes[g] = uint32(max(size, 8))
		fmt.Fprintf(&names, "g%07d", g)
	}
	p.names = names.String()
	return p
}

// hash returns what events carry instead of a member's number.
func (p *population) hash(member uint64) uint64 { return mix(member ^ p.key) }

// group returns a group's name.
func (p *population) group(g uint64) string {
	return p.names[g*groupNameBytes : (g+1)*groupNameBytes]
}

// anyGroup returns the group a uniform value falls on. Managed groups are
// larger than groups at large, hence the cube.
func (p *population) anyGroup(x uint64) uint64 {
	u := unit(x)
	return uint64(u * u * u * float64(len(p.sizes)))
}

// at returns the member at a rank of a list, such as a group or somebody's
// friends.
func (p *population) at(list, rank uint64) uint64 {
	return scaled(mix(list^rank*0xd1342543de82ef95), p.members)
}

// groupList returns the key of a group's list for at.
func (p *population) groupList(g uint64) uint64 { return mix(p.key ^ g<<1) }

// firstRank returns the rank at which a group's list begins on a day.
func firstRank(size uint64, day float64) uint64 { return uint64(groupChurn * day * float64(size)) }
