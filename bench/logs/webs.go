package logs

import (
	"context"
	"path/filepath"
	"time"

	"github.com/memberwatch/memberwatch"
)

// EDGAR runs the web log of a public filing service: addresses are apps, those of
// one /16 network have one developer, companies are members. It is one day,
// thinned, so no app has a past: who stands out does so among its peers.
func EDGAR(ctx context.Context, dir string, watch func(int64)) (*Ranking, error) {
	return rank(ctx, scrapers(), watch, func(r *runner) error {
		return read(filepath.Join(dir, "events.csv.gz"), func(row *row) error {
			ev := memberwatch.Event{
				App: memberwatch.AppID("address-" + row.text("app")), Developer: memberwatch.DeveloperID("net-" + row.text("net")),
				Network: "fleet-" + row.text("fleet"), Time: row.time("t", time.RFC3339), Endpoint: row.text("endpoint"),
				DataClasses: []string{row.text("field")},
			}
			answer(&ev, row.number("status"), hash(row.number("member")))
			r.volumes.add(&ev)
			return r.append(ctx, &ev)
		})
	})
}

// scrapers are the addresses that the set's notes name.
func scrapers() (named []Offender) {
	for _, app := range []memberwatch.AppID{"address-545", "address-98", "address-583", "address-1183"} {
		named = append(named, Offender{App: app, Why: "walks the companies in order"})
	}
	named = append(named, Offender{App: "address-30", Why: "guesses file names"})
	for _, app := range []memberwatch.AppID{"address-1910", "address-1909", "address-1736", "address-1734", "address-1735"} {
		named = append(named, Offender{App: app, Why: "one of a rented fleet"})
	}
	return named
}

// answer enters what an HTTP status says of a call for one member. What failed
// disclosed nobody.
func answer(ev *memberwatch.Event, status, member uint64) {
	switch {
	case status >= 200 && status < 400:
		ev.Outcome, ev.Disclosed = memberwatch.OutcomeOK, []uint64{member}
	case status == 404 || status == 410:
		ev.Outcome, ev.Requested = memberwatch.OutcomeNotFound, []uint64{member}
	case status == 401 || status == 403:
		ev.Outcome, ev.Requested = memberwatch.OutcomeDenied, []uint64{member}
	case status == 429:
		ev.Outcome, ev.Requested = memberwatch.OutcomeThrottled, []uint64{member}
	default:
		ev.Outcome, ev.Requested = memberwatch.OutcomeError, []uint64{member}
	}
}

// CRAN runs the download log of a package mirror: addresses are apps and keep
// their number for one day, packages are members.
func CRAN(ctx context.Context, dir string, watch func(int64)) (*Ranking, error) {
	harvesters := []Offender{
		{App: "2012-12-26-417", Why: "takes 96 % of the catalogue in 94 minutes"},
		{App: "2012-12-26-1", Why: "takes 69 % of the catalogue over a day"},
		{App: "2012-10-06-1", Why: "takes all packages of its day over 5 hours"},
	}
	names := make(map[string]uint64)
	return rank(ctx, harvesters, watch, func(r *runner) error {
		return read(filepath.Join(dir, "events.csv.gz"), func(row *row) error {
			ev := memberwatch.Event{
				App: memberwatch.AppID(row.text("app")), Time: row.time("t", time.RFC3339), Endpoint: "R-" + row.text("client"),
				DataClasses: []string{"os-" + row.text("os")}, Group: row.text("country"), Outcome: memberwatch.OutcomeOK,
			}
			name := row.text("member")
			if _, known := names[name]; !known {
				names[name] = uint64(len(names))
			}
			ev.Disclosed = []uint64{hash(names[name])}
			r.volumes.add(&ev)
			return r.append(ctx, &ev)
		})
	})
}
