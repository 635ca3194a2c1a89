package review

import (
	"context"
	"time"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/store"
)

// certificationNotice is how long before a certification ends its app is
// announced.
const certificationNotice = 30 * 24 * time.Hour

// sweepOn looks at the clocks, then waits for the next time.
func (s *Service) sweepOn(ctx context.Context) error {
	if err := s.Sweep(); err != nil {
		return err
	}
	pause(ctx, s.options.SweepInterval)
	return nil
}

// due is what a sweep found to do.
type due struct {
	awake   []memberwatch.CaseID
	overdue []memberwatch.RemediationID
	ending  []memberwatch.SilenceID
	apps    []memberwatch.App
}

// Sweep wakes cases on hold and announces overdue remediations, silences and
// certifications that are about to end, each once. It writes nothing when there
// is nothing to do.
func (s *Service) Sweep() error {
	found, err := s.due(time.Now().UTC())
	if err != nil || len(found.awake)+len(found.overdue)+len(found.ending)+len(found.apps) == 0 {
		return err
	}
	return s.write(memberwatch.System, func(t *turn) error { return t.sweep(&found) })
}

// due reads what there is to do.
func (s *Service) due(now time.Time) (found due, err error) {
	err = s.files.ReadReview(func(r *store.Review) error {
		err := r.EachOpenCase(func(c *memberwatch.Case) error {
			if c.State == memberwatch.CaseOnHold && !now.Before(c.WakeTime) {
				found.awake = append(found.awake, c.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return r.EachSilence(func(silence *memberwatch.Silence) error {
			if silence.Expiring(now) {
				found.ending = append(found.ending, silence.ID)
			}
			return nil
		})
	})
	if err != nil {
		return found, err
	}
	late, err := s.files.Remediations(0, sweepPage, func(m *memberwatch.Remediation) bool { return m.Overdue(now) && !m.Announced })
	for i := range late {
		found.overdue = append(found.overdue, late[i].ID)
	}
	if err != nil {
		return found, err
	}
	found.apps, err = s.expiring(now)
	return found, err
}

// sweepPage bounds one transaction; what is left comes in the next.
const sweepPage = 1000

// expiring returns apps whose certification ends soon and was not announced.
func (s *Service) expiring(now time.Time) (list []memberwatch.App, err error) {
	for after := memberwatch.AppID(""); ; {
		apps, err := s.files.Apps(after, sweepPage)
		if err != nil || len(apps) == 0 {
			return list, err
		}
		after = apps[len(apps)-1].ID
		err = s.files.ReadReview(func(r *store.Review) error {
			for i := range apps {
				ends, err := unannounced(r, &apps[i], now)
				if err != nil {
					return err
				}
				if len(ends) > 0 {
					list = append(list, apps[i])
				}
			}
			return nil
		})
		if err != nil {
			return list, err
		}
	}
}

// unannounced returns the ends of an app's certifications that are near and were
// not announced, by the marks that hold what was.
func unannounced(r *store.Review, app *memberwatch.App, now time.Time) (map[string]int64, error) {
	ends := make(map[string]int64)
	check := func(mark string, end time.Time) error {
		if end.IsZero() || now.Before(end.Add(-certificationNotice)) {
			return nil
		}
		told, err := r.Mark(mark)
		if told != end.Unix() {
			ends[mark] = end.Unix()
		}
		return err
	}
	mark := "certification/" + string(app.ID)
	if err := check(mark, app.Expires); err != nil {
		return nil, err
	}
	for _, p := range app.Purposes {
		if err := check(mark+"\x00"+string(p.Class), p.Expires); err != nil {
			return nil, err
		}
	}
	return ends, nil
}

// sweep writes what was found, looking again: it may have changed meanwhile.
func (t *turn) sweep(found *due) error {
	for _, id := range found.awake {
		c, err := t.Case(id)
		if err != nil {
			return err
		}
		if c.State != memberwatch.CaseOnHold {
			continue
		}
		if err := t.decide(&c, memberwatch.Decision{Action: memberwatch.ActionResume, Comment: "its wake time has come"}); err != nil {
			return err
		}
	}
	for _, id := range found.overdue {
		if err := t.announceOverdue(id); err != nil {
			return err
		}
	}
	for _, id := range found.ending {
		silence, err := t.Silence(id)
		if err != nil {
			return err
		}
		silence.Warned = true
		if err := t.PutSilence(&silence); err != nil {
			return err
		}
		if err := t.emitSilence(memberwatch.EventSilenceExpiring, &silence); err != nil {
			return err
		}
	}
	for i := range found.apps {
		app := &found.apps[i]
		ends, err := unannounced(t.Review, app, t.now)
		if err != nil {
			return err
		}
		if len(ends) == 0 {
			continue
		}
		for mark, end := range ends {
			if err := t.SetMark(mark, end); err != nil {
				return err
			}
		}
		e := memberwatch.ReviewEvent{Type: memberwatch.EventCertificationExpiring, Subject: "apps/" + string(app.ID), App: app.ID, Time: t.now}
		if err := t.Emit(e, app); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) announceOverdue(id memberwatch.RemediationID) error {
	m, err := t.Remediation(id)
	if err != nil || !m.Overdue(t.now) || m.Announced {
		return err
	}
	m.Announced = true
	if err := t.PutRemediation(&m); err != nil {
		return err
	}
	return t.emitRemedy(memberwatch.EventRemediationOverdue, &m)
}
