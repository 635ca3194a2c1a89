package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/sketch"
)

// distinct is a sketch's count with its interval.
func distinct(d *sketch.Distinct) memberwatch.Estimate {
	low, high := d.Interval()
	return memberwatch.Estimate{Value: d.Estimate(), Low: low, High: high}
}

// atMost widens an estimate of members that were named by records that name nobody:
// so many more people they may be about, and nobody knows how many are among those.
func atMost(named memberwatch.Estimate, unnamed uint64) memberwatch.Estimate {
	named.High += float64(unnamed)
	return named
}

// exposed estimates how many members a window's calls were about.
func (w *window) exposed() memberwatch.Estimate {
	return atMost(distinct(&w.members), w.records-w.listed)
}

// openValues reads off an open window what every finding about it tells.
func (w *window) openValues() values {
	var x values
	x.v[Reach], x.actors, x.disclosed = w.value(Reach), w.actors.Estimate(), float64(w.disclosed)
	return x
}

// raiseOpen raises a provisional finding of an open window about one of its values.
func (e *Engine) raiseOpen(s *State, w *window, f Feature, x values, now int64) {
	stream := burstOf(w.Scale)
	x.derive()
	cal := e.calibration(dayOf(w.Start))
	t, ok := s.test(cal, stream, f, w.Window, &x, nil)
	if !ok {
		return
	}
	p := pending{
		Window: w.Window, values: x, members: w.exposed(), days: s.days(), through: cal.Through,
		total: w.totals(), pieces: s.piecesOf(w),
	}
	if f == ClassShift {
		p.sets = s.mix.newSets(w.sets, p.pieces)
	}
	open := trial{comparison: t, factor: cal.word(f, stream), weight: e.on(w.Start).weight(s, f, stream), crossed: true}
	e.raise(s, "", e.ground(s, &judged{kind: f.kind(stream), raised: now, pending: p, ready: e.cfg.ReadyDays, trials: []trial{open}, cal: cal}))
}

// judgedFinding words the verdicts of one kind in one window.
func judgedFinding(p *pending, kind memberwatch.Kind, all []verdict, ready int32) memberwatch.Finding {
	slices.SortStableFunc(all, func(a, b verdict) int {
		return cmp.Or(-compareBool(a.hit, b.hit), cmp.Compare(b.period, a.period), cmp.Compare(a.feature, b.feature))
	})
	top := all[0]
	stream := memberwatch.StreamBurst
	if top.stream == daySlow {
		stream = memberwatch.StreamSlow
	}
	f := memberwatch.Finding{
		Kind: kind, Window: p.Window, Time: p.End() - 1, Stream: stream, ReturnPeriod: top.period,
		FleetFactor: top.factor, Members: p.members, Factors: factors(p, reasons(all)),
	}
	f.Sentence = p.prefix + sentence(p, top)
	if top.feature == Displaced {
		f.Restriction = p.rule
	}
	f.Caveats = caveats(p, top, ready)
	return f
}

// reasons are the verdicts that a finding tells: the strongest, and those beside it
// that are not ordinary.
func reasons(all []verdict) []verdict {
	told := slices.Clone(all[:1])
	for _, v := range all[1:] {
		if v.hit || v.p <= explainedP {
			told = append(told, v)
		}
	}
	return told
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// factors gives each verdict its share: the part of its surprise among all.
func factors(p *pending, all []verdict) []memberwatch.Factor {
	total := 0.0
	for _, v := range all {
		total += weightOf(v)
	}
	list := make([]memberwatch.Factor, 0, len(all))
	for _, v := range all {
		share := 1 / float64(len(all))
		if total > 0 {
			share = weightOf(v) / total
		}
		observed, text := p.values.v[v.feature], v.lasting()
		switch {
		case v.peers.part == 1:
			text += ", more than on any day of apps like it"
		case v.peers.part >= 0.5:
			text += fmt.Sprintf(", more than on %g %% of the days of apps like it", math.Floor(1000*v.peers.part)/10)
		}
		if v.feature == ClassShift {
			text += p.ofClasses()
		}
		list = append(list, memberwatch.Factor{
			Feature: v.feature.String(), Observed: observed, Expected: v.mid, Low: v.low, High: v.high,
			P: v.p, ReturnPeriod: v.period, Share: share, Peers: v.peers.part,
			Text: fmt.Sprintf("%s %s, expected %s%s", number(observed), strings.TrimSuffix(featureWords[v.feature], ","), span(v.low, v.high), text),
		})
	}
	slices.SortStableFunc(list, func(a, b memberwatch.Factor) int { return cmp.Compare(b.Share, a.Share) })
	settle(list)
	return list
}

// mostPeriod is the longest return period anybody is told: beyond a million
// app-years a figure is arithmetic, not experience.
const mostPeriod = 1e9

// periodOf is the return period, in app-days, of a p-value in a stream.
func periodOf(p float64, stream streamID) float64 {
	return min(1/(p*stream.perDay()), mostPeriod)
}

// share gives each factor the part of its decades of surprise among all.
func share(list []memberwatch.Factor) {
	total := 0.0
	for i := range list {
		list[i].Share = -math.Log10(max(list[i].P, 1e-300)) + 1e-9
		total += list[i].Share
	}
	for i := range list {
		list[i].Share /= total
	}
	slices.SortStableFunc(list, func(a, b memberwatch.Factor) int { return cmp.Compare(b.Share, a.Share) })
	settle(list)
}

func weightOf(v verdict) float64 { return max(math.Log10(max(v.period, 1e-9))+3, 0) }

// settle gives the rounding error of the shares to the largest, so that they sum
// to exactly 1.
func settle(list []memberwatch.Factor) {
	rest := 1.0
	for i := len(list) - 1; i > 0; i-- {
		rest -= list[i].Share
	}
	if len(list) > 0 {
		list[0].Share = rest
	}
}

// sentence says in words what the strongest verdict saw.
func sentence(p *pending, top verdict) string {
	period := "in an hour"
	if p.Scale == memberwatch.Day {
		period = "in a day"
	}
	var b strings.Builder
	words := featureWords[top.feature]
	if top.feature == Displaced && p.way != "" {
		words += ", " + p.way + ","
	}
	fmt.Fprintf(&b, "%s %s %s %s, expected ", verb(top.feature), number(p.values.v[top.feature]), words, period)
	if top.stream == daySlow && top.feature != Together { // each day by itself may be ordinary
		fmt.Fprintf(&b, "about %s (%s)", number(top.mid), span(top.low, top.high))
	} else {
		b.WriteString(span(top.low, top.high))
	}
	b.WriteString(top.lasting())
	if top.feature == Displaced {
		fmt.Fprintf(&b, ": %.0f %% of what restriction %s took comes back", 100*p.moved, p.rule)
	}
	if top.feature == ClassShift {
		b.WriteString(p.ofClasses())
	}
	if top.feature.aboutMembers() {
		b.WriteString(repeats(&p.values))
	}
	if p.misses >= 0.05 {
		fmt.Fprintf(&b, "; misses %.0f %%", 100*p.misses)
	}
	return b.String()
}

// lasting says which day of a rise a verdict is about, as each by itself may be ordinary.
func (v *verdict) lasting() string {
	if v.long < 2 {
		return ""
	}
	return fmt.Sprintf(", day %d of a rise", v.long)
}

// repeats says how often a window showed each member, and which part it showed for
// the first time ever: a harvest reads each once and most anew, polling reads the same
// ones again and again.
func repeats(x *values) string {
	reach, fresh, text := x.v[Reach], x.v[Novelty], ""
	if reach == 0 {
		return ""
	}
	if fresh > 0 {
		text = fmt.Sprintf("; %.0f %% never read by it before", 100*min(fresh/reach, 1))
	}
	switch times := 100 / max(x.v[DistinctShare], 1e-9); {
	case x.v[DistinctShare] == 0: // it named nobody
		return text
	case times < 1.05:
		return text + "; each member once"
	case times < manyTimes:
		return text + fmt.Sprintf("; each member %s times on average", number(times))
	default:
		return text + fmt.Sprintf("; the same %s again and again, each %s times on average", plural(reach, "member", "members"), number(times))
	}
}

// manyTimes is how often a window shows each member where it seems to poll. Ours.
const manyTimes = 10.0

// verb is what an app does with a feature.
func verb(f Feature) string {
	switch f {
	case Misses, Denials:
		return "made"
	case MissRatio:
		return "missed"
	case Together:
		return "was"
	case ClassShift, Evenness, Regularity:
		return "scored"
	default:
		return "read"
	}
}

// caveats says what weakens a finding.
func caveats(p *pending, top verdict, ready int32) []string {
	var list []string
	if p.days < ready {
		list = append(list, fmt.Sprintf("baseline has %d of %d days", p.days, ready))
	}
	if p.lead != "" {
		list = append(list, p.lead)
	}
	if p.through == 0 {
		list = append(list, "calibration is the shipped default: the fleet has no history yet")
	}
	if top.factor > 1.5 {
		list = append(list, fmt.Sprintf("the whole population moved: discounted by %.1f", top.factor))
	}
	return list
}

// number writes a count for people: 48,213, or 3.4 below ten.
func number(v float64) string {
	if v < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// span writes what was expected: 1,100–3,900, or none.
func span(low, high float64) string {
	from, to := number(low), number(high)
	switch {
	case to == "0":
		return "none"
	case from == to:
		return to
	}
	return from + "–" + to
}

func plural(n float64, one, many string) string {
	if n == 1 {
		return number(n) + " " + one
	}
	return number(n) + " " + many
}
