package detector

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// FuzzStream mutates a stream of events: some come twice, late, from far ahead, or
// with extreme figures, control changes come in between, and the detector is
// stored and loaded again at any place. However it goes, what check demands of
// every finding holds, everything that is stored reads back as the same bytes, and
// the loads change nothing.
func FuzzStream(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add(uint64(2), []byte("the quick brown fox jumps over the lazy dog"))
	f.Add(uint64(3), bytes.Repeat([]byte{4, 200, 9, 41, 5}, 12))
	f.Add(uint64(4), bytes.Repeat([]byte{3, 30, 7}, 30))
	certified := bytes.Repeat([]byte{1}, 55) // and loaded before its next event
	certified[14], certified[28], certified[35] = 18*steps+stepAhead, 34*steps+stepControl, 2*steps+stepReload
	f.Add(uint64(8096869871376861961), certified)
	f.Fuzz(func(t *testing.T, seed uint64, plan []byte) {
		if len(plan) > 200 {
			return
		}
		plain, broken := mutated(t, seed, plan, false), mutated(t, seed, plan, true)
		if !bytes.Equal(plain.bytes(), broken.bytes()) {
			t.Error("states differ after reloads")
		}
		if !reflect.DeepEqual(plain.updates, broken.updates) {
			t.Errorf("%d updates differ from %d after reloads", len(plain.updates), len(broken.updates))
		}
	})
}

// Steps of a plan: the byte modulo steps says what, the rest how much.
const (
	stepTwice = iota
	stepLate
	stepAhead
	stepHuge
	stepHarvest
	stepControl
	stepReload
	steps
)

// mutated plays a plan over some weeks of a few apps.
func mutated(t *testing.T, seed uint64, plan []byte, reloads bool) *replay {
	r := platform(t)
	events := traffic(seed, 4, 40*(len(plan)+1), int64(len(plan)+4)*dayLength/4)
	random := rand.New(rand.NewPCG(seed, 2))
	ahead := int64(0)
	for i := range events {
		ev := events[i]
		ev.Time += ahead
		if ev.App > "a" {
			ev.Developer = "acme"
		}
		if i%40 == 39 && i/40 < len(plan) {
			what, much := plan[i/40]%steps, plan[i/40]/steps
			switch what {
			case stepTwice:
				r.observe(&ev)
			case stepLate:
				ev.Time -= int64(much) * dayLength / 4
			case stepAhead:
				ahead += int64(much) * int64(much) * dayLength / 8
			case stepHuge:
				ev.Records, ev.Missed = math.MaxUint64>>(much%60), math.MaxUint32>>(much%30)
			case stepHarvest:
				for range int(much) * 200 {
					ev.Disclosed = append(ev.Disclosed, random.Uint64())
				}
			case stepControl:
				r.apply(control(much, ev.Time))
			case stepReload:
				if reloads {
					r.reload()
				}
			}
		}
		r.observe(&ev)
	}
	r.advance(r.newest + 9*dayLength)
	r.reload() // everything must read back
	return r
}

// control is some control change about an app, at a time or so.
func control(much byte, at int64) memberwatch.Change {
	now, app := time.Unix(0, at), memberwatch.AppID('a'+rune(much%4))
	switch much / 4 % 6 {
	case 0:
		return memberwatch.Change{Exclusion: &memberwatch.Exclusion{ID: "x", App: app, Since: at - 9*dayLength, Until: at + dayLength, Withdrawn: much > 30}}
	case 1:
		return memberwatch.Change{Restriction: &memberwatch.Restriction{ID: "r2", Endpoint: "/members", Apps: []memberwatch.AppID{app}, Effective: now}}
	case 2:
		return memberwatch.Change{App: &memberwatch.App{ID: app, Category: "crm", Certified: now, Purposes: []memberwatch.Purpose{{Class: "profile_name"}}}}
	case 3:
		return memberwatch.Change{Attestation: &memberwatch.Attestation{App: app, Time: now.AddDate(0, 0, -1)}}
	case 4:
		return memberwatch.Change{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{memberwatch.MemberID(much)}, Withdrawn: much > 40}}
	default:
		return memberwatch.Change{App: &memberwatch.App{ID: app, Expires: now, Purposes: []memberwatch.Purpose{{Class: "other"}}}}
	}
}

// clumsy finds what nobody would say: nothing at all, an interval from nothing to
// nothing, decimals that are none, several of one, none of many.
var clumsy = regexp.MustCompile(`^$|\b0–0([^.]|$)|\.0\b| -0|NaN|Inf|,,|first 1 |\b1 (calls|days|apps|ids|members)\b`)

// sound tells what of a finding is out of bounds, if anything.
func sound(f *memberwatch.Finding) (what string) {
	finite := func(name string, numbers ...float64) {
		for _, n := range numbers {
			if math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
				what = name
			}
		}
	}
	finite("the finding", f.ReturnPeriod, f.FleetFactor, f.Members.Value, f.Members.Low, f.Members.High)
	sum := 0.0
	for _, x := range f.Factors {
		finite(x.Feature, x.Observed, x.Expected, x.Low, x.High, x.P, x.ReturnPeriod, x.Share, x.Peers)
		sum += x.Share
		if x.P > 1 || x.P == 0 && x.ReturnPeriod > 0 || x.Peers > 1 {
			what = "p or peers of " + x.Feature
		}
		if x.Low > x.Expected || x.High < x.Expected {
			what = "the interval of " + x.Feature
		}
	}
	for _, x := range f.Influences {
		finite(x.Name, x.Share, x.Without, x.P)
		if x.Share > 1 || x.P > 1 {
			what = "influence of " + x.Name
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		what = "the sum of shares"
	}
	words := append([]string{f.Sentence}, f.Caveats...)
	for _, x := range f.Factors {
		words = append(words, x.Text)
	}
	if f.Severity == memberwatch.SeverityUnspecified || slices.ContainsFunc(words, clumsy.MatchString) {
		what = "severity or words"
	}
	return what
}
