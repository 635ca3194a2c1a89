package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/wire"
)

func newWebhooks() *cobra.Command {
	return group("webhooks", "Tell others what happens, by signed messages",
		newWebhooksList(), newWebhooksAdd(), newWebhooksUpdate(), newWebhooksEnable(), newWebhooksDisable(), newWebhooksRemove(),
		newWebhooksRotate(), newWebhooksPing(), newWebhooksDeliveries(), newWebhooksDead(), newWebhooksReplay())
}

// endpointName returns the resource name of an endpoint given by name or id.
func endpointName(arg string) string {
	return wire.EndpointName(memberwatch.EndpointID(strings.TrimPrefix(arg, "endpoints/")))
}

// askDelivery asks DeliveryService one question.
func askDelivery[Q, A any](ctx context.Context, server string, pick func(pb.DeliveryServiceClient) call[Q, A], question Q) (A, error) {
	return ask(ctx, server, func(c *grpc.ClientConn) call[Q, A] { return pick(pb.NewDeliveryServiceClient(c)) }, question)
}

func newWebhooksList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List endpoints and how they fare", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var all []*pb.Endpoint
		service := pb.NewDeliveryServiceClient(conn)
		err = pages(0, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListEndpoints(cmd.Context(), &pb.ListEndpointsRequest{PageSize: int32(size), PageToken: token})
			all = append(all, answer.GetEndpoints()...)
			return len(answer.GetEndpoints()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printEndpoints(cmd.OutOrStdout(), all, format.value)
	}
	return cmd
}

// printEndpoints prints endpoints as a table or as one JSON object per line.
func printEndpoints(w io.Writer, all []*pb.Endpoint, format string) error {
	t := table{columns: []column{
		left("ENDPOINT"), left("STATE"), right("WAITING"), right("DEAD"), left("PAYLOAD"), left("TAKES"), left("URL"),
	}}
	for _, e := range all {
		if format == "json" {
			if err := writeJSON(w, e); err != nil {
				return err
			}
			continue
		}
		note := ""
		if e.GetDisableReason() != "" {
			note = fmt.Sprintf("disabled %s: %s", instant(e.GetDisableTime()), e.GetDisableReason())
		}
		t.addNoted(note, bare(e.GetName()), strings.TrimPrefix(e.GetState().String(), "STATE_"), number(e.GetWaitingCount()), number(e.GetDeadCount()),
			strings.ToLower(strings.TrimPrefix(e.GetPayload().String(), "PAYLOAD_")), takes(e), e.GetUrl())
	}
	return t.writeTo(w)
}

// takes says what an endpoint is told.
func takes(e *pb.Endpoint) string {
	what := strings.Join(e.GetTypes(), ",")
	if what == "" {
		what = "all"
	}
	if e.GetMinSeverity() != pb.Severity_SEVERITY_UNSPECIFIED {
		what += " >=" + strings.TrimPrefix(e.GetMinSeverity().String(), "SEVERITY_")
	}
	if e.GetIncludeSilenced() {
		what += " +silenced"
	}
	return what
}

// endpointFlags are what add and update say of an endpoint.
type endpointFlags struct {
	types             []string
	severity, payload choice
	silenced, private bool
}

func (f *endpointFlags) bind(cmd *cobra.Command) {
	f.severity = choice{value: "any", choices: []string{"any", "low", "medium", "high", "critical"}}
	f.payload = choice{value: "thin", choices: []string{"thin", "full"}}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.types, "types", nil, "only these types of notices, such as signal.created,case.*; none: all")
	flags.Var(&f.severity, "min-severity", "no notices of less severe signals and cases: any, low, medium, high, critical")
	flags.Var(&f.payload, "payload", "thin: names and a link; full: everything, for signals an OCSF finding")
	flags.BoolVar(&f.silenced, "include-silenced", false, "notices of signals that a silence hides, too")
	flags.BoolVar(&f.private, "allow-private", false, "let it be on a private or loopback address, and without TLS")
}

// message returns the endpoint that the flags describe.
func (f *endpointFlags) message(arg, url string) *pb.Endpoint {
	e := &pb.Endpoint{
		Name: endpointName(arg), Url: url, Types: f.types, Payload: pb.Payload_PAYLOAD_THIN,
		MinSeverity: pb.Severity(pb.Severity_value["SEVERITY_"+strings.ToUpper(f.severity.value)]), IncludeSilenced: f.silenced, AllowPrivate: f.private,
	}
	if f.payload.value == "full" {
		e.Payload = pb.Payload_PAYLOAD_FULL
	}
	return e
}

// keyFlags ask for a key.
type keyFlags struct {
	secretFile string
	asymmetric bool
}

func (f *keyFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.secretFile, "secret-file", "", "file with the key to use (whsec_… or whsk_…), - for standard input; none: one is made")
	cmd.Flags().BoolVar(&f.asymmetric, "asymmetric", false, "make an ed25519 key (v1a) instead of a shared secret (v1)")
}

// message returns the request for a key. The key comes from a file: what is on a
// command line is seen by everybody on the machine.
func (f *keyFlags) message(cmd *cobra.Command) (*pb.KeyRequest, error) {
	r := &pb.KeyRequest{Asymmetric: f.asymmetric}
	if f.secretFile == "" {
		return r, nil
	}
	secret, err := readWhole(f.secretFile, cmd.InOrStdin())
	if err != nil {
		return nil, hinted{fmt.Errorf("read secret: %w", err), "name an existing file with --secret-file"}
	}
	r.Secret = strings.TrimSpace(string(secret))
	return r, nil
}

func newWebhooksAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add ENDPOINT URL", Short: "Deliver to an endpoint from now on", Args: exactly("ENDPOINT", "URL"),
		Long: "add begins to deliver to an endpoint and prints, on standard output, what its receiver verifies messages\n" +
			"with. It is not shown again: rotate makes a new one.",
		Example: "  memberwatch webhooks add pager https://pager.example/hook --types signal.created --min-severity high\n" +
			"  memberwatch webhooks add siem https://siem.example/in --payload full --include-silenced --asymmetric",
	}
	server := serverFlag(cmd)
	var e endpointFlags
	var k keyFlags
	e.bind(cmd)
	k.bind(cmd)
	fromStart := cmd.Flags().Bool("from-start", false, "deliver all notices that are still kept, not only those from now on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := k.message(cmd)
		if err != nil {
			return err
		}
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.CreateEndpointRequest, *pb.CreateEndpointResponse] {
			return s.CreateEndpoint
		}, &pb.CreateEndpointRequest{Endpoint: e.message(args[0], args[1]), Key: key, FromStart: *fromStart})
		if err != nil {
			return err
		}
		return printKey(cmd, answer.GetEndpoint(), answer.GetVerificationKey())
	}
	return cmd
}

// printKey prints the key alone on standard output, so that it can be piped to
// where secrets are kept.
func printKey(cmd *cobra.Command, e *pb.Endpoint, key string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: %s is delivered to %s; the receiver verifies with the key below\n"+
		"hint: memberwatch webhooks ping %s\n", bare(e.GetName()), e.GetUrl(), bare(e.GetName()))
	_, err := fmt.Fprintln(cmd.OutOrStdout(), key)
	return err
}

func newWebhooksUpdate() *cobra.Command {
	cmd := &cobra.Command{Use: "update ENDPOINT", Short: "Change what an endpoint is and takes", Args: exactly("ENDPOINT")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	var e endpointFlags
	e.bind(cmd)
	url := cmd.Flags().String("url", "", "deliver to this URL")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r := &pb.UpdateEndpointRequest{Endpoint: e.message(args[0], *url)}
		r.UpdateMask = changedFields(cmd, "url", "types", "min-severity", "payload", "include-silenced", "allow-private")
		if len(r.GetUpdateMask().GetPaths()) == 0 {
			return &usageError{message: "update needs something to change", hint: "see memberwatch webhooks update --help"}
		}
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.UpdateEndpointRequest, *pb.UpdateEndpointResponse] {
			return s.UpdateEndpoint
		}, r)
		if err != nil {
			return err
		}
		return printEndpoints(cmd.OutOrStdout(), []*pb.Endpoint{answer.GetEndpoint()}, format.value)
	}
	return cmd
}

func newWebhooksEnable() *cobra.Command {
	cmd := &cobra.Command{Use: "enable ENDPOINT", Short: "Let deliveries to an endpoint go on", Args: exactly("ENDPOINT")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.EnableEndpointRequest, *pb.EnableEndpointResponse] {
			return s.EnableEndpoint
		}, &pb.EnableEndpointRequest{Name: endpointName(args[0])})
		if err != nil {
			return err
		}
		return printEndpoints(cmd.OutOrStdout(), []*pb.Endpoint{answer.GetEndpoint()}, format.value)
	}
	return cmd
}

func newWebhooksDisable() *cobra.Command {
	cmd := &cobra.Command{Use: "disable ENDPOINT", Short: "Hold deliveries to an endpoint; they wait", Args: exactly("ENDPOINT")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	reason := cmd.Flags().String("reason", "disabled by hand", "why")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.DisableEndpointRequest, *pb.DisableEndpointResponse] {
			return s.DisableEndpoint
		}, &pb.DisableEndpointRequest{Name: endpointName(args[0]), Reason: *reason})
		if err != nil {
			return err
		}
		return printEndpoints(cmd.OutOrStdout(), []*pb.Endpoint{answer.GetEndpoint()}, format.value)
	}
	return cmd
}

func newWebhooksRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove ENDPOINT", Short: "Forget an endpoint with its deliveries", Args: exactly("ENDPOINT")}
	server := serverFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.DeleteEndpointRequest, *pb.DeleteEndpointResponse] {
			return s.DeleteEndpoint
		}, &pb.DeleteEndpointRequest{Name: endpointName(args[0])})
		return err
	}
	return cmd
}
