package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// formatFlag adds --format with its choices, the first of which is the default,
// and returns where the choice will be.
func formatFlag(cmd *cobra.Command, choices ...string) *choice {
	c := &choice{value: choices[0], choices: choices}
	cmd.Flags().Var(c, "format", "how to print: "+strings.Join(choices, ", ")+"; json prints one object of the contract per line")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	choices []string
}

// String returns the choice.
func (c *choice) String() string { return c.value }

// Type names the flag's kind in help texts.
func (c *choice) Type() string { return strings.Join(c.choices, "|") }

// Set takes a choice.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.choices, value) {
		return fmt.Errorf("it must be one of %s", strings.Join(c.choices, ", "))
	}
	c.value = value
	return nil
}

// writeJSON prints one message of the contract on a line of its own. protojson
// varies its spaces on purpose; compacting makes equal messages equal lines.
func writeJSON(w io.Writer, m proto.Message) error {
	b, err := protojson.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, b); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	line.WriteByte('\n')
	_, err = w.Write(line.Bytes())
	return err
}
