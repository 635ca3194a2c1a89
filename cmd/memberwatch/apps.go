package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

func newApps() *cobra.Command {
	return group("apps", "Look at apps and declare them", newAppsList(), newAppsShow(), newAppsPut())
}

func newAppsList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List apps, declared or only seen, by name", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", `only apps that match, such as 'category = "games"', over developer, category, learning_state and declared`)
	limit := cmd.Flags().Int("limit", 50, "list at most so many; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var apps []*pb.App
		service := pb.NewRegistryServiceClient(conn)
		err = pages(*limit, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListApps(cmd.Context(), &pb.ListAppsRequest{Filter: *filter, PageSize: int32(size), PageToken: token})
			apps = append(apps, answer.GetApps()...)
			return len(answer.GetApps()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printApps(cmd.OutOrStdout(), apps, format.value)
	}
	return cmd
}

func printApps(w io.Writer, apps []*pb.App, format string) error {
	t := table{columns: []column{
		left("APP"), left("DEVELOPER"), left("CATEGORY"), left("BASELINE"), right("EVENTS"), left("FIRST"), left("LAST"),
	}}
	for _, a := range apps {
		if format == "json" {
			if err := writeJSON(w, a); err != nil {
				return err
			}
			continue
		}
		t.add(bare(a.GetName()), dash(a.GetDeveloper()), dash(a.GetCategory()), learningName(a.GetLearningState()),
			number(a.GetEventCount()), date(a.GetFirstEventTime()), date(a.GetLastEventTime()))
	}
	return t.writeTo(w)
}

func newAppsShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show APP", Short: "Show one app", Args: exactly("APP")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.GetAppRequest, *pb.GetAppResponse] {
			return pb.NewRegistryServiceClient(c).GetApp
		}, &pb.GetAppRequest{Name: appName(args[0])})
		if err != nil {
			return err
		}
		return printApp(cmd.OutOrStdout(), answer.GetApp(), format.value)
	}
	return cmd
}

// appName takes an app's id, or its resource name, as people paste it.
func appName(arg string) string {
	return wire.AppName(memberwatch.AppID(strings.TrimPrefix(arg, "apps/")))
}

func printApp(w io.Writer, a *pb.App, format string) error {
	if format == "json" {
		return writeJSON(w, a)
	}
	t := table{columns: []column{left("APP"), left(bare(a.GetName()))}}
	declared := "no, only seen"
	if a.GetDeclared() {
		declared = "yes, last " + instant(a.GetUpdateTime())
	}
	t.add("declared", declared)
	t.add("display name", dash(a.GetDisplayName()))
	t.add("developer", dash(a.GetDeveloper()))
	t.add("category", dash(a.GetCategory()))
	t.add("installs", number(a.GetInstalls()))
	t.add("admins", number(a.GetAdmins()))
	for _, p := range a.GetPurposes() {
		until := ""
		if p.GetExpireTime() != nil {
			until = ", certified until " + instant(p.GetExpireTime())
		}
		t.add("may read", p.GetDataClass()+": "+dash(p.GetPurpose())+until)
	}
	t.add("certified", instant(a.GetCertifyTime()))
	t.add("certified until", instant(a.GetCertificationExpireTime()))
	t.add("events", number(a.GetEventCount()))
	t.add("first event", instant(a.GetFirstEventTime()))
	t.add("newest event", instant(a.GetLastEventTime()))
	t.add("baseline", learningName(a.GetLearningState()))
	return t.writeTo(w)
}

// appFlags are what apps put declares.
type appFlags struct {
	app       memberwatch.App
	purposes  []string
	ends      []string
	certified moment
	expires   ahead
}

func newAppsPut() *cobra.Command {
	cmd := &cobra.Command{
		Use: "put APP", Short: "Declare an app, or replace what was declared", Args: exactly("APP"),
		Example: "  memberwatch apps put quizfun --developer acme --category games \\\n" +
			"    --purpose group_membership='shows who plays' --certified 2026-01-15",
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var f appFlags
	flags := cmd.Flags()
	flags.StringVar((*string)(&f.app.Developer), "developer", "", "who owns the app")
	flags.StringVar(&f.app.DisplayName, "name", "", "what people call it")
	flags.StringVar(&f.app.Category, "category", "", "apps of one category are peers")
	flags.Int64Var(&f.app.Installs, "installs", 0, "how many users have it; 0: unknown")
	flags.Int64Var(&f.app.Admins, "admins", 0, "how many admins use it; 0: unknown")
	flags.StringArrayVar(&f.purposes, "purpose", nil, "a data class it may read and why, CLASS=REASON; may be repeated")
	flags.StringArrayVar(&f.ends, "purpose-expires", nil, "when the certification for one data class ends, CLASS=TIME; may be repeated")
	flags.Var(&f.certified, "certified", "when the developer last certified the purposes")
	flags.Var(&f.expires, "expires", "when the certification ends: a time, or a length such as 90d")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.complete(args[0]); err != nil {
			return err
		}
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.PutAppRequest, *pb.PutAppResponse] {
			return pb.NewRegistryServiceClient(c).PutApp
		}, &pb.PutAppRequest{App: wire.EncodeApp(&memberwatch.AppView{App: f.app})})
		if err != nil {
			return err
		}
		return printApp(cmd.OutOrStdout(), answer.GetApp(), format.value)
	}
	return cmd
}

// complete fills the app from the flags that are not fields of it.
func (f *appFlags) complete(id string) error {
	f.app.ID = memberwatch.AppID(strings.TrimPrefix(id, "apps/"))
	f.app.Certified, f.app.Expires = f.certified.time, f.expires.time
	for _, p := range f.purposes {
		class, why, found := strings.Cut(p, "=")
		if !found {
			return usagef("--purpose %q: write CLASS=REASON", p)
		}
		f.app.Purposes = append(f.app.Purposes, memberwatch.Purpose{Class: memberwatch.DataClass(class), Purpose: why})
	}
	for _, end := range f.ends {
		class, text, _ := strings.Cut(end, "=")
		i := slices.IndexFunc(f.app.Purposes, func(p memberwatch.Purpose) bool { return string(p.Class) == class })
		if i < 0 {
			return usagef("--purpose-expires %q: no --purpose names data class %q", end, class)
		}
		var until ahead
		if err := until.Set(text); err != nil {
			return usagef("--purpose-expires %q: %v", end, err)
		}
		f.app.Purposes[i].Expires = until.time
	}
	return nil
}
