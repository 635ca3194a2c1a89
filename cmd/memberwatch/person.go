package main

import (
	"os/user"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/metadata"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/server"
)

// addPerson adds --as to a command and all below it: every call they make names
// the person who makes it.
func addPerson(root *cobra.Command) {
	as := root.PersistentFlags().String("as", "", "who acts, for the audit log; default: the user of this machine. Nothing proves it")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		person := *as
		if person == "" {
			person = machineUser()
		}
		if err := checkPerson(person); err != nil {
			return err
		}
		cmd.SetContext(metadata.AppendToOutgoingContext(cmd.Context(), server.PersonKey, person))
		return nil
	}
}

// machineUser returns the name of the user who runs the program.
func machineUser() string {
	u, err := user.Current()
	if err != nil || checkPerson(u.Username) != nil {
		return "unknown"
	}
	return u.Username
}

// checkPerson refuses names that metadata cannot carry.
func checkPerson(person string) error {
	for _, r := range person {
		if r < ' ' || r > '~' {
			return usagef("--as %q: names have printable ASCII letters only", person)
		}
	}
	if len(person) > memberwatch.MaxPersonBytes {
		return usagef("--as has %d bytes, the limit is %d", len(person), memberwatch.MaxPersonBytes)
	}
	return nil
}
