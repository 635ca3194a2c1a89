package store

import (
	"bytes"

	"github.com/memberwatch/memberwatch"
)

// Update encoding: a signal, and the finding if there is one.
func encodeUpdate(u *memberwatch.Update) []byte {
	e := newEncoder(512)
	e.signal(&u.Signal)
	e.bool(u.Finding != nil)
	if u.Finding != nil {
		e.finding(u.Finding)
	}
	return e.seal()
}

func decodeUpdate(record []byte) (memberwatch.Update, error) {
	d := newDecoder(record)
	u := memberwatch.Update{Signal: d.signal()}
	if d.bool() {
		finding := d.finding()
		u.Finding = &finding
	}
	return u, d.finish()
}

func encodeSignal(s *memberwatch.Signal) []byte {
	e := newEncoder(384)
	e.signal(s)
	return e.seal()
}

func decodeSignal(record []byte) (memberwatch.Signal, error) {
	d := newDecoder(record)
	s := d.signal()
	return s, d.finish()
}

func (e *encoder) signal(s *memberwatch.Signal) {
	e.string(string(s.ID))
	e.string(string(s.App))
	e.string(string(s.Developer))
	e.apps(s.Apps)
	e.string(s.Network)
	e.string(string(s.Kind))
	e.uint(uint64(s.Severity))
	e.string(s.Sentence)
	e.int(s.Opened)
	e.int(s.Last)
	e.int(s.Ended)
	e.int(s.Occurrences)
	e.int(s.Revision)
	e.finding(&s.Strongest)
	e.uint(uint64(s.Learning))
	e.int(int64(s.LearningDays))
	e.string(s.Model)
	e.int(s.Calibration)
	e.int(s.Control)
	e.bool(s.Shadow)
	e.string(s.About)
	e.float(s.Exposed)
}

func (d *decoder) signal() memberwatch.Signal {
	return memberwatch.Signal{
		ID: memberwatch.SignalID(d.string()), App: memberwatch.AppID(d.string()),
		Developer: memberwatch.DeveloperID(d.string()), Apps: d.apps(), Network: d.string(), Kind: memberwatch.Kind(d.string()),
		Severity: memberwatch.Severity(d.byte()), Sentence: d.string(),
		Opened: d.int(), Last: d.int(), Ended: d.int(), Occurrences: d.int(), Revision: d.int(),
		Strongest: d.finding(), Learning: memberwatch.Learning(d.byte()), LearningDays: d.int32(),
		Model: d.string(), Calibration: d.int(), Control: d.int(), Shadow: d.bool(),
		About: d.string(), Exposed: d.float(),
	}
}

func encodeFinding(f *memberwatch.Finding) []byte {
	e := newEncoder(256)
	e.finding(f)
	return e.seal()
}

func decodeFinding(record []byte) (memberwatch.Finding, error) {
	d := newDecoder(record)
	f := d.finding()
	return f, d.finish()
}

func (e *encoder) finding(f *memberwatch.Finding) {
	e.string(string(f.Kind))
	e.int(f.Number)
	e.window(f.Window)
	e.int(f.Time)
	e.uint(uint64(f.Stream))
	e.string(f.Sentence)
	e.float(f.ReturnPeriod)
	e.float(f.FleetFactor)
	e.bool(f.Provisional)
	e.float(f.Members.Value)
	e.float(f.Members.Low)
	e.float(f.Members.High)
	e.uint(uint64(len(f.Factors)))
	for i := range f.Factors {
		e.factor(&f.Factors[i])
	}
	e.uint(uint64(len(f.Caveats)))
	for _, caveat := range f.Caveats {
		e.string(caveat)
	}
	e.string(string(f.Restriction))
	e.uint(uint64(len(f.Influences)))
	for i := range f.Influences {
		e.influence(&f.Influences[i])
	}
	e.basis(&f.Basis)
	e.uint(uint64(f.Severity))
	e.bytes(f.Record)
}

func (d *decoder) finding() memberwatch.Finding {
	f := memberwatch.Finding{
		Kind: memberwatch.Kind(d.string()), Number: d.int(), Window: d.window(), Time: d.int(),
		Stream: memberwatch.Stream(d.byte()), Sentence: d.string(), ReturnPeriod: d.float(), FleetFactor: d.float(),
		Provisional: d.bool(), Members: memberwatch.Estimate{Value: d.float(), Low: d.float(), High: d.float()},
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		f.Factors = append(f.Factors, d.factor())
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		f.Caveats = append(f.Caveats, d.string())
	}
	f.Restriction = memberwatch.RestrictionID(d.string())
	for n := d.count(); n > 0 && d.err == nil; n-- {
		f.Influences = append(f.Influences, d.influence())
	}
	f.Basis = d.basis()
	f.Severity = memberwatch.Severity(d.byte())
	f.Record = bytes.Clone(d.take(d.uint()))
	if len(f.Record) == 0 {
		f.Record = nil
	}
	return f
}

func (e *encoder) factor(f *memberwatch.Factor) {
	e.string(f.Feature)
	for _, v := range [...]float64{f.Observed, f.Expected, f.Low, f.High, f.P, f.ReturnPeriod, f.Share, f.Peers} {
		e.float(v)
	}
	e.string(f.Text)
}

func (d *decoder) factor() memberwatch.Factor {
	return memberwatch.Factor{
		Feature: d.string(), Observed: d.float(), Expected: d.float(), Low: d.float(), High: d.float(),
		P: d.float(), ReturnPeriod: d.float(), Share: d.float(), Peers: d.float(), Text: d.string(),
	}
}

func (e *encoder) influence(x *memberwatch.Influence) {
	e.string(x.Dimension)
	e.string(x.Name)
	for _, v := range [...]float64{x.Share, x.Without, x.P} {
		e.float(v)
	}
	e.string(x.Text)
}

func (d *decoder) influence() memberwatch.Influence {
	return memberwatch.Influence{
		Dimension: d.string(), Name: d.string(), Share: d.float(), Without: d.float(), P: d.float(), Text: d.string(),
	}
}

func (e *encoder) basis(b *memberwatch.Basis) {
	e.string(string(b.App))
	e.string(string(b.Developer))
	e.string(b.Model)
	e.int(b.Calibration)
	e.int(b.Control)
	e.uint(uint64(b.Learning))
	e.int(int64(b.LearningDays))
}

func (d *decoder) basis() memberwatch.Basis {
	return memberwatch.Basis{
		App: memberwatch.AppID(d.string()), Developer: memberwatch.DeveloperID(d.string()), Model: d.string(), Calibration: d.int(), Control: d.int(),
		Learning: memberwatch.Learning(d.byte()), LearningDays: d.int32(),
	}
}

func (e *encoder) window(w memberwatch.Window) {
	e.uint(uint64(w.Scale))
	e.int(w.Start)
}

func (d *decoder) window() memberwatch.Window {
	w := memberwatch.Window{Scale: memberwatch.Scale(d.byte()), Start: d.int()}
	if w.Scale >= memberwatch.Scales {
		d.fail("unknown scale")
	}
	return w
}
