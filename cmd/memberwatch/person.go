package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/client"
	"github.com/memberwatch/memberwatch/server"
)

// tokenVariable is the environment variable that holds a token.
const tokenVariable = "MEMBERWATCH_TOKEN"

// identity is who makes the calls of a command, and how it is shown.
type identity struct {
	as, tokenFile string
	ca, cert, key string // files in PEM
	token         string
	secured       *tls.Config // nil: as the address suggests
}

// identityKey is the key of the identity in a command's context.
type identityKey struct{}

// addIdentity adds flags to a command and all below it that say who acts: every
// call they make proves or names the person.
func addIdentity(root *cobra.Command) {
	i := &identity{}
	flags := root.PersistentFlags()
	flags.StringVar(&i.as, "as", "", "who acts, where the service has no tokens; default: the user of this machine. Nothing proves it")
	flags.StringVar(&i.tokenFile, "token-file", "", "file with the token that proves who acts; default: what "+tokenVariable+" holds")
	flags.StringVar(&i.ca, "tls-ca", "", "PEM file with the authorities that vouch for the server; default: those of the system")
	flags.StringVar(&i.cert, "tls-client-cert", "", "PEM file with the certificate to show to the server")
	flags.StringVar(&i.key, "tls-client-key", "", "PEM file with its key")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := i.load(); err != nil {
			return err
		}
		cmd.SetContext(context.WithValue(i.sign(cmd.Context()), identityKey{}, i))
		return nil
	}
}

// load reads what the flags name.
func (i *identity) load() (err error) {
	if i.token, err = readToken(i.tokenFile); err != nil {
		return err
	}
	if i.as == "" && i.token == "" {
		i.as = machineUser()
	}
	if i.as != "" && !memberwatch.Person(i.as).Valid() {
		return usagef("--as %q: names have 1 to %d printable ASCII letters", i.as, memberwatch.MaxPersonBytes)
	}
	i.secured, err = i.tls()
	return err
}

// sign names and proves the person in all calls made with the context.
func (i *identity) sign(ctx context.Context) context.Context {
	if i.as != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, server.PersonKey, i.as)
	}
	if i.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, server.TokenKey, "Bearer "+i.token)
	}
	return ctx
}

// tls returns how connections are secured, nil when no flag says so.
func (i *identity) tls() (*tls.Config, error) {
	if i.ca == "" && i.cert == "" && i.key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if i.ca != "" {
		roots, err := readAuthorities(i.ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = roots
	}
	if i.cert != "" || i.key != "" {
		pair, err := tls.LoadX509KeyPair(i.cert, i.key)
		if err != nil {
			return nil, hinted{fmt.Errorf("read client certificate: %w", err), "give both --tls-client-cert and --tls-client-key, in PEM"}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// credentialsFor returns how a connection to an address is secured.
func credentialsFor(ctx context.Context, address string) credentials.TransportCredentials {
	if i, ok := ctx.Value(identityKey{}).(*identity); ok && i.secured != nil {
		return credentials.NewTLS(i.secured)
	}
	return client.DefaultCredentials(address)
}

// tokenIn returns the token of a command, empty for none.
func tokenIn(ctx context.Context) string {
	if i, ok := ctx.Value(identityKey{}).(*identity); ok {
		return i.token
	}
	return ""
}

// readToken reads a token from a file, else from the environment.
func readToken(file string) (string, error) {
	text, from := os.Getenv(tokenVariable), tokenVariable
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", hinted{fmt.Errorf("read token: %w", err), "name an existing file with --token-file"}
		}
		text, from = string(b), file
	}
	if text = strings.TrimSpace(text); text == "" && file == "" {
		return "", nil
	}
	if _, _, err := memberwatch.ParseToken(text); err != nil {
		return "", hinted{fmt.Errorf("%s: %w", from, err), "put in what memberwatch tokens add printed: mwt_..."}
	}
	return text, nil
}

// readAuthorities reads certificates of authorities.
func readAuthorities(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, hinted{fmt.Errorf("read certificates: %w", err), "name an existing file"}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, hinted{fmt.Errorf("%s holds no certificate", file), "give certificates in PEM"}
	}
	return pool, nil
}

// machineUser returns the name of the user who runs the program.
func machineUser() string {
	u, err := user.Current()
	if err != nil || !memberwatch.Person(u.Username).Valid() {
		return "unknown"
	}
	return u.Username
}
