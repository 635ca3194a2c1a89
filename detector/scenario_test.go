package detector

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/memberwatch/memberwatch"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the want section of testdata/*.txtar")

// TestScenarios plays the files of testdata. Each says in words what apps do and
// shows, as it was reviewed, what the detector made of it: the members an app
// read each day as a sparkline, and the signals.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil || len(archive.Files) != 2 {
				t.Fatalf("%s: want a scenario and a want section: %v", file, err)
			}
			got := play(t, string(archive.Files[0].Data))
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(archive.Files[1].Data); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// play runs a scenario and draws what came out.
func play(t *testing.T, text string) string {
	p := &script{t: t, days: 30, start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), replay: newReplay(t, DefaultConfig())}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p.read(line)
		}
	}
	p.run()
	return p.draw()
}

// script is a parsed scenario.
type script struct {
	t       *testing.T
	start   time.Time
	days    int
	apps    []*actor
	acts    []act
	surges  []act
	replay  *replay
	reached map[memberwatch.AppID][]float64
}

// actor is an app with its ordinary life.
type actor struct {
	name            string
	rate            float64 // members an hour
	actors, people  int
	from, to        int // hours of day
	weekdays, shown bool
	class           string
	first, last     int // days
	developer       string
	network         string
	moves           int // day from which on it calls from there
	rng             *rand.Rand
}

// act is something an app does beside its ordinary life.
type act struct {
	app, developer    string
	at, end           time.Duration
	rate              float64 // members a minute
	growth            float64 // of the rate, each day
	actors            int
	people            int
	misses            float64
	class             string
	byID              bool   // it names whom it reads
	network, endpoint string // empty: as ever
}

var (
	daysLine  = regexp.MustCompile(`^(\d+) days$`)
	fleetLine = regexp.MustCompile(`^fleet of (\d+) apps: ([\d.]+) members/h by (\d+) actors$`)
	appLine   = regexp.MustCompile(`^app (\S+): ([\d.]+) members/h by (\d+) actors of (\d+) people(?:, (\d+)-(\d+) h)?(?:, (weekdays))?(?:, class (\S+))?(?:, days (\d+)-(\d+))?(?:, of (\S+))?(?:, on (\S+))?$`)
	moveLine  = regexp.MustCompile(`^day (\d+): (\S+) moves to network (\S+)$`)
	actLine   = regexp.MustCompile(`^day (\d+) (\d\d):(\d\d) (\S+) reads ([\d.]+) members/min for (\d+[mh]|\d+ days) by (\d+) actors of (\d+) people(?:, missing (\d+) %)?(?:, class (\S+))?(?:, growing (\d+) % a day)?(, asking by id)?(?:, from (\S+))?(?:, at (\S+))?$`)
	surgeLine = regexp.MustCompile(`^day (\d+) (\d\d):(\d\d) everybody reads ([\d.]+) times as much for (\d+[mh])$`)
	dutyLine  = regexp.MustCompile(`^(\S+) is certified for (.+?)(?: from day (\d+))?(?: until day (\d+))?$`)
	baitLine  = regexp.MustCompile(`^person (\d+) of (\S+) is a canary$`)
	oathLine  = regexp.MustCompile(`^day (\d+): (\S+) attests that all is deleted$`)
	banLine   = regexp.MustCompile(`^day (\d+): class (\S+) is restricted, grace (\d+) days(?:, except (\S+))?$`)
)

func (p *script) read(line string) {
	if m := daysLine.FindStringSubmatch(line); m != nil {
		p.days = p.int(m[1])
		return
	}
	if m := fleetLine.FindStringSubmatch(line); m != nil {
		for i := range p.int(m[1]) {
			p.add(&actor{name: fmt.Sprintf("fleet-%03d", i), rate: p.float(m[2]) * math.Exp2(float64(i%5-2)), actors: p.int(m[3]), people: 20_000, to: 24, last: 1 << 20, class: "profile_name"})
		}
		return
	}
	if m := appLine.FindStringSubmatch(line); m != nil {
		a := &actor{name: m[1], rate: p.float(m[2]), actors: p.int(m[3]), people: p.int(m[4]), to: 24, weekdays: m[7] != "", class: m[8], last: 1 << 20, shown: true}
		if m[5] != "" {
			a.from, a.to = p.int(m[5]), p.int(m[6])
		}
		if m[9] != "" {
			a.first, a.last = p.int(m[9]), p.int(m[10])
		}
		a.developer, a.network = m[11], m[12]
		p.add(a)
		return
	}
	if m := moveLine.FindStringSubmatch(line); m != nil {
		a := p.apps[slices.IndexFunc(p.apps, func(a *actor) bool { return a.name == m[2] })]
		a.network, a.moves = m[3], p.int(m[1])
		return
	}
	if m := actLine.FindStringSubmatch(line); m != nil {
		at := time.Duration(p.int(m[1]))*24*time.Hour + time.Duration(p.int(m[2]))*time.Hour + time.Duration(p.int(m[3]))*time.Minute
		length, err := time.ParseDuration(m[6])
		if err != nil {
			length = time.Duration(p.int(strings.Fields(m[6])[0])) * 24 * time.Hour
		}
		a := act{app: m[4], at: at, end: at + length, rate: p.float(m[5]), actors: p.int(m[7]), people: p.int(m[8]), class: m[10]}
		if m[9] != "" {
			a.misses = p.float(m[9]) / 100
		}
		if m[11] != "" {
			a.growth = p.float(m[11]) / 100
		}
		a.byID, a.network, a.endpoint = m[12] != "", m[13], m[14]
		p.acts = append(p.acts, a)
		return
	}
	if m := surgeLine.FindStringSubmatch(line); m != nil {
		at := time.Duration(p.int(m[1]))*24*time.Hour + time.Duration(p.int(m[2]))*time.Hour + time.Duration(p.int(m[3]))*time.Minute
		length, err := time.ParseDuration(m[5])
		if err != nil {
			p.t.Fatal(err)
		}
		p.surges = append(p.surges, act{at: at, end: at + length, rate: p.float(m[4])})
		return
	}
	if m := banLine.FindStringSubmatch(line); m != nil {
		r := memberwatch.Restriction{
			ID: memberwatch.RestrictionID("no-" + m[2]), Class: memberwatch.DataClass(m[2]),
			Effective: p.start.AddDate(0, 0, p.int(m[1])), Grace: time.Duration(p.int(m[3])) * 24 * time.Hour,
		}
		if m[4] != "" {
			r.Exempt = []memberwatch.AppID{memberwatch.AppID(m[4])}
		}
		p.replay.apply(memberwatch.Change{Restriction: &r})
		return
	}
	if !p.declare(line) {
		p.t.Fatalf("scenario: cannot read %q", line)
	}
}

// declare reads what the platform says of an app and its members.
func (p *script) declare(line string) bool {
	if m := dutyLine.FindStringSubmatch(line); m != nil {
		app := memberwatch.App{ID: memberwatch.AppID(m[1])}
		for class := range strings.SplitSeq(m[2], " and ") {
			app.Purposes = append(app.Purposes, memberwatch.Purpose{Class: memberwatch.DataClass(class), Purpose: "its users ask for it"})
		}
		if m[3] != "" {
			app.Certified = p.start.AddDate(0, 0, p.int(m[3]))
		}
		if m[4] != "" {
			app.Expires = p.start.AddDate(0, 0, p.int(m[4]))
		}
		p.replay.apply(memberwatch.Change{App: &app})
		return true
	}
	if m := baitLine.FindStringSubmatch(line); m != nil {
		member := memberwatch.MemberID(hashName(m[2]) + uint64(p.int(m[1])))
		p.replay.apply(memberwatch.Change{Canaries: &memberwatch.Canaries{Members: []memberwatch.MemberID{member}}})
		return true
	}
	if m := oathLine.FindStringSubmatch(line); m != nil {
		p.replay.apply(memberwatch.Change{Attestation: &memberwatch.Attestation{App: memberwatch.AppID(m[2]), Time: p.start.AddDate(0, 0, p.int(m[1]))}})
		return true
	}
	return false
}

func (p *script) int(s string) int {
	v, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *script) float(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *script) add(a *actor) {
	a.rng = rand.New(rand.NewPCG(7, hashName(a.name)))
	p.apps = append(p.apps, a)
}

// run feeds the events minute by minute, in the order of the apps.
func (p *script) run() {
	p.reached = map[memberwatch.AppID][]float64{}
	p.replay.onClose = func(s *State, w memberwatch.Window) {
		if w.Scale == memberwatch.Day && s.openAt(w) != nil {
			row := p.reached[s.App]
			day := int((w.Start - p.start.UnixNano()) / memberwatch.Day.Length())
			for len(row) <= day {
				row = append(row, 0)
			}
			row[day] = s.openAt(w).members.Estimate()
			p.reached[s.App] = row
		}
	}
	for minute := range p.days * 24 * 60 {
		at := time.Duration(minute) * time.Minute
		for i, a := range p.apps { // everybody calls once in five minutes
			if minute%5 == i%5 {
				p.ordinary(a, at)
			}
		}
		for i := range p.acts {
			if a := &p.acts[i]; at >= a.at && at < a.end {
				p.extra(a, at)
			}
		}
	}
	p.replay.advance(p.start.AddDate(0, 0, p.days).UnixNano())
}

// ordinary gives an app's calls of a minute: gamma-Poisson around its rate.
func (p *script) ordinary(a *actor, at time.Duration) {
	day, hour := int(at.Hours())/24, int(at.Hours())%24
	weekend := day%7 >= 5
	if day < a.first || day >= a.last || hour < a.from || hour >= a.to || a.weekdays && weekend {
		return
	}
	mean := a.rate / 12 * (0.7 + 0.6*a.rng.Float64())
	for _, s := range p.surges {
		if at >= s.at && at < s.end {
			mean *= s.rate
		}
	}
	n := poisson(a.rng, mean)
	if n == 0 {
		return
	}
	by := act{app: a.name, developer: a.developer, actors: a.actors, people: a.people, class: a.class}
	if day >= a.moves {
		by.network = a.network
	}
	p.call(at, &by, n, 0, a.rng)
}

func (p *script) extra(a *act, at time.Duration) {
	owner := p.apps[slices.IndexFunc(p.apps, func(o *actor) bool { return o.name == a.app })]
	days := (at - a.at).Hours() / 24
	n := poisson(owner.rng, a.rate*math.Pow(1+a.growth, days))
	if n == 0 {
		return
	}
	missed := int(float64(n) * a.misses)
	by := *a
	by.developer = owner.developer
	p.call(at, &by, n-missed, missed, owner.rng)
}

// call makes one event. Members come from the app's people; an act with other
// people than the app's own reaches members it never saw.
func (p *script) call(at time.Duration, a *act, n, missed int, rng *rand.Rand) {
	ev := memberwatch.Event{
		App: memberwatch.AppID(a.app), Developer: memberwatch.DeveloperID(a.developer), Time: p.start.Add(at).UnixNano() + rng.Int64N(int64(time.Minute)),
		Missed: uint32(missed), Group: fmt.Sprint("g", rng.IntN(5)), Outcome: memberwatch.OutcomeOK,
	}
	if a.class != "" {
		ev.DataClasses = strings.Split(a.class, "+")
	}
	if a.actors > 0 {
		ev.Actor = hashName(a.app) + uint64(rng.IntN(a.actors)) + 1
	}
	for range n {
		ev.Disclosed = append(ev.Disclosed, hashName(a.app)+uint64(rng.IntN(a.people)))
	}
	ev.Network, ev.Endpoint = cmp.Or(a.network, "home"), cmp.Or(a.endpoint, "/members")
	if a.byID {
		ev.Requested = ev.Disclosed
	}
	p.replay.observe(&ev)
}

// poisson draws a count by Knuth's product, or a rounded normal above 30.
func poisson(rng *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())), 0)
	}
	n, product := 0, rng.Float64()
	for limit := math.Exp(-mean); product > limit; n++ {
		product *= rng.Float64()
	}
	return n
}

var bars = []rune("▁▂▃▄▅▆▇█")

// draw shows what came out.
func (p *script) draw() string {
	var b strings.Builder
	for _, a := range p.apps {
		if !a.shown {
			continue
		}
		row := p.reached[memberwatch.AppID(a.name)]
		top := slices.Max(append([]float64{1}, row...))
		fmt.Fprintf(&b, "%-10s ", a.name)
		for _, v := range row {
			b.WriteRune(bars[int(math.Round(v/top*7))])
		}
		fmt.Fprintf(&b, " most %s members a day\n", number(top))
	}
	for _, s := range p.replay.opened() {
		fmt.Fprintf(&b, "signal %s %s %s: %s\n", p.when(s.Opened), s.Kind, s.Severity, s.Sentence)
		state := "open"
		if !s.Open() {
			state = "ended " + p.when(s.Ended)
		}
		fmt.Fprintf(&b, "  %d findings, %s; once in %s app-days", s.Occurrences, state, number(math.Round(s.Strongest.ReturnPeriod)))
		for _, c := range s.Strongest.Caveats {
			fmt.Fprintf(&b, "; %s", c)
		}
		b.WriteByte('\n')
		for _, x := range s.Strongest.Influences {
			fmt.Fprintf(&b, "  %s\n", x.Text)
		}
	}
	if len(p.replay.order) == 0 {
		b.WriteString("no signal\n")
	}
	return b.String()
}

func (p *script) when(t int64) string {
	d := time.Duration(t - p.start.UnixNano()).Truncate(time.Minute)
	return fmt.Sprintf("day %d %02d:%02d", int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60)
}
