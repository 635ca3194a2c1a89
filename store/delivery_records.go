package store

import "github.com/memberwatch/memberwatch"

func encodeNotice(n *memberwatch.Notice) []byte {
	e := newEncoder(512)
	e.int(n.Sequence)
	e.string(n.ID)
	e.string(n.Type)
	e.string(n.Subject)
	e.string(string(n.App))
	e.uint(uint64(n.Severity))
	e.time(n.Time)
	e.time(n.Recorded)
	e.bool(n.Signal != nil)
	if n.Signal != nil {
		e.signal(n.Signal)
		e.bytes(encodeTriage(&n.Signal.Triage))
	}
	e.bytes(n.Data)
	return e.seal()
}

func decodeNotice(record []byte) (memberwatch.Notice, error) {
	d := newDecoder(record)
	n := memberwatch.Notice{
		Sequence: d.int(), ID: d.string(), Type: d.string(), Subject: d.string(), App: memberwatch.AppID(d.string()),
		Severity: memberwatch.Severity(d.byte()), Time: d.time(), Recorded: d.time(),
	}
	if d.bool() {
		n.Signal = d.noticeSignal()
	}
	if data := d.string(); data != "" {
		n.Data = []byte(data)
	}
	return n, d.finish()
}

// noticeSignal reads a signal with its triage, which other records keep apart.
func (d *decoder) noticeSignal() *memberwatch.Signal {
	s := d.signal()
	record := []byte(d.string())
	if d.err != nil {
		return nil
	}
	var err error
	if s.Triage, err = decodeTriage(record); err != nil {
		d.fail("triage: " + err.Error())
	}
	return &s
}

func encodeEndpoint(p *memberwatch.Endpoint) []byte {
	e := newEncoder(256)
	e.string(string(p.ID))
	e.string(p.URL)
	e.uint(uint64(len(p.Types)))
	for _, t := range p.Types {
		e.string(t)
	}
	e.uint(uint64(p.MinSeverity))
	e.uint(uint64(p.Payload))
	e.bool(p.Silenced)
	e.bool(p.AllowPrivate)
	e.uint(uint64(len(p.Keys)))
	for _, k := range p.Keys {
		e.string(k.Secret)
		e.string(k.Public)
		e.time(k.Created)
		e.time(k.Expires)
	}
	e.string(p.Disabled)
	e.time(p.DisabledAt)
	e.time(p.Created)
	e.time(p.Updated)
	e.int(p.Revision)
	return e.seal()
}

func decodeEndpoint(record []byte) (memberwatch.Endpoint, error) {
	d := newDecoder(record)
	p := memberwatch.Endpoint{ID: memberwatch.EndpointID(d.string()), URL: d.string()}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		p.Types = append(p.Types, d.string())
	}
	p.MinSeverity, p.Payload = memberwatch.Severity(d.byte()), memberwatch.Payload(d.byte())
	p.Silenced, p.AllowPrivate = d.bool(), d.bool()
	for n := d.count(); n > 0 && d.err == nil; n-- {
		p.Keys = append(p.Keys, memberwatch.Key{Secret: d.string(), Public: d.string(), Created: d.time(), Expires: d.time()})
	}
	p.Disabled, p.DisabledAt, p.Created, p.Updated, p.Revision = d.string(), d.time(), d.time(), d.time(), d.int()
	return p, d.finish()
}

func encodeDelivery(v *memberwatch.Delivery) []byte {
	e := newEncoder(160)
	e.string(string(v.Endpoint))
	e.int(v.Sequence)
	e.string(v.Notice)
	e.string(v.Type)
	e.string(v.Subject)
	e.uint(uint64(v.State))
	e.int(int64(v.Attempts))
	e.time(v.Next)
	e.time(v.Last)
	e.int(int64(v.Status))
	e.string(v.Error)
	return e.seal()
}

func decodeDelivery(record []byte) (memberwatch.Delivery, error) {
	d := newDecoder(record)
	v := memberwatch.Delivery{
		Endpoint: memberwatch.EndpointID(d.string()), Sequence: d.int(), Notice: d.string(), Type: d.string(), Subject: d.string(),
		State: memberwatch.DeliveryState(d.byte()), Attempts: int(d.int32()), Next: d.time(), Last: d.time(),
		Status: int(d.int32()), Error: d.string(),
	}
	return v, d.finish()
}
