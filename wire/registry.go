package wire

import (
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// EncodeApp returns the message for an app as declared and as seen.
func EncodeApp(v *memberwatch.AppView) *pb.App {
	m := &pb.App{
		Name:                    AppName(v.ID),
		Developer:               string(v.Developer),
		DisplayName:             v.DisplayName,
		Category:                v.Category,
		Installs:                v.Installs,
		Admins:                  v.Admins,
		CertifyTime:             encodeTime(v.Certified),
		CertificationExpireTime: encodeTime(v.Expires),
		CreateTime:              encodeTime(v.Created),
		UpdateTime:              encodeTime(v.Updated),
		Declared:                v.Declared,
		FirstEventTime:          encodeNanos(v.FirstEvent),
		LastEventTime:           encodeNanos(v.LastEvent),
		EventCount:              v.Events,
		LearningState:           pb.LearningState(v.Learning),
		LearningDays:            v.LearningDays,
	}
	for _, p := range v.Purposes {
		m.Purposes = append(m.Purposes, &pb.Purpose{DataClass: string(p.Class), Purpose: p.Purpose, ExpireTime: encodeTime(p.Expires)})
	}
	return m
}

// DecodeApp returns the app of a message.
func DecodeApp(m *pb.App) (memberwatch.AppView, error) {
	var d decoder
	v := memberwatch.AppView{
		App: memberwatch.App{
			ID:          parse(&d, "name", ParseAppName, m.GetName()),
			Developer:   memberwatch.DeveloperID(m.GetDeveloper()),
			DisplayName: m.GetDisplayName(),
			Category:    m.GetCategory(),
			Installs:    m.GetInstalls(),
			Admins:      m.GetAdmins(),
			Certified:   parse(&d, "certify_time", decodeTime, m.GetCertifyTime()),
			Expires:     parse(&d, "certification_expire_time", decodeTime, m.GetCertificationExpireTime()),
			Created:     parse(&d, "create_time", decodeTime, m.GetCreateTime()),
			Updated:     parse(&d, "update_time", decodeTime, m.GetUpdateTime()),
		},
		Declared:     m.GetDeclared(),
		FirstEvent:   parse(&d, "first_event_time", decodeNanos, m.GetFirstEventTime()),
		LastEvent:    parse(&d, "last_event_time", decodeNanos, m.GetLastEventTime()),
		Events:       m.GetEventCount(),
		Learning:     decodeLearning(m.GetLearningState()),
		LearningDays: m.GetLearningDays(),
	}
	for _, p := range m.GetPurposes() {
		v.Purposes = append(v.Purposes, memberwatch.Purpose{
			Class: memberwatch.DataClass(p.GetDataClass()), Purpose: p.GetPurpose(), Expires: parse(&d, "purposes.expire_time", decodeTime, p.GetExpireTime()),
		})
	}
	return v, d.err
}

// decodeLearning takes a state of a later contract for one that is not known.
func decodeLearning(s pb.LearningState) memberwatch.Learning {
	if s < 0 || s > pb.LearningState_LEARNING_STATE_STALE {
		return memberwatch.LearningUnspecified
	}
	return memberwatch.Learning(s)
}

// EncodeRestriction returns the message for a restriction.
func EncodeRestriction(r *memberwatch.Restriction) *pb.Restriction {
	m := &pb.Restriction{
		Name:          RestrictionName(r.ID),
		DataClass:     string(r.Class),
		Endpoint:      r.Endpoint,
		Apps:          encodeApps(r.Apps),
		ExemptApps:    encodeApps(r.Exempt),
		EffectiveTime: encodeTime(r.Effective),
		LiftTime:      encodeTime(r.Lifted),
		Reason:        r.Reason,
		Revision:      r.Revision,
	}
	if r.Grace != 0 {
		m.Grace = durationpb.New(r.Grace)
	}
	return m
}

// DecodeRestriction returns the restriction of a message.
func DecodeRestriction(m *pb.Restriction) (memberwatch.Restriction, error) {
	var d decoder
	r := memberwatch.Restriction{
		ID:        parse(&d, "name", ParseRestrictionName, m.GetName()),
		Class:     memberwatch.DataClass(m.GetDataClass()),
		Endpoint:  m.GetEndpoint(),
		Apps:      parse(&d, "apps", decodeApps, m.GetApps()),
		Exempt:    parse(&d, "exempt_apps", decodeApps, m.GetExemptApps()),
		Effective: parse(&d, "effective_time", decodeTime, m.GetEffectiveTime()),
		Grace:     parse(&d, "grace", decodeDuration, m.GetGrace()),
		Lifted:    parse(&d, "lift_time", decodeTime, m.GetLiftTime()),
		Reason:    m.GetReason(),
		Revision:  m.GetRevision(),
	}
	return r, d.err
}

func encodeApps(ids []memberwatch.AppID) []string {
	var names []string
	for _, id := range ids {
		names = append(names, AppName(id))
	}
	return names
}

func decodeApps(names []string) ([]memberwatch.AppID, error) {
	var ids []memberwatch.AppID
	for _, name := range names {
		id, err := ParseAppName(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// EncodeCanaries returns the request that declares canaries.
func EncodeCanaries(c *memberwatch.Canaries) *pb.PutCanariesRequest {
	m := &pb.PutCanariesRequest{Withdraw: c.Withdrawn}
	for _, member := range c.Members {
		m.Members = append(m.Members, uint64(member))
	}
	return m
}

// DecodeCanaries returns the canaries of a request.
func DecodeCanaries(m *pb.PutCanariesRequest) memberwatch.Canaries {
	c := memberwatch.Canaries{Withdrawn: m.GetWithdraw()}
	for _, member := range m.GetMembers() {
		c.Members = append(c.Members, memberwatch.MemberID(member))
	}
	return c
}

// EncodeAttestation returns the message for an attestation.
func EncodeAttestation(a *memberwatch.Attestation) *pb.Attestation {
	return &pb.Attestation{App: AppName(a.App), AttestTime: encodeTime(a.Time), Note: a.Note, Revision: a.Revision}
}

// DecodeAttestation returns the attestation of a message.
func DecodeAttestation(m *pb.Attestation) (memberwatch.Attestation, error) {
	var d decoder
	a := memberwatch.Attestation{
		App:      parse(&d, "app", ParseAppName, m.GetApp()),
		Time:     parse(&d, "attest_time", decodeTime, m.GetAttestTime()),
		Note:     m.GetNote(),
		Revision: m.GetRevision(),
	}
	return a, d.err
}
