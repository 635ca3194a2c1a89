// Memberwatch watches how third-party apps read a platform's member data. This
// package turns flags, files and answers into each other and wires the other
// packages together; it knows no rule of the domain. Each sub-command has a
// file of its name. Data goes to standard output, everything else to standard
// error; the exit status is 0 for success, 1 for a failure and 2 for a command
// line that makes no sense.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the next signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
