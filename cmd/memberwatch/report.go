package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

func newReport() *cobra.Command {
	return group("report", "Answer questions about the past", newReportAccess(), newReportProfile(), newReportPacket(), newReportCertifications())
}

// accessAnswer is a whole answer of QueryAccess, all pages together.
type accessAnswer struct {
	rows  []*pb.AccessRow
	total *pb.AccessRow
}

func newReportAccess() *cobra.Command {
	cmd := &cobra.Command{
		Use: "access", Short: "Who read which data class, by which endpoint or of which group, since when, and how many members", Args: exactly(),
		Long: `Who read what since when, and how many members.

Of a group, and of an endpoint among several of an app, the ledger may know only
that it lies among others. What is read then is at most so much, shown as <=; DAYS
are those that are certain, then those that are possible in all.`,
		Example: "  memberwatch report access --class group_membership --since 60d --after-restriction\n" +
			"  memberwatch report access --endpoint /groups/members --category crm",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json", "csv")
	var since, until moment
	var app string
	q := &pb.QueryAccessRequest{}
	flags := cmd.Flags()
	flags.StringVar(&q.DataClass, "class", "", "the data class; none: every class")
	flags.StringVar(&q.Endpoint, "endpoint", "", "only by this endpoint of the platform's API")
	flags.StringVar(&q.Group, "group", "", "only members of this group; not together with --endpoint")
	flags.StringVar(&q.Category, "category", "", "only apps of this declared category")
	flags.StringVar(&app, "app", "", "only this app")
	flags.StringVar(&q.Developer, "developer", "", "only this developer's apps")
	flags.Var(&since, "since", "from this UTC day on, such as 60d or 2026-01-31 (default 60d)")
	flags.Var(&until, "until", "up to this UTC day, inclusive; none: no end")
	flags.BoolVar(&q.AfterRestrictionOnly, "after-restriction", false, "only access that broke a restriction")
	flags.BoolVar(&q.ByDeveloper, "by-developer", false, "sum the apps of one developer into one row")
	limit := flags.Int("limit", 0, "print at most so many rows; 0 prints all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		if since.text == "" {
			if err := since.Set("60d"); err != nil {
				return err
			}
		}
		q.Since, q.Until = since.proto(), until.proto()
		if app != "" {
			q.App = appName(app)
		}
		answer, err := queryAccess(cmd, *server, q, *limit)
		if err != nil {
			return err
		}
		return printAccess(cmd.OutOrStdout(), answer, q, format.value)
	}
	return cmd
}

// maxRows is the largest page of a report.
const maxRows = 50_000

func queryAccess(cmd *cobra.Command, server string, q *pb.QueryAccessRequest, limit int) (accessAnswer, error) {
	conn, err := dial(cmd.Context(), server)
	if err != nil {
		return accessAnswer{}, err
	}
	defer conn.Close() //nolint:errcheck // only read from
	var all accessAnswer
	service := pb.NewReportServiceClient(conn)
	err = pages(limit, maxRows, func(token string, size int) (int, string, error) {
		q.PageToken, q.PageSize = token, int32(size)
		answer, err := service.QueryAccess(cmd.Context(), q)
		if err != nil {
			return 0, "", err
		}
		all.rows = append(all.rows, answer.GetRows()...)
		all.total = answer.GetTotal()
		return len(answer.GetRows()), answer.GetNextPageToken(), nil
	})
	return all, err
}

func printAccess(w io.Writer, answer accessAnswer, q *pb.QueryAccessRequest, format string) error {
	switch format {
	case "json":
		return writeJSON(w, &pb.QueryAccessResponse{Rows: answer.rows, Total: answer.total})
	case "csv":
		return writeAccessCSV(w, answer.rows)
	}
	t := table{columns: []column{
		left(who(q)), right("MEMBERS (95 %)"), right("RECORDS"), right("CALLS"), right("AFTER"), right("GROUPS"), right("DAYS"),
		left("FIRST"), left("LAST"),
	}}
	every := q.GetDataClass() == "" // then rows are by class, too
	if every {
		t.columns = slices.Insert(t.columns, 1, left("CLASS"))
	}
	add := func(name string, r *pb.AccessRow) {
		cells := accessCells(name, r)
		if every {
			cells = slices.Insert(cells, 1, dash(r.GetDataClass()))
		}
		t.add(cells...)
	}
	for _, r := range answer.rows {
		name := bare(r.GetApp())
		if q.GetByDeveloper() {
			name = r.GetDeveloper()
		}
		add(dash(name), r)
	}
	if len(answer.rows) > 0 {
		add(fmt.Sprintf("all %s", plural(answer.total.GetApps(), "app")), answer.total)
	}
	return t.writeTo(w)
}

// who names the rows' first column.
func who(q *pb.QueryAccessRequest) string {
	if q.GetByDeveloper() {
		return "DEVELOPER"
	}
	return "APP"
}

func accessCells(name string, r *pb.AccessRow) []string {
	members, most, days := estimate(r.GetMembers()), "", number(r.GetActiveDays())
	if r.GetAtMost() {
		m := r.GetMembers()
		members, most = decimal(m.GetLow())+" to "+decimal(m.GetHigh()), "<="
	}
	if r.GetCertainDays() < r.GetActiveDays() {
		days = number(r.GetCertainDays()) + " to " + days
	}
	return []string{
		name, members, most + number(r.GetRecords()), most + number(r.GetCalls()), most + number(r.GetCallsAfterRestriction()),
		decimal(r.GetGroups().GetValue()), days, date(r.GetFirstTime()), date(r.GetLastTime()),
	}
}

// writeAccessCSV prints rows for spreadsheets: plain numbers, no total.
func writeAccessCSV(w io.Writer, rows []*pb.AccessRow) error {
	out := csv.NewWriter(w)
	head := []string{
		"app", "developer", "data_class", "calls", "records", "denials", "members", "members_low", "members_high",
		"groups", "first_day", "last_day", "active_days", "calls_after_restriction", "apps", "at_most", "certain_days",
	}
	if err := out.Write(head); err != nil {
		return err
	}
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	about := func(x float64) string { return strconv.FormatFloat(x, 'f', 0, 64) }
	for _, r := range rows {
		m := r.GetMembers()
		err := out.Write([]string{
			bare(r.GetApp()), r.GetDeveloper(), r.GetDataClass(), whole(r.GetCalls()), whole(r.GetRecords()), whole(r.GetDenials()),
			about(m.GetValue()), about(m.GetLow()), about(m.GetHigh()), about(r.GetGroups().GetValue()),
			date(r.GetFirstTime()), date(r.GetLastTime()), whole(int64(r.GetActiveDays())), whole(r.GetCallsAfterRestriction()), whole(int64(r.GetApps())),
			strconv.FormatBool(r.GetAtMost()), whole(int64(r.GetCertainDays())),
		})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
