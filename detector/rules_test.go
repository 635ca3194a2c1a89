package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// TestCanariesAreExact: every canary is found, nobody else, also after some are
// withdrawn.
func TestCanariesAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 63, 5000} {
		var c canaries
		all := make([]memberwatch.MemberID, n)
		planted := make(map[uint64]bool)
		for i := range all {
			all[i] = memberwatch.MemberID(rng.Uint64())
			planted[uint64(all[i])] = true
		}
		c.apply(&memberwatch.Canaries{Members: all})
		c.apply(&memberwatch.Canaries{Members: all[:n/2], Withdrawn: true})
		for i, m := range all {
			if c.has(uint64(m)) != (i >= n/2) {
				t.Fatalf("%d canaries: number %d is one: %v", n, i, i < n/2)
			}
		}
		filtered := 0
		for range 10_000 {
			m := rng.Uint64()
			place := spread(m) >> c.shift
			if c.filter[place/64]&(1<<(place%64)) != 0 {
				filtered++
			}
			if c.has(m) && !planted[m] {
				t.Fatalf("%d canaries: a stranger is one", n)
			}
		}
		if filtered > 300 {
			t.Errorf("%d canaries: %d of 10,000 members need a look into the set, want at most 300", n, filtered)
		}
	}
}

// TestLateEventsMeetTheRules: an event that no window takes still raises.
func TestLateEventsMeetTheRules(t *testing.T) {
	r := newReplay(t, DefaultConfig())
	r.apply(memberwatch.Change{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{9}}})
	r.apply(memberwatch.Change{App: &memberwatch.App{ID: "a", Purposes: []memberwatch.Purpose{{Class: "x"}}}})
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixNano()
	r.observe(&memberwatch.Event{App: "a", Time: at, DataClasses: []string{"x"}, Disclosed: []uint64{1}})
	r.observe(&memberwatch.Event{App: "a", Time: at - 5*3600e9, DataClasses: []string{"y"}, Requested: []uint64{9}, Outcome: memberwatch.OutcomeDenied})
	r.observe(&memberwatch.Event{App: "a", Time: at - 4*3600e9, DataClasses: []string{"y"}, Disclosed: []uint64{2}})
	kinds := make(map[memberwatch.Kind]memberwatch.Severity)
	for _, s := range r.opened() {
		kinds[s.Kind] = s.Severity
	}
	want := map[memberwatch.Kind]memberwatch.Severity{memberwatch.KindCanary: memberwatch.SeverityHigh, memberwatch.KindUncertified: memberwatch.SeverityHigh}
	if len(kinds) != 2 || kinds[memberwatch.KindCanary] != want[memberwatch.KindCanary] || kinds[memberwatch.KindUncertified] != want[memberwatch.KindUncertified] {
		t.Errorf("raised %v, want %v", kinds, want)
	}
}

// TestMemberFilterErrs holds the filter against its formula, and its encoding.
func TestMemberFilterErrs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var f memberFilter
	n := 0
	for _, size := range []int{100, 10_000, 50_000, 100_000} {
		for ; n < size; n++ {
			m := rng.Uint64()
			f.add(m)
			if !f.has(m) {
				t.Fatal("a member is forgotten")
			}
		}
		wrong := 0.0
		for range 20_000 {
			if f.has(rng.Uint64()) {
				wrong++
			}
		}
		want := math.Pow(1-math.Exp(-3*float64(size)/(1<<18)), 3)
		if got := wrong / 20_000; got > 1.1*want+0.001 || got < 0.9*want-0.001 {
			t.Errorf("with %d members %.4f of strangers are taken for known, want %.4f", size, got, want)
		}
		e := codec.NewEncoder(nil, 1)
		f.encode(e)
		b, _ := e.Finish()
		var again memberFilter
		d := codec.NewDecoder(b, 1, "filter")
		again.decode(d)
		if err := d.Finish(); err != nil {
			t.Fatal(err)
		}
		for i, w := range f.words {
			if again.words[i] != w {
				t.Fatalf("with %d members word %d does not read back", size, i)
			}
		}
		if size == 100 && len(b) > 3000 {
			t.Errorf("100 members take %d bytes", len(b))
		}
	}
}

// TestKnowledgeBoundIsOne holds the bound against the exact tail of the negative
// binomial distribution, summed term by term.
func TestKnowledgeBoundIsOne(t *testing.T) {
	for _, c := range []struct{ cold, calls, asking, before float64 }{
		{5, 20, 0, 1000}, {20, 200, 0, 3000}, {40, 100, 300, 3000}, {10, 1000, 3, 3000}, {3, 10, 2, 20},
	} {
		r, p := c.asking+0.5, c.calls/(c.before+c.calls)
		term, tail := math.Pow(1-p, r), 0.0
		for k := 0.0; k < 5000; k++ {
			if k >= c.cold {
				tail += term
			}
			term *= p * (k + r) / (k + 1)
		}
		got := knowledgeBound(c.cold, c.calls, c.asking, c.before)
		if got < tail || got > 100*tail {
			t.Errorf("%+v: bound %g, exact %g", c, got, tail)
		}
	}
	if p := knowledgeBound(3, 100, 50, 100); p != 1 {
		t.Errorf("less than expected gives %g, want 1", p)
	}
}

// TestCertificationsExpireByDataClass: a class whose certification is over raises,
// the app's others do not.
func TestCertificationsExpireByDataClass(t *testing.T) {
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		class string
		after time.Duration
		want  int
	}{
		"before its end":      {"x", -time.Hour, 0},
		"after its end":       {"x", time.Hour, 1},
		"another, before":     {"y", time.Hour, 0},
		"another, after both": {"y", 48 * time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			r.apply(memberwatch.Change{App: &memberwatch.App{
				ID: "a", Expires: at.Add(24 * time.Hour), Purposes: []memberwatch.Purpose{{Class: "x", Expires: at}, {Class: "y"}},
			}})
			r.observe(&memberwatch.Event{App: "a", Time: at.Add(test.after).UnixNano(), DataClasses: []string{test.class}, Disclosed: []uint64{1}})
			expired := 0
			for _, s := range r.opened() {
				if s.Kind == memberwatch.KindExpired {
					expired++
				}
			}
			if expired != test.want {
				t.Errorf("%d signals, want %d", expired, test.want)
			}
		})
	}
}

// TestAWakingOutlastsARestart: an app wakes with a probe, and before it reads much
// its state is stored at a time when no window of it is open.
func TestAWakingOutlastsARestart(t *testing.T) {
	for name, restart := range map[string]bool{"no restart": false, "a restart": true} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixNano()
			read := func(app memberwatch.AppID, day int64, members int) {
				ev := memberwatch.Event{App: app, Time: at + day*dayLength}
				for m := range members {
					ev.Disclosed = append(ev.Disclosed, uint64(m+1))
				}
				r.observe(&ev)
			}
			read("a", 0, 1)
			read("a", 100, 1)
			read("clock", 101, 0)
			if restart {
				r.reload()
			}
			read("a", 102, 3000)
			if list := r.opened(); len(list) != 1 || list[0].Kind != memberwatch.KindDormant {
				t.Errorf("raised %v, want a dormant app that woke", list)
			}
		})
	}
}

// TestRulesWeighWhatIsDisclosed: an empty answer shows that a restriction is
// enforced, and records count as members where nobody is named.
func TestRulesWeighWhatIsDisclosed(t *testing.T) {
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		ev       memberwatch.Event
		severity memberwatch.Severity // unspecified: no signal
		says     string
	}{
		"nothing":           {memberwatch.Event{}, memberwatch.SeverityUnspecified, ""},
		"a refusal":         {memberwatch.Event{Outcome: memberwatch.OutcomeDenied, Records: 3}, memberwatch.SeverityUnspecified, ""},
		"members":           {memberwatch.Event{Disclosed: []uint64{1, 2}}, memberwatch.SeverityHigh, "disclosing 2 distinct members in an hour"},
		"a few records":     {memberwatch.Event{Records: 3}, memberwatch.SeverityHigh, "disclosing 3 records of members not named in an hour"},
		"a million records": {memberwatch.Event{Records: 1e6}, memberwatch.SeverityCritical, "disclosing 1,000,000 records of members not named in an hour"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			r.apply(memberwatch.Change{Restriction: &memberwatch.Restriction{ID: "r", Class: "x", Effective: at}})
			test.ev.App, test.ev.Time, test.ev.DataClasses = "a", at.UnixNano(), []string{"x"}
			r.observe(&test.ev)
			var got memberwatch.Signal
			for _, got = range r.opened() {
			}
			if got.Severity != test.severity || !strings.HasSuffix(got.Sentence, test.says) {
				t.Errorf("%v: %q, want %v: %q", got.Severity, got.Sentence, test.severity, test.says)
			}
		})
	}
}

// TestEveryRestrictionBrokenIsTold, at its time, whatever was asked about before.
func TestEveryRestrictionBrokenIsTold(t *testing.T) {
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	e := New(DefaultConfig())
	for i, r := range []memberwatch.Restriction{
		{ID: "class", Class: "x", Effective: at, Grace: time.Hour},
		{ID: "endpoint", Endpoint: "/e", Effective: at.Add(2 * time.Hour)},
		{ID: "lifted", Class: "x", Effective: at, Lifted: at.Add(2 * time.Hour)},
		{ID: "other", Class: "y", Effective: at},
	} {
		e.Apply(&memberwatch.Change{Revision: int64(i + 1), Restriction: &r})
	}
	for _, step := range []struct {
		after time.Duration
		want  []memberwatch.RestrictionID
	}{
		{3 * time.Hour, []memberwatch.RestrictionID{"class", "endpoint"}},
		{-time.Nanosecond, nil},
		{time.Hour, []memberwatch.RestrictionID{"class", "lifted"}},
		{0, []memberwatch.RestrictionID{"lifted"}},
		{2 * time.Hour, []memberwatch.RestrictionID{"class", "endpoint"}},
	} {
		s := NewState("a", "")
		ev := memberwatch.Event{App: "a", Endpoint: "/e", DataClasses: []string{"x"}, Disclosed: []uint64{1}}
		for _, ev.Time = range []int64{at.UnixNano(), at.Add(step.after).UnixNano()} {
			s.episodes = nil
			e.TakeUpdates()
			e.Observe(s, &ev, true)
		}
		var told []memberwatch.RestrictionID
		for _, u := range e.TakeUpdates() {
			told = append(told, u.Finding.Restriction)
		}
		if !slices.Equal(told, step.want) {
			t.Errorf("%v after: told of %q, want %q", step.after, told, step.want)
		}
	}
}

// TestSignalsNameTheDeclaredDeveloper, also if the app was sold or declared after its
// first event.
func TestSignalsNameTheDeclaredDeveloper(t *testing.T) {
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixNano()
	for name, test := range map[string]struct{ first, declared, want memberwatch.DeveloperID }{
		"sold":           {"old", "new", "new"},
		"declared later": {"", "new", "new"},
		"not declared":   {"old", "", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, DefaultConfig())
			r.apply(memberwatch.Change{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{99}}})
			r.observe(&memberwatch.Event{App: "a", Developer: test.first, Time: at, Disclosed: []uint64{1}})
			r.apply(memberwatch.Change{App: &memberwatch.App{ID: "a", Developer: test.declared}})
			r.observe(&memberwatch.Event{App: "a", Developer: test.first, Time: at + 1, Disclosed: []uint64{99}})
			if list := r.updates; len(list) != 1 || list[0].Signal.Developer != test.want || list[0].Finding.Basis.Developer != test.want {
				t.Errorf("raised %+v, want one that names %q", list, test.want)
			}
		})
	}
}
