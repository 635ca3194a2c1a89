package review

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memberwatch/memberwatch"
)

// prepareVerdict checks a verdict's reason and makes its effects on detection.
// Everything a verdict does is listed here:
//
//	ABUSE         takes the windows of its signals out of the app's baselines; labels
//	EXPECTED      makes an expectation for each kind of signal; labels
//	BENIGN        labels; with the reason bad-data it also takes the windows out
//	INCONCLUSIVE  nothing
//	DUPLICATE     nothing; it names the other case
func (t *turn) prepareVerdict(c *memberwatch.Case, d *memberwatch.Decision) error {
	if err := t.service.reasons.Check(d.Verdict, d.Reason); err != nil {
		return err
	}
	signals, err := t.signalsOf(c)
	if err != nil {
		return err
	}
	if d.Verdict == memberwatch.VerdictAbuse || d.Verdict == memberwatch.VerdictBenign && d.Reason == memberwatch.ReasonBadData {
		if err := t.exclude(c, d, signals); err != nil {
			return err
		}
	}
	if d.Verdict == memberwatch.VerdictDuplicate {
		return t.checkDuplicate(c, d.Into)
	}
	if d.Verdict == memberwatch.VerdictExpected {
		if err := t.expect(c, d, signals); err != nil {
			return err
		}
	}
	if d.Verdict.Labels() {
		return t.label(c, d, signals)
	}
	return nil
}

// checkDuplicate checks that the case of which another is to be a duplicate exists,
// and is not itself a duplicate of that one, by however many steps.
func (t *turn) checkDuplicate(c *memberwatch.Case, of memberwatch.CaseID) error {
	for next := of; next != ""; {
		other, err := t.Case(next)
		if err != nil {
			return err
		}
		if next = cmp.Or(other.MergedInto, other.DuplicateOf); next == c.ID {
			return &memberwatch.ReasonError{
				Kind: memberwatch.ErrInvalid, Reason: "DUPLICATE_CYCLE",
				Message: fmt.Sprintf("case %q is itself a duplicate of case %q, or went into it", of, c.ID),
				Hint:    "judge this one by what it is about",
			}
		}
	}
	return nil
}

func (t *turn) signalsOf(c *memberwatch.Case) ([]memberwatch.Signal, error) {
	var signals []memberwatch.Signal
	for _, id := range c.Signals {
		signal, err := t.Signal(id)
		if err != nil {
			return nil, err
		}
		signals = append(signals, signal)
	}
	return signals, nil
}

func (t *turn) effect(d *memberwatch.Decision, e memberwatch.Effect) {
	e.At = t.now
	d.Effects = append(d.Effects, e)
}

// exclude takes the days that the signals speak of out of the baselines, beside
// those that the verdict has taken out already.
func (t *turn) exclude(c *memberwatch.Case, d *memberwatch.Decision, signals []memberwatch.Signal) error {
	if len(signals) == 0 {
		return nil
	}
	x, err := t.excluded(c)
	if err != nil {
		return err
	}
	before := x
	if x.ID == "" {
		x = memberwatch.Exclusion{ID: fmt.Sprintf("%s-%d", c.ID, c.Revision+1), App: c.App, Since: math.MaxInt64}
		if c.App == "" {
			x.Developer = c.Developer
		}
	}
	for i := range signals {
		since, until := daysOf(&signals[i])
		x.Since, x.Until = min(x.Since, since), max(x.Until, until)
	}
	if x == before {
		return nil
	}
	if err := x.Validate(); err != nil {
		return err
	}
	revision, err := t.control(memberwatch.Change{Exclusion: &x})
	if err != nil {
		return err
	}
	t.effect(d, memberwatch.Effect{
		Kind: memberwatch.EffectExclude, Subject: "exclusions/" + x.ID, Revision: revision,
		Text: fmt.Sprintf("windows of %s from %s to %s teach its baselines nothing more", whom(c.App, c.Developer), date(x.Since), date(x.Until)),
	})
	return nil
}

// daysOf returns where the days that a signal speaks of begin and end.
func daysOf(s *memberwatch.Signal) (since, until int64) {
	since = memberwatch.WindowAt(memberwatch.Day, min(s.Opened, s.Strongest.Window.Start)).Start
	return since, max(memberwatch.WindowAt(memberwatch.Day, s.Last).End(), s.Strongest.Window.End())
}

// excluded returns the exclusion of a case's standing verdict; it has no id when
// there is none.
func (t *turn) excluded(c *memberwatch.Case) (memberwatch.Exclusion, error) {
	for i := range c.Effects {
		if e := &c.Effects[i]; e.Kind == memberwatch.EffectExclude && e.Undone.IsZero() {
			x, err := t.exclusion(e.Revision)
			if err != nil {
				return memberwatch.Exclusion{}, err
			}
			known := *x
			known.Revision = 0 // the next change has its own
			return known, nil
		}
	}
	return memberwatch.Exclusion{}, nil
}

// follow lets a verdict of ABUSE take out of the baselines what signals speak of that
// join its case, or go on in it, after it was given. Nobody has looked at those, so
// they get no label.
func (t *turn) follow(c *memberwatch.Case, d *memberwatch.Decision) error {
	if c.Verdict != memberwatch.VerdictAbuse {
		return nil
	}
	signals := make([]memberwatch.Signal, len(d.Signals))
	for i, id := range d.Signals {
		var err error
		if signals[i], err = t.Signal(id); err != nil {
			return err
		}
	}
	return t.exclude(c, d, signals)
}

// outran tells whether a signal goes on beyond what the verdict on its case has
// taken out of the baselines.
func (t *turn) outran(c *memberwatch.Case, s *memberwatch.Signal) (bool, error) {
	if c.Verdict != memberwatch.VerdictAbuse {
		return false, nil
	}
	x, err := t.excluded(c)
	since, until := daysOf(s)
	return since < x.Since || until > x.Until, err
}

func date(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.DateOnly) }

// expect makes an expectation for each kind of signal in the case, and each restriction or
// data class of a kind that has one, or of any kind where it has no signal.
func (t *turn) expect(c *memberwatch.Case, d *memberwatch.Decision, signals []memberwatch.Signal) error {
	var matchers []memberwatch.Matcher
	for i := range signals {
		m := memberwatch.Matcher{App: c.App, Kind: signals[i].Kind, About: signals[i].About}
		if !slices.Contains(matchers, m) {
			matchers = append(matchers, m)
		}
	}
	if len(matchers) == 0 {
		matchers = []memberwatch.Matcher{{App: c.App}}
	}
	for _, match := range matchers {
		s := memberwatch.Silence{
			Match: match, Start: t.now, End: d.Expect.Until, Author: t.by,
			Comment: d.Comment, Bound: d.Expect.Members, Case: c.ID,
		}
		if c.App == "" {
			s.Match.Developer = c.Developer
		}
		if err := t.silence(&s); err != nil {
			return err
		}
		t.effect(d, memberwatch.Effect{
			Kind: memberwatch.EffectExpect, Subject: silenceSubject(s.ID),
			Text: fmt.Sprintf("signals of %s about %s are hidden up to %.0f members until %s", kindText(&match), whom(c.App, c.Developer), s.Bound, s.End.UTC().Format(time.RFC3339)),
		})
	}
	return nil
}

func kindText(m *memberwatch.Matcher) string {
	switch {
	case m.Kind == "":
		return "any kind"
	case m.About != "":
		return "kind " + string(m.Kind) + " (" + m.About + ")"
	default:
		return "kind " + string(m.Kind)
	}
}

// label says of each signal whether the detector was right.
func (t *turn) label(c *memberwatch.Case, d *memberwatch.Decision, signals []memberwatch.Signal) error {
	side := "for"
	if d.Verdict == memberwatch.VerdictBenign {
		side = "against"
	}
	for i := range signals {
		s := &signals[i]
		l := memberwatch.Label{
			Signal: s.ID, Case: c.ID, Kind: s.Kind, Model: s.Model, Verdict: d.Verdict, Time: t.now, ReturnPeriod: s.Strongest.ReturnPeriod,
		}
		if err := t.PutLabel(&l); err != nil {
			return err
		}
		t.effect(d, memberwatch.Effect{
			Kind: memberwatch.EffectLabel, Subject: signalSubject(s.ID),
			Text: fmt.Sprintf("counts %s the precision of %s in models %s", side, s.Kind, s.Model),
		})
	}
	return nil
}

// prepareReopen undoes what the verdict did and starts the clocks anew. A closed
// case comes back beside another that is open only when it is wanted so.
func (t *turn) prepareReopen(c *memberwatch.Case, d *memberwatch.Decision) error {
	if !d.Another && !c.Open() {
		if err := t.noneOpen(c.App, c.Developer); err != nil {
			return err
		}
	}
	d.Clocks = t.service.allowance(c.Severity).From(t.now)
	for i := range c.Effects {
		if e := &c.Effects[i]; e.Undone.IsZero() {
			if err := t.undo(c, e); err != nil {
				return fmt.Errorf("undo %s: %w", e.Subject, err)
			}
		}
	}
	return nil
}

func (t *turn) undo(c *memberwatch.Case, e *memberwatch.Effect) error {
	_, id, _ := cut(e.Subject)
	switch e.Kind {
	case memberwatch.EffectExclude:
		x, err := t.exclusion(e.Revision)
		if err != nil {
			return err
		}
		x.Withdrawn = true
		_, err = t.control(memberwatch.Change{Exclusion: x})
		return err
	case memberwatch.EffectExpect:
		return t.endSilence(memberwatch.SilenceID(id), fmt.Sprintf("case %q was reopened", c.ID))
	default:
		return t.DropLabel(memberwatch.SignalID(id))
	}
}

// exclusion returns the exclusion that a control change recorded.
func (t *turn) exclusion(revision int64) (*memberwatch.Exclusion, error) {
	change, err := t.ChangeAt(revision)
	if err != nil {
		return nil, err
	}
	if change.Exclusion == nil {
		return nil, fmt.Errorf("control change %d is no exclusion: %w", revision, memberwatch.ErrState)
	}
	return change.Exclusion, nil
}

// whom names an app, or a developer where no app is named, in a sentence.
func whom(app memberwatch.AppID, developer memberwatch.DeveloperID) string {
	if app == "" {
		return fmt.Sprintf("developer %q", developer)
	}
	return fmt.Sprintf("app %q", app)
}
