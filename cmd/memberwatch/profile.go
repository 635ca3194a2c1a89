package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// profile is all a reviewer asks about an app, from the services that know it.
type profile struct {
	app      *pb.App
	baseline *pb.GetBaselineResponse
	access   accessAnswer
	peers    accessAnswer // of the apps of its category
	signals  []*pb.Signal
	cases    []*pb.Case
	remedies []*pb.Remediation
}

func newReportProfile() *cobra.Command {
	cmd := &cobra.Command{
		Use: "profile APP", Short: "What an app may read, what it read, what is normal for it, and what reviews said of it", Args: exactly("APP"),
		Example: "  memberwatch report profile quizfun --since 90d",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var since moment
	cmd.Flags().Var(&since, "since", "access from this UTC day on (default 90d)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if since.text == "" {
			if err := since.Set("90d"); err != nil {
				return err
			}
		}
		p, err := readProfile(cmd, *server, appName(args[0]), &since)
		if err != nil {
			return err
		}
		if format.value == "json" {
			return p.writeJSON(cmd.OutOrStdout())
		}
		return p.print(cmd.OutOrStdout(), since.text)
	}
	return cmd
}

func readProfile(cmd *cobra.Command, server, app string, since *moment) (p profile, err error) {
	conn, err := dial(cmd.Context(), server)
	if err != nil {
		return p, err
	}
	defer conn.Close() //nolint:errcheck // only read from
	answer, err := pb.NewRegistryServiceClient(conn).GetApp(cmd.Context(), &pb.GetAppRequest{Name: app})
	if err != nil {
		return p, err
	}
	p.app = answer.GetApp()
	if p.baseline, err = pb.NewReportServiceClient(conn).GetBaseline(cmd.Context(), &pb.GetBaselineRequest{App: app}); err != nil {
		return p, err
	}
	if p.access, err = queryAccess(cmd, server, &pb.QueryAccessRequest{App: app, Since: since.proto()}, 0); err != nil {
		return p, err
	}
	if category := p.app.GetCategory(); category != "" {
		if p.peers, err = queryAccess(cmd, server, &pb.QueryAccessRequest{Category: category, Since: since.proto()}, 0); err != nil {
			return p, err
		}
	}
	filter := "app = " + strconv.Quote(bare(app))
	if p.signals, err = listSignals(cmd, conn, &pb.ListSignalsRequest{Filter: filter}, profileItems); err != nil {
		return p, err
	}
	reviews := pb.NewCaseServiceClient(conn)
	cases, err := reviews.ListCases(cmd.Context(), &pb.ListCasesRequest{Filter: filter, PageSize: profileItems})
	if err != nil {
		return p, err
	}
	remedies, err := reviews.ListRemediations(cmd.Context(), &pb.ListRemediationsRequest{Filter: filter, PageSize: profileItems})
	p.cases, p.remedies = cases.GetCases(), remedies.GetRemediations()
	return p, err
}

// profileItems bounds each list of a profile, the newest first.
const profileItems = 50

func (p *profile) print(w io.Writer, since string) error {
	a := p.app
	head := table{columns: []column{left("APP"), left(bare(a.GetName()))}}
	head.add("name", dash(a.GetDisplayName()))
	head.add("developer", dash(a.GetDeveloper()))
	head.add("category", dash(a.GetCategory()))
	head.add("installs, admins", number(a.GetInstalls())+", "+number(a.GetAdmins()))
	head.add("certified", date(a.GetCertifyTime())+" until "+date(a.GetCertificationExpireTime()))
	head.add("baseline", fmt.Sprintf("%s, %s of its own", learningName(a.GetLearningState()), plural(a.GetLearningDays(), "day")))
	head.add("seen", date(a.GetFirstEventTime())+" to "+date(a.GetLastEventTime())+", "+plural(a.GetEventCount(), "event"))
	head.add("members reached", estimate(p.access.total.GetMembers()))
	head.add("reach among peers", p.rank())
	head.add("grants unused", dash(strings.Join(p.unused(), " ")))
	if err := head.writeTo(w); err != nil {
		return err
	}
	if err := printBaseline(w, p.baseline.GetBaseline()); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nread since %s\n", since)
	t := table{columns: []column{left("CLASS"), left("PURPOSE"), right("MEMBERS (95 %)"), right("RECORDS"), right("CALLS"), right("AFTER"), left("FIRST"), left("LAST")}}
	purposes := p.purposes()
	for _, r := range p.access.rows {
		purpose, granted := purposes[r.GetDataClass()]
		if !granted {
			purpose = "NOT GRANTED"
		}
		t.add(dash(r.GetDataClass()), purpose, estimate(r.GetMembers()), number(r.GetRecords()), number(r.GetCalls()),
			number(r.GetCallsAfterRestriction()), date(r.GetFirstTime()), date(r.GetLastTime()))
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nsignals")
	if err := printSignals(w, p.signals, "table"); err != nil {
		return err
	}
	fmt.Fprintln(w, "\ncases")
	if err := printCases(w, p.cases, "table"); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nremediations")
	return printRemediations(w, p.remedies, "table")
}

// writeJSON prints the app, its baseline, what it read, and each signal, case and
// remediation.
func (p *profile) writeJSON(w io.Writer) error {
	all := []proto.Message{p.app, p.baseline, &pb.QueryAccessResponse{Rows: p.access.rows, Total: p.access.total}}
	for _, s := range p.signals {
		all = append(all, s)
	}
	for _, c := range p.cases {
		all = append(all, c)
	}
	for _, r := range p.remedies {
		all = append(all, r)
	}
	for _, m := range all {
		if err := writeJSON(w, m); err != nil {
			return err
		}
	}
	return nil
}

// printBaseline prints what is normal for an app, a line for each feature.
func printBaseline(w io.Writer, b *pb.Baseline) error {
	if len(b.GetExpectations()) == 0 {
		return nil // why not, the learning state says
	}
	t := table{columns: []column{left("FEATURE"), right("DAY (95 %)"), right("BUSIEST HOUR (95 %)")}}
	var day, hour time.Time
	for i, x := range b.GetExpectations() {
		if i == 0 || b.GetExpectations()[i-1].GetFeature() != x.GetFeature() {
			t.add(x.GetFeature(), "-", "-")
		}
		cells, start := t.rows[len(t.rows)-1].cells, x.GetWindow().GetStartTime().AsTime()
		if x.GetWindow().GetScale() == "day" {
			cells[1], day = estimate(x.GetValue()), start
		} else {
			cells[2], hour = estimate(x.GetValue()), start
		}
	}
	fmt.Fprintf(w, "\nnormal on %s, busiest at %s UTC\n", day.Format("Monday 2006-01-02"), hour.Format("15:04"))
	return t.writeTo(w)
}

// rank tells how the app's reach, that of its most read data class, lies among
// the apps of its category that read anything.
func (p *profile) rank() string {
	reach := make(map[string]float64)
	for _, r := range p.peers.rows {
		reach[r.GetApp()] = max(reach[r.GetApp()], r.GetMembers().GetValue())
	}
	own, read := reach[p.app.GetName()]
	delete(reach, p.app.GetName())
	if !read || len(reach) == 0 {
		return "-"
	}
	below := 0
	for _, members := range reach {
		if members < own {
			below++
		}
	}
	return fmt.Sprintf("more than %d of %s of category %s", below, plural(len(reach), "other app"), p.app.GetCategory())
}

// purposes maps the granted data classes to their purposes.
func (p *profile) purposes() map[string]string {
	m := make(map[string]string)
	for _, purpose := range p.app.GetPurposes() {
		m[purpose.GetDataClass()] = dash(purpose.GetPurpose())
	}
	return m
}

// unused lists granted data classes that were not read.
func (p *profile) unused() []string {
	read := make(map[string]bool)
	for _, r := range p.access.rows {
		read[r.GetDataClass()] = true
	}
	var list []string
	for _, purpose := range p.app.GetPurposes() {
		if !read[purpose.GetDataClass()] {
			list = append(list, purpose.GetDataClass())
		}
	}
	return list
}

func newReportCertifications() *cobra.Command {
	cmd := &cobra.Command{Use: "certifications", Short: "List certifications that have ended or end soon, by app and data class", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	within := ahead{}
	cmd.Flags().Var(&within, "within", "that end until then: a time, or a length such as 30d (default 30d)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if within.text == "" {
			if err := within.Set("30d"); err != nil {
				return err
			}
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		// Apps without an end have the time 0.
		filter := "certification_expire_time > 1970-01-01 AND certification_expire_time <= " + within.time.Format(time.RFC3339)
		t := table{columns: []column{left("APP"), left("CLASS"), left("PURPOSE"), left("DEVELOPER"), left("ENDS")}}
		service := pb.NewRegistryServiceClient(conn)
		err = pages(0, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListApps(cmd.Context(), &pb.ListAppsRequest{Filter: filter, PageSize: int32(size), PageToken: token})
			for _, app := range answer.GetApps() {
				if err := addCertifications(cmd.OutOrStdout(), &t, app, within.time, format.value); err != nil {
					return 0, "", err
				}
			}
			return len(answer.GetApps()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return t.writeTo(cmd.OutOrStdout())
	}
	return cmd
}

// addCertifications adds a line for each data class of an app whose certification
// ends within a time, or prints the app.
func addCertifications(w io.Writer, t *table, app *pb.App, within time.Time, format string) error {
	if format == "json" {
		return writeJSON(w, app)
	}
	declared, err := wire.DecodeApp(app)
	if err != nil {
		return err
	}
	ends := func(until time.Time) string {
		text := date(timestamppb.New(until))
		if until.Before(time.Now()) {
			text += " ENDED"
		}
		return text
	}
	for _, p := range declared.Purposes {
		if until := declared.CertifiedUntil(p.Class); !until.IsZero() && !until.After(within) {
			t.add(bare(app.GetName()), string(p.Class), dash(p.Purpose), dash(app.GetDeveloper()), ends(until))
		}
	}
	if len(declared.Purposes) == 0 {
		t.add(bare(app.GetName()), "-", "-", dash(app.GetDeveloper()), ends(declared.Expires))
	}
	return nil
}
