package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

// restrictFlags are what restrict declares.
type restrictFlags struct {
	id, class, endpoint, reason string
	apps, exempt                []string
	from                        moment
	grace                       duration
}

func newRestrict() *cobra.Command {
	cmd := &cobra.Command{
		Use: "restrict", Short: "Forbid a data class, endpoint or apps from a time on", Args: cobra.ArbitraryArgs,
		Long: "restrict records that a data class or endpoint may not be used, by some apps or by all. Every\n" +
			"access after its start and grace raises a signal at once.",
		Example: "  memberwatch restrict --class group_membership --grace 14d --reason 'Groups API closed'\n" +
			"  memberwatch restrict --app quizfun --app quizmore --from 2026-04-04",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var f restrictFlags
	flags := cmd.Flags()
	flags.StringVar(&f.id, "id", "", "name of the restriction; default: what it restricts and its first day")
	flags.StringVar(&f.class, "class", "", "the data class; none: any")
	flags.StringVar(&f.endpoint, "endpoint", "", "the endpoint; none: any")
	flags.StringArrayVar(&f.apps, "app", nil, "only this app; may be repeated; none: all apps")
	flags.StringArrayVar(&f.exempt, "exempt", nil, "not this app; may be repeated")
	flags.Var(&f.from, "from", "when it begins; default: now")
	flags.Var(&f.grace, "grace", "how long access is still tolerated then, such as 14d")
	flags.StringVar(&f.reason, "reason", "", "why it exists")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return chooseCommand(cmd, args)
		}
		if f.class == "" && f.endpoint == "" && len(f.apps) == 0 {
			return &usageError{message: "restrict needs something to restrict", hint: "name it with --class, --endpoint or --app"}
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.PutRestrictionRequest, *pb.PutRestrictionResponse] {
			return pb.NewRegistryServiceClient(c).PutRestriction
		}, &pb.PutRestrictionRequest{Restriction: f.message(time.Now())})
		if err != nil {
			return err
		}
		return printRestrictions(cmd.OutOrStdout(), []*pb.Restriction{answer.GetRestriction()}, format.value)
	}
	cmd.AddCommand(newRestrictList(), newRestrictLift())
	return cmd
}

// message returns the restriction to record.
func (f *restrictFlags) message(now time.Time) *pb.Restriction {
	if f.from.time.IsZero() {
		f.from.time = now.UTC()
	}
	id := f.id
	if id == "" {
		what := strings.Join(append([]string{f.class, f.endpoint}, f.apps...), "-")
		id = strings.Trim(what, "-") + "-" + f.from.time.Format(time.DateOnly)
	}
	r := &pb.Restriction{
		Name: restrictionName(id), DataClass: f.class, Endpoint: f.endpoint, Reason: f.reason,
		EffectiveTime: f.from.proto(), Grace: durationpb.New(f.grace.Duration),
	}
	for _, app := range f.apps {
		r.Apps = append(r.Apps, appName(app))
	}
	for _, app := range f.exempt {
		r.ExemptApps = append(r.ExemptApps, appName(app))
	}
	return r
}

func restrictionName(arg string) string {
	return wire.RestrictionName(memberwatch.RestrictionID(strings.TrimPrefix(arg, "restrictions/")))
}

func newRestrictList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List restrictions, lifted ones too", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only those that match, such as active = true AND data_class = name")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var all []*pb.Restriction
		service := pb.NewRegistryServiceClient(conn)
		err = pages(0, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListRestrictions(cmd.Context(), &pb.ListRestrictionsRequest{PageSize: int32(size), PageToken: token, Filter: *filter})
			all = append(all, answer.GetRestrictions()...)
			return len(answer.GetRestrictions()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printRestrictions(cmd.OutOrStdout(), all, format.value)
	}
	return cmd
}

func newRestrictLift() *cobra.Command {
	cmd := &cobra.Command{Use: "lift RESTRICTION", Short: "End a restriction; it stays on record", Args: exactly("RESTRICTION")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var at moment
	cmd.Flags().Var(&at, "at", "from when on access is allowed again; default: now")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.LiftRestrictionRequest, *pb.LiftRestrictionResponse] {
			return pb.NewRegistryServiceClient(c).LiftRestriction
		}, &pb.LiftRestrictionRequest{Name: restrictionName(args[0]), LiftTime: at.proto()})
		if err != nil {
			return err
		}
		return printRestrictions(cmd.OutOrStdout(), []*pb.Restriction{answer.GetRestriction()}, format.value)
	}
	return cmd
}

func printRestrictions(w io.Writer, all []*pb.Restriction, format string) error {
	t := table{columns: []column{left("RESTRICTION"), left("FROM"), left("GRACE"), left("LIFTED"), left("WHAT")}}
	for _, r := range all {
		if format == "json" {
			if err := writeJSON(w, r); err != nil {
				return err
			}
			continue
		}
		t.addNoted(r.GetReason(), bare(r.GetName()), instant(r.GetEffectiveTime()), days(r.GetGrace().AsDuration()), instant(r.GetLiftTime()), scope(r))
	}
	return t.writeTo(w)
}

// days writes a length of time as people think of it.
func days(d time.Duration) string {
	if d > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}

// scope says what a restriction speaks of.
func scope(r *pb.Restriction) string {
	var parts []string
	if r.GetDataClass() != "" {
		parts = append(parts, "class "+r.GetDataClass())
	}
	if r.GetEndpoint() != "" {
		parts = append(parts, "endpoint "+r.GetEndpoint())
	}
	if apps := r.GetApps(); len(apps) == 1 {
		parts = append(parts, "app "+bare(apps[0]))
	} else if len(apps) > 1 {
		parts = append(parts, plural(len(apps), "app"))
	}
	if n := len(r.GetExemptApps()); n > 0 {
		parts = append(parts, "but for "+plural(n, "app"))
	}
	return strings.Join(parts, ", ")
}
