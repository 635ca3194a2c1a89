package detector

import (
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector/codec"
)

// episode is an open signal of an app. There is one for each kind, and of rules
// that an app can break in several ways one for each. Kinds that measure the same
// thing, how many people an app reads about, share one: a harvest is more members,
// more for each user, new ones and of more groups at once, and is one thing to
// review. It has the kind that spoke first.
type episode struct {
	Signal memberwatch.Signal
	Dim    string // the restriction or data class, empty for other kinds
	// Open are the findings of windows that are open, the strongest of each, until one
	// is confirmed or needs no confirmation: from then on the signal's strongest is the
	// strongest of those, and nothing that is withdrawn can take it away.
	Open      []memberwatch.Finding `json:",omitempty"`
	Confirmed bool
	Days      bool    // some finding was about a day
	Before    float64 // exposed in days that are closed
}

// episode returns the app's open signal that findings of a kind belong to. What is
// in shadow joins nothing that is not.
func (s *State) episode(kind memberwatch.Kind, dim string, shadow bool) *episode {
	for i := range s.episodes {
		if ep := &s.episodes[i]; ep.Dim == dim && ep.Signal.Shadow == shadow && kind.Joins(ep.Signal.Kind) {
			return ep
		}
	}
	return nil
}

// quietAfter is the event time from which on the signal has been quiet for long
// enough to be over.
func (ep *episode) quietAfter(cfg *Config) int64 {
	return ep.Signal.Last + cfg.quiet(ep.Days || ep.Signal.Strongest.Stream != memberwatch.StreamBurst)
}

// raise adds a finding to the app's open signal of its kind, or opens one.
func (e *Engine) raise(s *State, dim string, f memberwatch.Finding) {
	shadow := e.shadowed(f.Kind, f.Window.Start)
	if was := s.episode(f.Kind, dim, !shadow); was != nil && was.Signal.Kind == f.Kind {
		e.end(s, was)
	}
	ep := s.episode(f.Kind, dim, shadow)
	if ep != nil && f.Time >= ep.quietAfter(&e.cfg) {
		e.end(s, ep)
		ep = nil
	}
	if ep == nil {
		s.episodes = append(s.episodes, e.newEpisode(s, dim, &f, shadow))
		ep = &s.episodes[len(s.episodes)-1]
	}
	if f.Severity == memberwatch.SeverityUnspecified {
		f.Severity = severityOf(&f, e.on(f.Window.Start).cfg.Budget)
	}
	ep.add(&f)
	e.describe(s, ep, &f)
	e.updates = append(e.updates, memberwatch.Update{Signal: ep.Signal, Finding: &f})
	s.dirty |= PartHot
	e.watchEpisode(s, ep)
}

// aboutOf is what a signal's id says it is about: one in shadow has an id of its own,
// beside the one that might have been raised.
func aboutOf(dim string, shadow bool) string {
	if shadow {
		return dim + "\x00shadow"
	}
	return dim
}

// newEpisode opens a signal.
func (e *Engine) newEpisode(s *State, dim string, f *memberwatch.Finding, shadow bool) episode {
	ep := episode{Dim: dim, Signal: memberwatch.Signal{
		ID:  signalID(s.App, f.Kind, aboutOf(dim, shadow), e.sinceWhen(f)),
		App: s.App, Developer: e.developerOf(s), Kind: f.Kind, Opened: f.Time, Shadow: shadow, About: strings.TrimPrefix(dim, "\x00"),
	}}
	if s.joint() {
		ep.Signal.App = ""
	}
	return ep
}

// sinceWhen tells two signals of one kind apart: by the window that a signal begins with,
// whose order of events does not matter, or, if a late event begins it, by that event, as
// an earlier signal may have begun with its window.
func (e *Engine) sinceWhen(f *memberwatch.Finding) memberwatch.Window {
	at := f.Window
	if f.Time < at.End()-1 && at.End() <= e.through {
		at.Start = f.Time
	}
	return at
}

// signalID derives an id from what the signal is about, so that a replay
// derives the same one: 64 bits in base 32.
func signalID(app memberwatch.AppID, kind memberwatch.Kind, dim string, since memberwatch.Window) memberwatch.SignalID {
	var b [8]byte
	h := hashName(string(app) + "\x00" + string(kind) + "\x00" + dim)
	h = (h ^ uint64(since.Start) ^ uint64(since.Scale)) * 0x9e3779b97f4a7c15 // Fibonacci hashing spreads the start time
	h ^= h >> 29
	binary.BigEndian.PutUint64(b[:], h)
	return memberwatch.SignalID("s" + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])))
}

// add counts a finding, and keeps it if it is the strongest so far of those that count.
func (ep *episode) add(f *memberwatch.Finding) {
	sig := &ep.Signal
	ep.Days = ep.Days || f.Window.Scale == memberwatch.Day
	sig.Occurrences++
	f.Number = sig.Occurrences
	sig.Last = max(sig.Last, f.Time)
	exposed := max(f.Members.Value, people(f))
	sig.Exposed = max(sig.Exposed, exposed)
	if f.Window.Scale == memberwatch.Day && !f.Provisional { // the fleet's word on it comes after its close
		ep.Before = max(ep.Before, exposed)
	}
	kept := *f
	kept.Record = nil
	switch {
	case f.Provisional && !ep.Confirmed:
		ep.keepOpen(kept)
	case !f.Provisional && (!ep.Confirmed || stronger(f, &sig.Strongest)):
		ep.Confirmed, ep.Open, sig.Strongest = true, nil, kept
	}
}

// keepOpen keeps a finding of an open window if it is the strongest of its window.
func (ep *episode) keepOpen(f memberwatch.Finding) {
	switch i := ep.openAt(f.Window); {
	case i < 0:
		ep.Open = append(ep.Open, f)
	case stronger(&f, &ep.Open[i]):
		ep.Open[i] = f
	}
	ep.strongestOpen()
}

func (ep *episode) openAt(at memberwatch.Window) int {
	return slices.IndexFunc(ep.Open, func(f memberwatch.Finding) bool { return f.Window == at })
}

// strongestOpen makes the strongest finding of an open window that of the signal.
func (ep *episode) strongestOpen() {
	best := &ep.Open[0]
	for i := range ep.Open {
		if stronger(&ep.Open[i], best) {
			best = &ep.Open[i]
		}
	}
	ep.Signal.Strongest = *best
}

// expose counts in open signals the members who were disclosed for the first time on a
// day that closes. They are none of those of the days before it, but may be those of its
// hours, so they are added to what was exposed before the day: that does not exceed the
// union, of which no sketch is kept.
func (s *State) expose(day memberwatch.Window, novel float64) {
	for i := range s.episodes {
		ep := &s.episodes[i]
		if sig := &ep.Signal; sig.Opened < day.Start {
			sig.Exposed = max(sig.Exposed, ep.Before+novel)
		}
		ep.Before = ep.Signal.Exposed
	}
}

// stronger orders findings by return period, then by members.
func stronger(a, b *memberwatch.Finding) bool {
	if a.ReturnPeriod != b.ReturnPeriod {
		return a.ReturnPeriod > b.ReturnPeriod
	}
	return people(a) > people(b)
}

// describe refreshes what people see of a signal.
func (e *Engine) describe(s *State, ep *episode, f *memberwatch.Finding) {
	sig := &ep.Signal
	sig.Revision++
	sig.Severity = max(sig.Severity, f.Severity)
	sig.Sentence = subject(sig) + " " + sig.Strongest.Sentence
	b := e.basis(s, f)
	sig.Model, sig.Control, sig.Calibration, sig.LearningDays, sig.Learning = b.Model, b.Control, b.Calibration, b.LearningDays, b.Learning
}

// Members from which on a statistical finding is medium, high, critical. Ours:
// 500 is where a leak must be reported (FTC covered incident), the others are
// its powers of about 20.
const (
	mediumMembers   = 500
	highMembers     = 10_000
	criticalMembers = 200_000
)

// people is how many members a finding exposed at least. Where most records name
// nobody each counts as one: a gateway that names no members must not make a harvest
// look small.
func people(f *memberwatch.Finding) float64 {
	if f.Members.High > 2*f.Members.Value {
		return f.Members.High
	}
	return f.Members.Low
}

// severityOf ranks a finding: by how many members it exposed, one step up for a
// rule, which leaves nothing to chance.
func severityOf(f *memberwatch.Finding, budget float64) memberwatch.Severity {
	level, exposed := memberwatch.SeverityLow, people(f)
	switch {
	case exposed >= criticalMembers:
		level = memberwatch.SeverityCritical
	case exposed >= highMembers:
		level = memberwatch.SeverityHigh
	case exposed >= mediumMembers || f.ReturnPeriod >= 10*budget:
		level = memberwatch.SeverityMedium
	}
	switch f.Kind {
	case memberwatch.KindRestricted, memberwatch.KindUncertified, memberwatch.KindImpossible:
		level = max(level+1, memberwatch.SeverityHigh)
	case memberwatch.KindExpired: // often a matter of paper
		level = max(level+1, memberwatch.SeverityMedium)
	case memberwatch.KindCanary:
		level = memberwatch.SeverityHigh
		if f.Members.Value > 0 {
			level = memberwatch.SeverityCritical
		}
	default: // statistics stay where the members put them
	}
	return min(level, memberwatch.SeverityCritical)
}

// withdraw takes back what an open window has spoken for and the fleet explains: everybody
// moved. A signal that rests on nothing else ends.
func (e *Engine) withdraw(s *State, kind memberwatch.Kind, at memberwatch.Window) {
	ep := s.episode(kind, "", e.shadowed(kind, at.Start))
	if ep == nil {
		return
	}
	i := ep.openAt(at)
	switch {
	case i < 0:
	case len(ep.Open) == 1:
		ep.Signal.Strongest = Withdraw(ep.Signal.Strongest)
		e.end(s, ep)
	default:
		ep.Open = slices.Delete(ep.Open, i, i+1)
		ep.strongestOpen()
		ep.Signal.Sentence = subject(&ep.Signal) + " " + ep.Signal.Strongest.Sentence
		ep.Signal.Revision++
		e.updates = append(e.updates, memberwatch.Update{Signal: ep.Signal})
		s.dirty |= PartHot
	}
}

// end closes an episode and says so.
func (e *Engine) end(s *State, ep *episode) {
	sig := &ep.Signal
	sig.Ended = max(sig.Last, 1)
	sig.Revision++
	e.updates = append(e.updates, memberwatch.Update{Signal: *sig})
	for i := range s.episodes {
		if &s.episodes[i] == ep {
			s.episodes = append(s.episodes[:i], s.episodes[i+1:]...)
			break
		}
	}
	s.dirty |= PartHot
}

// endQuiet ends the signals that have been quiet for long enough when a day
// closes, and sees to it that the next day asks again.
func (e *Engine) endQuiet(s *State, at memberwatch.Window) {
	if at.Scale != memberwatch.Day {
		return
	}
	for i := len(s.episodes) - 1; i >= 0; i-- {
		if at.End() >= s.episodes[i].quietAfter(&e.cfg) {
			e.end(s, &s.episodes[i])
		}
	}
	e.watchNext(s, memberwatch.Window{Scale: memberwatch.Day, Start: at.End()})
}

// watchEpisodes makes sure that some day to come asks whether the app's signals
// are over, even if the app falls silent.
func (e *Engine) watchEpisodes(s *State) {
	for i := range s.episodes {
		e.watchEpisode(s, &s.episodes[i])
	}
}

func (e *Engine) watchEpisode(s *State, ep *episode) {
	e.watchNext(s, memberwatch.WindowAt(memberwatch.Day, max(ep.Signal.Last, e.through)))
}

// watchNext has a day ask, once.
func (e *Engine) watchNext(s *State, day memberwatch.Window) {
	if len(s.episodes) > 0 && s.asks != day.Start {
		s.asks = day.Start
		e.open[day] = append(e.open[day], s.App)
	}
}

// encodeEpisodes writes open signals as JSON: they are rare, wide, and never on the
// hot path.
func encodeEpisodes(e *codec.Encoder, list []episode) {
	e.Uint(uint64(len(list)))
	for i := range list {
		body, err := json.Marshal(&list[i])
		e.Fail(err)
		e.Text(string(body))
	}
}

func decodeEpisodes(d *codec.Decoder) []episode {
	var list []episode
	for range d.Count(2) {
		var ep episode
		if err := json.Unmarshal(d.Bytes(), &ep); err != nil {
			d.Fail("episode: " + err.Error())
		}
		list = append(list, ep)
	}
	return list
}
