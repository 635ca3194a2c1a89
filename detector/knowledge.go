package detector

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// Impossible knowledge: an app whose developer attests that all member data was
// deleted, and that then asks by id for members whom nobody has shown it since,
// has kept their ids.
//
//	an id is unknown when asked for with success in an hour and disclosed,
//	  without being asked for, in no hour from the attestation to that one
//	calls that ask for unknown ids, K of N since the attestation, beside k0 of n0
//	  calls before it that asked by id at all: K ~ NB(r = k0 + 1/2, p = N/(n0 + N))
//	P(K' >= K) <= (p (K+r)/K)^K ((1-p)(K+r)/r)^r            (Chernoff)
//
// Honest apps ask for unknown ids, too: their users type names, import address
// books, sign up. Such an app did so before, and all its asking by id then, known
// ids or not, counts as such, so the bound is on the safe side. Acting users have
// introduced themselves. Assumption: the habit of asking stays what it was. It
// lies for a release that introduces look-ups after an attestation, which a
// reviewer must rule out, and misses an app that has always looked people up, one
// that first reads its groups anew, and beyond some 100,000 members shown since
// a growing part of all (memberFilter).
// Source: the deletion certificates of 2015 that were false (I1, I3 of the
// catalogue); Chernoff, "A measure of asymptotic efficiency for tests of a
// hypothesis", 1952, applied to the gamma mixture of Poisson laws.
type attested struct {
	revision int64 // of the control change
	since    int64 // event time from which on the app must learn everything anew
	before   uint64
	asking   uint64       // of the calls before: those that asked by id
	calls    uint64       // since
	cold     float64      // of the calls since: those that asked for unknown ids
	ids      uint64       // unknown ids
	said     uint64       // of them reported; 0: the bound was never passed
	told     memberFilter // members shown in closed hours
}

// Limits of impossible knowledge.
const (
	fewestUnknown = 20   // ids before anything is said: a handful may be an accident; ours, below the catalogue's 50
	knowledgePart = 0.01 // of one false signal for each attestation; ours: attestations are rare
	promptAsked   = 64   // ids in an hour up to which each call is weighed at once, not at the close: for speed
	mostAsked     = 4096 // ids in an hour that are kept: for memory, 32 KB
)

// questions is what an app under attestation asked and was shown in a window.
type questions struct {
	asking uint64   // calls that asked by id
	asked  []uint64 // for whom, with success, sorted
	told   memberFilter
}

// attest begins to watch an app whose attestation is new. The watch starts no
// earlier than the app's newest event: what it was shown before is not known.
func (s *State) attest(a *memberwatch.Attestation) {
	if a == nil || s.attested != nil && s.attested.revision == a.Revision {
		return
	}
	s.attested = &attested{
		revision: a.Revision, since: max(a.Time.UnixNano(), s.last), before: s.events, asking: s.asking,
	}
	s.dirty |= PartHistory
}

// checkKnowledge notes whom an app under attestation asks for and whom it is
// shown, and of other apps how often they ask. A late event only teaches.
func (e *Engine) checkKnowledge(s *State, ev *memberwatch.Event, hour *window) {
	asks := ev.Outcome <= memberwatch.OutcomeOK && len(ev.Requested) > 0 && len(ev.Disclosed) > 0
	a := s.attested
	if a == nil || ev.Time < a.since {
		s.countHabit(asks)
		return
	}
	if hour == nil {
		for _, m := range ev.Disclosed {
			a.told.add(m)
		}
		s.dirty |= PartHistory
		return
	}
	if ev.Actor != 0 {
		hour.told.add(ev.Actor)
	}
	if !asks {
		for _, m := range ev.Disclosed {
			hour.told.add(m)
		}
		return
	}
	hour.asking++
	e.asked = append(e.asked[:0], ev.Requested...)
	slices.Sort(e.asked)
	for _, m := range ev.Disclosed {
		if _, asked := slices.BinarySearch(e.asked, m); asked {
			hour.ask(m)
		} else {
			hour.told.add(m)
		}
	}
	if a.said == 0 && len(hour.asked) <= promptAsked {
		e.weighKnowledge(s, hour, ev.Time)
	}
}

// countHabit counts a call before any attestation.
func (s *State) countHabit(asks bool) {
	if s.attested != nil {
		s.attested.before++
	}
	if !asks {
		return
	}
	if s.attested != nil {
		s.attested.asking++
		return
	}
	s.asking++
}

// ask notes an id that was asked for with success.
func (q *questions) ask(m uint64) {
	i, known := slices.BinarySearch(q.asked, m)
	if !known && len(q.asked) < mostAsked {
		q.asked = slices.Insert(q.asked, i, m)
	}
}

// unknown counts the ids of a window that the app cannot know, and the calls
// that asked for them: all calls that asked, in proportion.
func (a *attested) unknown(q *questions) (ids uint64, calls float64) {
	for _, m := range q.asked {
		if !a.told.has(m) && !q.told.has(m) {
			ids++
		}
	}
	if ids > 0 {
		calls = float64(q.asking) * float64(ids) / float64(len(q.asked))
	}
	return ids, calls
}

// weighKnowledge raises what passes the bound: once at once, then with each
// hour that brings more.
func (e *Engine) weighKnowledge(s *State, w *window, now int64) {
	a := s.attested
	ids, cold := a.unknown(&w.questions)
	ids, cold = a.ids+ids, a.cold+cold
	if ids < fewestUnknown || ids <= a.said {
		return
	}
	p := knowledgeBound(cold, float64(a.calls+w.calls), float64(a.asking), float64(a.before))
	if a.said == 0 && p > knowledgePart/e.on(w.Start).cfg.Budget {
		return
	}
	a.said = ids
	s.dirty |= PartHistory
	e.raise(s, "", e.ground(s, &knowing{w.Window, now, a.since, ids, a.asking, a.before, a.calls + w.calls, cold}))
}

// knowledgeBound is the Chernoff bound on so many calls for unknown ids.
func knowledgeBound(cold, calls, asking, before float64) float64 {
	r := asking + 0.5
	p := calls / (before + calls)
	if cold <= r*p/(1-p) || before == 0 {
		return 1
	}
	return math.Exp(float64(cold*math.Log(p*(cold+r)/cold)) + float64(r*math.Log((1-p)*(cold+r)/r)))
}

// knowing are the grounds of a finding about impossible knowledge.
type knowing struct {
	at             memberwatch.Window
	raised         int64 // event time
	since          int64 // event time
	ids            uint64
	asking, before uint64
	calls          uint64
	cold           float64
}

func (g *knowing) finding(float64) memberwatch.Finding {
	p := knowledgeBound(g.cold, float64(g.calls), float64(g.asking), float64(g.before))
	since := time.Unix(0, g.since).UTC().Format(time.DateOnly)
	habit := fmt.Sprintf("before, %s of %s asked by id at all", number(float64(g.asking)), plural(float64(g.before), "call", "calls"))
	text := fmt.Sprintf("%s that it was not shown since it attested on %s that all was deleted", plural(float64(g.ids), "id", "ids"), since)
	return memberwatch.Finding{
		Kind: memberwatch.KindImpossible, Window: g.at, Time: g.raised, Stream: memberwatch.StreamRule, FleetFactor: 1,
		Members: exactly(int(g.ids)), Sentence: "asked for " + text + "; " + habit,
		Factors: []memberwatch.Factor{{Feature: "unknown_ids", Observed: float64(g.ids), P: p, Share: 1, Text: text}},
		Caveats: []string{"a release since then that looks people up for its users would look alike"},
	}
}

func (g *knowing) encode(e *codec.Encoder) {
	encodeWindow(e, g.at)
	e.Int(g.raised)
	e.Int(g.since)
	for _, n := range [...]uint64{g.ids, g.asking, g.before, g.calls} {
		e.Uint(n)
	}
	e.F64(g.cold)
}

func (g *knowing) decode(d *codec.Decoder) {
	*g = knowing{decodeWindow(d), d.Int(), d.Int(), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.F64()}
}

// questionsClosed settles a closed hour of an app under attestation.
func (e *Engine) questionsClosed(s *State, w *window) {
	a := s.attested
	if a == nil || w.End() <= a.since {
		return
	}
	e.weighKnowledge(s, w, w.End()-1)
	ids, cold := a.unknown(&w.questions)
	a.ids += ids
	a.cold += cold
	a.calls += w.calls
	a.told.merge(&w.told)
	for _, m := range w.asked {
		a.told.add(m)
	}
	s.dirty |= PartHistory
}

func (a *attested) encode(e *codec.Encoder) {
	e.Int(a.revision)
	e.Int(a.since)
	for _, n := range [...]uint64{a.before, a.asking, a.calls, a.ids, a.said} {
		e.Uint(n)
	}
	e.F64(a.cold)
	a.told.encode(e)
}

func (a *attested) decode(d *codec.Decoder) {
	a.revision, a.since = d.Int(), d.Int()
	for _, n := range [...]*uint64{&a.before, &a.asking, &a.calls, &a.ids, &a.said} {
		*n = d.Uint()
	}
	a.cold = d.F64()
	a.told.decode(d)
}

func (q *questions) reset() {
	q.asking, q.asked = 0, q.asked[:0]
	q.told.reset()
}

func (q *questions) encode(e *codec.Encoder) {
	e.Uint(q.asking)
	e.Uint(uint64(len(q.asked)))
	for _, m := range q.asked {
		e.U64(m)
	}
	q.told.encode(e)
}

func (q *questions) decode(d *codec.Decoder) {
	q.asking = d.Uint()
	for range min(d.Count(8), mostAsked) {
		q.ask(d.U64())
	}
	q.told.decode(d)
}
