package detector

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
)

// FuzzStream mutates a stream of events: some come twice, late, from far ahead, with
// extreme figures, odd names or at odd times, control changes of every kind come in
// between, and the detector is stored and loaded again at any place. However it goes,
// what check demands of every finding holds, everything that is stored reads back as
// the same bytes, and neither the loads nor the batches in which events are observed
// change anything.
func FuzzStream(f *testing.F) {
	f.Add(uint64(1), []byte{0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 3, 7, 4, 7, 5})
	f.Add(uint64(2), []byte("the quick brown fox jumps over the lazy dog"))
	f.Add(uint64(3), bytes.Repeat([]byte{stepHarvest, 0, stepHarvest, 20, stepDouble, 9, stepReload, 5, stepOdd, 77}, 8))
	f.Add(uint64(4), bytes.Repeat([]byte{stepHuge, 0, stepControl, 3, stepHuge, 7, stepControl, 41}, 13))
	certified := bytes.Repeat([]byte{stepLate, 0}, 55) // and loaded before its next event
	copy(certified[2*14:], []byte{stepAhead, 18})
	copy(certified[2*28:], []byte{stepControl, 10})
	copy(certified[2*35:], []byte{stepReload, 2})
	f.Add(uint64(8096869871376861961), certified)
	f.Fuzz(func(t *testing.T, seed uint64, plan []byte) {
		if len(plan) > 120 { // an engine for fuzzing gives up on what takes ten seconds
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

// Steps of a plan: of each pair of bytes the first, modulo steps, says what, the other
// how much.
const (
	stepDouble = iota
	stepLate
	stepAhead
	stepHuge
	stepHarvest
	stepControl
	stepReload
	stepOdd
	steps
)

// eventsOfStep is how many events come for each step.
const eventsOfStep = 40

// mutated plays a plan over some weeks of a few apps. Broken, it is reloaded where the
// plan says so, and events are observed in batches as long as windows allow.
func mutated(t *testing.T, seed uint64, plan []byte, broken bool) *replay {
	r := platform(t)
	r.batches = broken
	n := len(plan) / 2
	events := traffic(seed, 4, eventsOfStep*(n+1), int64(n+4)*dayLength/4)
	random := rand.New(rand.NewPCG(seed, 2))
	ahead := int64(0)
	for i := range events {
		ev := events[i]
		ev.Time += ahead
		if ev.App > "a" {
			ev.Developer = "acme"
		}
		if at := i / eventsOfStep; i%eventsOfStep == eventsOfStep-1 && at < n {
			what, much := plan[2*at]%steps, plan[2*at+1]
			switch what {
			case stepDouble:
				r.observe(&ev)
			case stepLate:
				ev.Time -= int64(much) * dayLength / 4
			case stepAhead:
				if leap := int64(much % 32); ahead < 120*dayLength { // each day is some work
					ahead += leap * leap * dayLength / 8
				}
			case stepHuge:
				ev.Records, ev.Missed = math.MaxUint64>>(much%60), math.MaxUint32>>(much%30)
			case stepHarvest:
				for range int(much%64) * 200 {
					ev.Disclosed = append(ev.Disclosed, random.Uint64())
				}
			case stepControl:
				r.apply(control(much, ev.Time))
			case stepReload:
				if broken {
					r.reload()
				}
			case stepOdd:
				odd(&ev, much)
			}
		}
		r.observe(&ev)
	}
	r.flush()
	r.advance(r.newest + 9*dayLength)
	r.reload() // everything must read back
	return r
}

// odd makes an event such as no honest gateway would send, and yet a valid one.
func odd(ev *memberwatch.Event, much byte) {
	switch much % 12 {
	case 0:
		*ev = memberwatch.Event{App: ev.App, Time: ev.Time}
	case 1:
		ev.Time -= ev.Time % dayLength // on the stroke of midnight
	case 2:
		ev.Time -= ev.Time%dayLength + 1
	case 3:
		ev.Disclosed, ev.Requested = nil, slices.Repeat([]uint64{0, math.MaxUint64, 6}, 50)
	case 4:
		ev.Disclosed = slices.Repeat([]uint64{math.MaxUint64}, 100)
	case 5:
		for i := range 31 {
			ev.DataClasses = append(ev.DataClasses, fmt.Sprint("class-", int(much)*i))
		}
	case 6:
		ev.DataClasses = []string{"", "", "profile_name", "profile_name"}
	case 7:
		ev.Endpoint, ev.Network, ev.Credential, ev.Group = strings.Repeat("e", 256), strings.Repeat("n", 256), "\xff\x00", strings.Repeat("g", 256)
	case 8:
		ev.Actor, ev.Outcome = math.MaxUint64, memberwatch.OutcomeThrottled
	case 9:
		ev.App = memberwatch.AppID(fmt.Sprint("app-", much)) // known to nobody
	case 10:
		ev.Developer = memberwatch.DeveloperID(fmt.Sprint("dev-", much))
	default:
		ev.Endpoint = fmt.Sprint("/", much)
		ev.Actor, ev.Missed, ev.Outcome = 0, math.MaxUint32, memberwatch.OutcomeDenied
	}
}

// control is some control change about an app, at a time or so.
func control(much byte, at int64) memberwatch.Change {
	now, app := time.Unix(0, at), memberwatch.AppID('a'+rune(much%4))
	switch much / 4 % 10 {
	case 0:
		return memberwatch.Change{Exclusion: &memberwatch.Exclusion{ID: "x", App: app, Since: at - 9*dayLength, Until: at + dayLength, Withdrawn: much > 128}}
	case 1:
		return memberwatch.Change{Restriction: &memberwatch.Restriction{ID: "r2", Endpoint: "/members", Apps: []memberwatch.AppID{app}, Effective: now}}
	case 2:
		return memberwatch.Change{App: &memberwatch.App{ID: app, Category: "crm", Certified: now, Purposes: []memberwatch.Purpose{{Class: "profile_name"}}}}
	case 3:
		return memberwatch.Change{Attestation: &memberwatch.Attestation{App: app, Time: now.AddDate(0, 0, -1)}}
	case 4:
		return memberwatch.Change{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{memberwatch.MemberID(much)}, Withdrawn: much > 128}}
	case 5:
		return memberwatch.Change{App: &memberwatch.App{ID: app, Expires: now, Purposes: []memberwatch.Purpose{{Class: "other"}}}}
	case 6:
		return memberwatch.Change{Exclusion: &memberwatch.Exclusion{ID: "y", Developer: "acme", Since: at - 30*dayLength, Until: at, Withdrawn: much > 128}}
	case 7:
		return memberwatch.Change{Restriction: &memberwatch.Restriction{ID: "r", Class: "profile_name", Exempt: []memberwatch.AppID{app}, Effective: now.AddDate(0, 0, -3), Grace: time.Hour, Lifted: now}}
	case 8:
		return memberwatch.Change{App: &memberwatch.App{ID: app, Developer: "acme", Admins: int64(much) * 1000, Installs: 1, Purposes: []memberwatch.Purpose{{Class: "profile_name", Expires: now}}}}
	default:
		return memberwatch.Change{Tuning: &memberwatch.Tuning{
			Budget: 14 * float64(much), Weights: map[string]float64{"reach": 0.5}, Shadow: []memberwatch.Kind{memberwatch.KindNovelty, memberwatch.KindCanary}, From: now.AddDate(0, 0, 2),
		}}
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
