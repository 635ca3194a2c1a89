package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// maxSecretBytes bounds what is read as a secret.
const maxSecretBytes = 4096

// readWhole reads a small file, - being standard input.
func readWhole(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxSecretBytes))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	return io.ReadAll(io.LimitReader(f, maxSecretBytes))
}

// changedFields returns the mask of those flags that were given.
func changedFields(cmd *cobra.Command, flags ...string) *fieldmaskpb.FieldMask {
	m := &fieldmaskpb.FieldMask{}
	for _, flag := range flags {
		if cmd.Flags().Changed(flag) {
			m.Paths = append(m.Paths, strings.ReplaceAll(flag, "-", "_"))
		}
	}
	return m
}

func newWebhooksRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate ENDPOINT", Short: "Give an endpoint a new key", Args: exactly("ENDPOINT"),
		Long: "rotate prints the new key on standard output. Messages are signed with the old key, too, until the overlap\n" +
			"is over, so that the receiver can change its own meanwhile.",
	}
	server := serverFlag(cmd)
	var k keyFlags
	k.bind(cmd)
	overlap := duration{24 * time.Hour}
	cmd.Flags().Var(&overlap, "overlap", "how long the old key goes on signing; 0s: not at all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := k.message(cmd)
		if err != nil {
			return err
		}
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.RotateEndpointKeyRequest, *pb.RotateEndpointKeyResponse] {
			return s.RotateEndpointKey
		}, &pb.RotateEndpointKeyRequest{Name: endpointName(args[0]), Key: key, Overlap: durationpb.New(overlap.Duration)})
		if err != nil {
			return err
		}
		return printKey(cmd, answer.GetEndpoint(), answer.GetVerificationKey())
	}
	return cmd
}

func newWebhooksPing() *cobra.Command {
	cmd := &cobra.Command{Use: "ping ENDPOINT", Short: "Send an endpoint one message now and see what it says", Args: exactly("ENDPOINT")}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.PingEndpointRequest, *pb.PingEndpointResponse] {
			return s.PingEndpoint
		}, &pb.PingEndpointRequest{Name: endpointName(args[0])})
		if err != nil {
			return err
		}
		if format.value == "json" {
			if err := writeJSON(cmd.OutOrStdout(), answer); err != nil {
				return err
			}
		}
		took := answer.GetElapsed().AsDuration().Round(time.Millisecond)
		if answer.GetError() != "" {
			return fmt.Errorf("ping %s after %s: %s", args[0], took, answer.GetError())
		}
		if format.value == "table" {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s took the message with status %d after %s\n", args[0], answer.GetStatus(), took)
		}
		return err
	}
	return cmd
}

func newWebhooksDeliveries() *cobra.Command {
	cmd := &cobra.Command{Use: "deliveries ENDPOINT", Short: "List an endpoint's deliveries, newest first", Args: exactly("ENDPOINT")}
	state := choice{value: "delivered", choices: []string{"delivered", "waiting", "dead"}}
	cmd.Flags().Var(&state, "state", "in which state: delivered, waiting, dead")
	listDeliveries(cmd, &state)
	return cmd
}

func newWebhooksDead() *cobra.Command {
	cmd := &cobra.Command{Use: "dead ENDPOINT", Short: "List what was given up; replay delivers it again", Args: exactly("ENDPOINT")}
	listDeliveries(cmd, &choice{value: "dead"})
	return cmd
}

// listDeliveries makes a command list the deliveries in a state.
func listDeliveries(cmd *cobra.Command, state *choice) {
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	limit := cmd.Flags().Int("limit", 50, "list at most so many; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkLimit(*limit); err != nil {
			return err
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var all []*pb.Delivery
		service := pb.NewDeliveryServiceClient(conn)
		r := &pb.ListDeliveriesRequest{Endpoint: endpointName(args[0]), State: pb.Delivery_State(pb.Delivery_State_value["STATE_"+strings.ToUpper(state.value)])}
		err = pages(*limit, maxPage, func(token string, size int) (int, string, error) {
			r.PageToken, r.PageSize = token, int32(size)
			answer, err := service.ListDeliveries(cmd.Context(), r)
			all = append(all, answer.GetDeliveries()...)
			return len(answer.GetDeliveries()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printDeliveries(cmd.OutOrStdout(), all, format.value)
	}
}

func printDeliveries(w io.Writer, all []*pb.Delivery, format string) error {
	t := table{columns: []column{right("SEQUENCE"), left("TYPE"), left("SUBJECT"), right("ATTEMPTS"), left("LAST"), left("NEXT"), right("STATUS")}}
	for _, v := range all {
		if format == "json" {
			if err := writeJSON(w, v); err != nil {
				return err
			}
			continue
		}
		status := "-"
		if v.GetLastStatus() != 0 {
			status = strconv.Itoa(int(v.GetLastStatus()))
		}
		t.addNoted(v.GetLastError(), strconv.FormatInt(v.GetSequence(), 10), v.GetType(), v.GetSubject(), strconv.Itoa(int(v.GetAttempts())),
			instant(v.GetLastAttemptTime()), instant(v.GetNextAttemptTime()), status)
	}
	return t.writeTo(w)
}

func newWebhooksReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay ENDPOINT [FIRST [LAST]]", Short: "Deliver notices again: one, a range, or the dead ones",
		Long: "replay delivers the notice with a sequence again, or those of a range of sequences, or with --dead those that\n" +
			"were given up. Messages keep their ids, so a receiver that remembers them does nothing twice.",
		Example: "  memberwatch webhooks replay siem 1041\n  memberwatch webhooks replay siem 1000 1100\n  memberwatch webhooks replay siem --dead",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 3 {
				return exactly("ENDPOINT", "FIRST")(cmd, args)
			}
			return nil
		},
	}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	dead := cmd.Flags().Bool("dead", false, "only what was given up; without a range: all of it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := replayRequest(args, *dead)
		if err != nil {
			return err
		}
		answer, err := askDelivery(cmd.Context(), *server, func(s pb.DeliveryServiceClient) call[*pb.ReplayDeliveriesRequest, *pb.ReplayDeliveriesResponse] {
			return s.ReplayDeliveries
		}, r)
		if err != nil {
			return err
		}
		if format.value == "json" {
			return writeJSON(cmd.OutOrStdout(), answer)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s to deliver again\n", plural(answer.GetCount(), "notice"))
		return err
	}
	return cmd
}

// replayRequest reads the range; a single number is a range of one.
func replayRequest(args []string, dead bool) (*pb.ReplayDeliveriesRequest, error) {
	r := &pb.ReplayDeliveriesRequest{Endpoint: endpointName(args[0]), DeadOnly: dead}
	var bounds [2]int64
	for i, arg := range args[1:] {
		n, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || n <= 0 {
			return nil, &usageError{message: fmt.Sprintf("%q is no sequence of a notice", arg), hint: "memberwatch webhooks deliveries and dead list them"}
		}
		bounds[i] = n
	}
	switch len(args) {
	case 1:
		if !dead {
			return nil, &usageError{message: "replay needs to know what", hint: "name a sequence or a range of them, or --dead"}
		}
	case 2:
		bounds[1] = bounds[0]
	}
	r.FirstSequence, r.LastSequence = bounds[0], bounds[1]
	return r, nil
}
