package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/access"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
	"github.com/memberwatch/memberwatch/store"
	"github.com/memberwatch/memberwatch/wire"
)

func newTokens() *cobra.Command {
	return group("tokens", "Let people and services prove who they are", newTokensAdd(), newTokensList(), newTokensRevoke())
}

// roleNames are the roles as people write them.
func roleNames() []string {
	var names []string
	for r := memberwatch.RoleProducer; r < memberwatch.RoleCount; r++ {
		names = append(names, strings.ToLower(r.String()))
	}
	return names
}

func newTokensAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add PERSON", Short: "Make a token and print it, once", Args: exactly("PERSON"),
		Long: "add makes a token for a person or service. From the first token on every call needs one, so the first must\n" +
			"be of role admin. With --data-dir it is made without the service, which must not run then: that is how the\n" +
			"first one of a service comes to be that other machines reach, and how one gets in again who lost all.\n\n" +
			"Roles: producer streams events; platform declares apps and restrictions and answers requests; reviewer works\n" +
			"on cases; lead also approves, rejects and waives remediations; auditor reads everything; admin makes tokens\n" +
			"and webhooks.",
		Example: "  memberwatch tokens add ana --role reviewer > ana.token\n  memberwatch cases next --token-file ana.token",
	}
	server := serverFlag(cmd)
	token := &pb.Token{}
	var roles []string
	var expires ahead
	flags := cmd.Flags()
	flags.StringSliceVar(&roles, "role", nil, "what it opens: "+strings.Join(roleNames(), ", ")+"; may be repeated")
	flags.StringVar(&token.Comment, "comment", "", "what it is for")
	flags.Var(&expires, "expires", "when it stops to be good: a time, or a length such as 90d; default: never")
	dir := flags.String("data-dir", "", "make it in this data directory, without the service")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		token.Person, token.ExpireTime = args[0], expires.proto()
		for _, name := range roles {
			role, ok := pb.Role_value["ROLE_"+strings.ToUpper(name)]
			if !ok || role == 0 {
				return &usageError{message: fmt.Sprintf("%q is no role", name), hint: "roles are " + strings.Join(roleNames(), ", ")}
			}
			token.Roles = append(token.Roles, pb.Role(role))
		}
		made, secret, err := makeToken(cmd, *server, *dir, token)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "memberwatch: %s is of %s; keep it, nobody can read it again\n", bare(made.GetName()), made.GetPerson())
		_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
		return err
	}
	return cmd
}

// makeToken makes a token by the service, or in a data directory.
func makeToken(cmd *cobra.Command, server, dir string, want *pb.Token) (*pb.Token, string, error) {
	if dir != "" {
		return makeTokenIn(cmd, dir, want)
	}
	answer, err := ask(cmd.Context(), server, func(c *grpc.ClientConn) call[*pb.CreateTokenRequest, *pb.CreateTokenResponse] {
		return pb.NewAdminServiceClient(c).CreateToken
	}, &pb.CreateTokenRequest{Token: want})
	return answer.GetToken(), answer.GetSecret(), err
}

// makeTokenIn makes a token in the name of whoever can write to the directory.
func makeTokenIn(cmd *cobra.Command, dir string, want *pb.Token) (m *pb.Token, secret string, err error) {
	t, err := wire.DecodeToken(want)
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, "", hinted{fmt.Errorf("open data directory: %w", err), "start memberwatch serve once with it"}
	}
	files, err := store.Open(dir, store.Options{})
	if err != nil {
		return nil, "", err
	}
	made, secret, err := access.Open(files.Platform).Make(cmd.Context(), memberwatch.Person(machineUser()), t)
	if closeErr := files.Close(); err == nil {
		err = closeErr
	}
	return wire.EncodeToken(&made), secret, err
}

func newTokensList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List tokens, newest first; those that are not good any more only with --all or --filter", Args: exactly()}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	filter := cmd.Flags().String("filter", "", "only those that match, such as 'role:ADMIN', over person, role and good")
	all := cmd.Flags().Bool("all", false, "revoked and expired ones too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *filter == "" && !*all {
			*filter = "good = true"
		}
		conn, err := dial(cmd.Context(), *server)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // only read from
		var list []*pb.Token
		service := pb.NewAdminServiceClient(conn)
		err = pages(0, maxPage, func(token string, size int) (int, string, error) {
			answer, err := service.ListTokens(cmd.Context(), &pb.ListTokensRequest{Filter: *filter, PageSize: int32(size), PageToken: token})
			list = append(list, answer.GetTokens()...)
			return len(answer.GetTokens()), answer.GetNextPageToken(), err
		})
		if err != nil {
			return err
		}
		return printTokens(cmd.OutOrStdout(), list, format.value)
	}
	return cmd
}

func printTokens(w io.Writer, list []*pb.Token, format string) error {
	t := table{columns: []column{left("TOKEN"), left("WHO"), left("ROLES"), left("MADE"), left("EXPIRES"), left("USED"), left("REVOKED")}}
	for _, m := range list {
		if format == "json" {
			if err := writeJSON(w, m); err != nil {
				return err
			}
			continue
		}
		var roles []string
		for _, r := range m.GetRoles() {
			roles = append(roles, strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")))
		}
		t.addNoted(m.GetComment(), bare(m.GetName()), m.GetPerson(), strings.Join(roles, " "), instant(m.GetCreateTime()),
			instant(m.GetExpireTime()), instant(m.GetUseTime()), instant(m.GetRevokeTime()))
	}
	return t.writeTo(w)
}

func newTokensRevoke() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke TOKEN", Short: "End a token for good", Args: exactly("TOKEN"), Example: "  memberwatch tokens revoke t3 --comment 'left the company'"}
	server, format := serverFlag(cmd), formatFlag(cmd, "table", "json")
	comment := cmd.Flags().String("comment", "", "why")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := ask(cmd.Context(), *server, func(c *grpc.ClientConn) call[*pb.RevokeTokenRequest, *pb.RevokeTokenResponse] {
			return pb.NewAdminServiceClient(c).RevokeToken
		}, &pb.RevokeTokenRequest{Name: wire.TokenName(memberwatch.TokenID(strings.TrimPrefix(args[0], "tokens/"))), Comment: *comment})
		if err != nil {
			return err
		}
		return printTokens(cmd.OutOrStdout(), []*pb.Token{answer.GetToken()}, format.value)
	}
	return cmd
}
