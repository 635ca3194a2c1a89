package wire

import (
	"math"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// EncodeAccessQuery returns the request for a query, without the fields of paging.
func EncodeAccessQuery(q *memberwatch.AccessQuery) *pb.QueryAccessRequest {
	m := &pb.QueryAccessRequest{
		DataClass:            string(q.Class),
		App:                  AppName(q.App),
		Developer:            string(q.Developer),
		Endpoint:             q.Endpoint,
		Group:                q.Group,
		Category:             q.Category,
		Since:                encodeDay(q.SinceDay),
		AfterRestrictionOnly: q.AfterOnly,
		ByDeveloper:          q.ByDeveloper,
	}
	if q.UntilDay != math.MaxInt32 {
		m.Until = encodeDay(q.UntilDay)
	}
	return m
}

// DecodeAccessQuery returns the query of a request. Without an end it goes up to day math.MaxInt32.
func DecodeAccessQuery(m *pb.QueryAccessRequest) (memberwatch.AccessQuery, error) {
	var d decoder
	if m.GetSince() == nil {
		return memberwatch.AccessQuery{}, InField("since", invalid("SINCE_MISSING", "query has no since", "set the first day to look at"))
	}
	q := memberwatch.AccessQuery{
		Class:       memberwatch.DataClass(m.GetDataClass()),
		App:         parse(&d, "app", optional(ParseAppName), m.GetApp()),
		Developer:   memberwatch.DeveloperID(m.GetDeveloper()),
		Endpoint:    m.GetEndpoint(),
		Group:       m.GetGroup(),
		Category:    m.GetCategory(),
		SinceDay:    parse(&d, "since", decodeDay, m.GetSince()),
		UntilDay:    math.MaxInt32,
		AfterOnly:   m.GetAfterRestrictionOnly(),
		ByDeveloper: m.GetByDeveloper(),
	}
	if m.GetUntil() != nil {
		q.UntilDay = parse(&d, "until", decodeDay, m.GetUntil())
	}
	return q, d.err
}

// EncodeBaseline returns the message for a baseline.
func EncodeBaseline(b *memberwatch.Baseline) *pb.Baseline {
	m := &pb.Baseline{App: AppName(b.App), LearningState: pb.LearningState(b.Learning), LearningDays: b.Days}
	for i := range b.Expected {
		x := &b.Expected[i]
		m.Expectations = append(m.Expectations, &pb.Expectation{Feature: x.Feature, Window: encodeWindow(x.Window), Value: encodeEstimate(x.Value)})
	}
	return m
}

// DecodeBaseline returns the baseline of a message.
func DecodeBaseline(m *pb.Baseline) (memberwatch.Baseline, error) {
	var d decoder
	b := memberwatch.Baseline{
		App: parse(&d, "app", ParseAppName, m.GetApp()), Learning: decodeLearning(m.GetLearningState()), Days: m.GetLearningDays(),
	}
	for _, x := range m.GetExpectations() {
		b.Expected = append(b.Expected, memberwatch.Expectation{
			Feature: x.GetFeature(), Window: parse(&d, "expectations.window", decodeWindow, x.GetWindow()), Value: decodeEstimate(x.GetValue()),
		})
	}
	return b, d.err
}

// EncodeAccessRow returns the message for a row. A row without active days has no first and last day.
func EncodeAccessRow(r *memberwatch.AccessRow) *pb.AccessRow {
	m := &pb.AccessRow{
		App:                   AppName(r.App),
		Developer:             string(r.Developer),
		DataClass:             string(r.Class),
		Calls:                 count(r.Calls),
		Records:               count(r.Records),
		Denials:               count(r.Denials),
		Members:               encodeEstimate(r.Members),
		Groups:                encodeEstimate(r.Groups),
		ActiveDays:            r.ActiveDays,
		CallsAfterRestriction: count(r.CallsAfter),
		Apps:                  r.Apps,
		AtMost:                r.AtMost,
		CertainDays:           r.CertainDays,
	}
	if r.ActiveDays > 0 {
		m.FirstTime, m.LastTime = encodeDay(r.FirstDay), encodeDay(r.LastDay)
	}
	return m
}

// DecodeAccessRow returns the row of a message.
func DecodeAccessRow(m *pb.AccessRow) (memberwatch.AccessRow, error) {
	var d decoder
	r := memberwatch.AccessRow{
		App:         parse(&d, "app", optional(ParseAppName), m.GetApp()),
		Developer:   memberwatch.DeveloperID(m.GetDeveloper()),
		AtMost:      m.GetAtMost(),
		Class:       memberwatch.DataClass(m.GetDataClass()),
		Calls:       uint64(max(m.GetCalls(), 0)),
		Records:     uint64(max(m.GetRecords(), 0)),
		Denials:     uint64(max(m.GetDenials(), 0)),
		CallsAfter:  uint64(max(m.GetCallsAfterRestriction(), 0)),
		Members:     decodeEstimate(m.GetMembers()),
		Groups:      decodeEstimate(m.GetGroups()),
		FirstDay:    parse(&d, "first_time", decodeDay, m.GetFirstTime()),
		LastDay:     parse(&d, "last_time", decodeDay, m.GetLastTime()),
		ActiveDays:  m.GetActiveDays(),
		Apps:        m.GetApps(),
		CertainDays: m.GetCertainDays(),
	}
	return r, d.err
}
