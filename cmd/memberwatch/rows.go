package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
)

// rowReader turns rows of one table into events by a mapping.
type rowReader struct {
	app, developer, endpoint, group, credential, network template
	missed, records, outcome                             template
	time                                                 template
	parseTime                                            func(string) (int64, error)
	classes, members, requested, actor                   listReader
	outcomes                                             map[string]string
	hasher                                               *client.Hasher
}

// template is a text with columns in it. The zero value is empty.
type template struct {
	texts   []string // the fixed parts; a column follows each but the last
	columns []int
}

// listReader reads a list of values.
type listReader struct {
	template
	split  string
	hashed bool
}

// newRowReader binds a mapping to the columns of a table.
func newRowReader(m mapping, header []string, hasher *client.Hasher) (*rowReader, error) {
	r := &rowReader{hasher: hasher, outcomes: m.Outcome.Map}
	list := func(l *listReader, m listMapping) *template {
		l.split, l.hashed = m.Split, m.Hashed
		return &l.template
	}
	targets := map[string]*template{
		"app": &r.app, "developer": &r.developer, "time": &r.time, "endpoint": &r.endpoint, "classes": list(&r.classes, m.Classes),
		"group": &r.group, "members": list(&r.members, m.Members), "requested": list(&r.requested, m.Requested),
		"missed": &r.missed, "records": &r.records, "actor": list(&r.actor, m.Actor), "credential": &r.credential,
		"network": &r.network, "outcome": &r.outcome,
	}
	fields := m.fields()
	for name := range strings.SplitSeq(mappingFields, ", ") {
		t, err := bind(*fields[name], header)
		if err != nil {
			return nil, hinted{fmt.Errorf("mapping of %s: %w", name, err), "the columns are " + strings.Join(header, ", ")}
		}
		*targets[name] = t
	}
	if len(r.app.texts) == 0 || len(r.time.texts) == 0 {
		return nil, hinted{fmt.Errorf("the mapping lacks app or time"), "map them: --map app=COLUMN,time=COLUMN; the columns are " + strings.Join(header, ", ")}
	}
	for value, outcome := range m.Outcome.Map {
		if _, err := namedOutcome(outcome); err != nil {
			return nil, fmt.Errorf("mapping of outcome %q: %w", value, err)
		}
	}
	var err error
	r.parseTime, err = timeParser(m.Time)
	return r, err
}

// bind finds the columns that a mapping's value names.
func bind(value string, header []string) (template, error) {
	if value == "" {
		return template{}, nil
	}
	if fixed, ok := strings.CutPrefix(value, "="); ok {
		return template{texts: []string{fixed}}, nil
	}
	if !strings.Contains(value, "{") {
		value = "{" + value + "}"
	}
	var t template
	for {
		text, rest, found := strings.Cut(value, "{")
		t.texts = append(t.texts, text)
		if !found {
			return t, nil
		}
		column, rest, found := strings.Cut(rest, "}")
		i := slices.Index(header, column)
		switch {
		case !found:
			return t, fmt.Errorf("%q lacks a closing brace", value)
		case i < 0:
			return t, fmt.Errorf("there is no column %q", column)
		}
		t.columns = append(t.columns, i)
		value = rest
	}
}

// text fills the columns in.
func (t *template) text(row []string) string {
	switch {
	case len(t.texts) == 0:
		return ""
	case len(t.columns) == 1 && t.texts[0] == "" && t.texts[1] == "":
		return row[t.columns[0]]
	}
	var b strings.Builder
	for i, text := range t.texts {
		b.WriteString(text)
		if i < len(t.columns) {
			b.WriteString(row[t.columns[i]])
		}
	}
	return b.String()
}

// count reads a number; nothing is 0.
func (t *template) count(row []string, name string, bits int) (uint64, error) {
	text := t.text(row)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s %q is no whole number", name, text)
	}
	return n, nil
}

// values returns the list's values.
func (l *listReader) values(row []string) []string {
	text := l.text(row)
	switch {
	case text == "":
		return nil
	case l.split == "":
		return []string{text}
	}
	return slices.DeleteFunc(strings.Split(text, l.split), func(s string) bool { return s == "" })
}

// hashes returns the list's values as keyed hashes.
func (l *listReader) hashes(row []string, hasher *client.Hasher) ([]uint64, error) {
	values := l.values(row)
	hashes := make([]uint64, 0, len(values))
	for _, v := range values {
		if !l.hashed {
			hashes = append(hashes, hasher.Hash(v))
			continue
		}
		n, err := strconv.ParseUint(v, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no 64-bit hash", v)
		}
		hashes = append(hashes, n)
	}
	return hashes, nil
}

// event turns a row into an event.
func (r *rowReader) event(row []string) (memberwatch.Event, error) {
	ev := memberwatch.Event{
		App: memberwatch.AppID(r.app.text(row)), Developer: memberwatch.DeveloperID(r.developer.text(row)),
		Endpoint: r.endpoint.text(row), DataClasses: r.classes.values(row), Group: r.group.text(row),
		Credential: r.credential.text(row), Network: r.network.text(row),
	}
	if !slices.ContainsFunc(row, func(s string) bool { return !utf8.ValidString(s) }) {
		return ev, r.fill(&ev, row)
	}
	return ev, fmt.Errorf("the row is not UTF-8")
}

// fill sets the fields that are not texts.
func (r *rowReader) fill(ev *memberwatch.Event, row []string) (err error) {
	if ev.Time, err = r.parseTime(r.time.text(row)); err != nil {
		return err
	}
	if ev.Disclosed, err = r.members.hashes(row, r.hasher); err != nil {
		return fmt.Errorf("members: %w", err)
	}
	if ev.Requested, err = r.requested.hashes(row, r.hasher); err != nil {
		return fmt.Errorf("requested: %w", err)
	}
	actors, err := r.actor.hashes(row, r.hasher)
	if err != nil {
		return fmt.Errorf("actor: %w", err)
	}
	if len(actors) > 0 {
		ev.Actor = actors[0]
	}
	missed, err := r.missed.count(row, "missed", 32)
	if err != nil {
		return err
	}
	ev.Missed = uint32(missed)
	if ev.Records, err = r.records.count(row, "records", 64); err != nil {
		return err
	}
	if ev.Outcome, err = parseOutcome(r.outcome.text(row), r.outcomes); err != nil {
		return err
	}
	withhold(ev)
	return nil
}

// withhold says of a call that did not succeed what tables do not: it disclosed
// nobody. Who was listed was asked for and, if not found, missed.
func withhold(ev *memberwatch.Event) {
	if ev.Outcome == memberwatch.OutcomeOK || ev.Outcome == memberwatch.OutcomeUnspecified {
		return
	}
	if ev.Outcome == memberwatch.OutcomeNotFound && ev.Missed == 0 {
		ev.Missed = uint32(len(ev.Disclosed))
	}
	ev.Requested = append(ev.Requested, ev.Disclosed...)
	ev.Disclosed, ev.Records = nil, 0
}

// outcomes are the names of outcomes.
var outcomes = map[string]memberwatch.Outcome{
	"OK": memberwatch.OutcomeOK, "DENIED": memberwatch.OutcomeDenied, "NOT_FOUND": memberwatch.OutcomeNotFound,
	"THROTTLED": memberwatch.OutcomeThrottled, "ERROR": memberwatch.OutcomeError,
}

func namedOutcome(name string) (memberwatch.Outcome, error) {
	o, ok := outcomes[strings.ToUpper(name)]
	if !ok {
		return 0, fmt.Errorf("%q is no outcome: it is one of OK, DENIED, NOT_FOUND, THROTTLED, ERROR", name)
	}
	return o, nil
}

// parseOutcome understands the mapping's own entries, names of outcomes, and
// HTTP statuses.
func parseOutcome(text string, own map[string]string) (memberwatch.Outcome, error) {
	if text == "" {
		return memberwatch.OutcomeUnspecified, nil
	}
	for _, key := range []string{text, text[:1] + "xx"} {
		if name, ok := own[key]; ok {
			return namedOutcome(name)
		}
	}
	code, err := strconv.Atoi(text)
	switch {
	case err != nil || code < 100 || code > 599:
		return namedOutcome(text)
	case code < 400:
		return memberwatch.OutcomeOK, nil
	case code == 401 || code == 403:
		return memberwatch.OutcomeDenied, nil
	case code == 404 || code == 410:
		return memberwatch.OutcomeNotFound, nil
	case code == 429:
		return memberwatch.OutcomeThrottled, nil
	default:
		return memberwatch.OutcomeError, nil
	}
}

// timeParser returns what reads times in a layout, as nanoseconds since the epoch.
func timeParser(m timeMapping) (func(string) (int64, error), error) {
	units := map[string]int64{"unix": 1e9, "unix_ms": 1e6, "unix_us": 1e3, "unix_ns": 1}
	if unit, ok := units[m.Layout]; ok {
		return func(text string) (int64, error) {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n > (1<<63-1)/unit || n < 0 {
				return 0, fmt.Errorf("time %q is no %s time", text, m.Layout)
			}
			return n * unit, nil
		}, nil
	}
	layout := m.Layout
	if layout == "" || layout == "rfc3339" {
		layout = time.RFC3339
	}
	zone, err := time.LoadLocation(m.Zone)
	if err != nil {
		return nil, fmt.Errorf("mapping of time: zone %q: %w", m.Zone, err)
	}
	return func(text string) (int64, error) {
		t, err := time.ParseInLocation(layout, text, zone)
		if err != nil || t.Year() < 1678 || t.Year() > 2261 { // what nanoseconds hold
			return 0, fmt.Errorf("time %q does not follow %s", text, layout)
		}
		return t.UnixNano(), nil
	}, nil
}
