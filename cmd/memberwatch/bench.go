package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newBench() *cobra.Command {
	return group("bench", "Measure how well, how truly and how fast it works",
		newBenchScenarios(), newBenchLogs(), newBenchTune(), newBenchCalibration(), newBenchNAB(), newBenchThroughput(), newBenchLookback(),
		newBenchRecovery(), newBenchCompare(),
	)
}

// writeResult prints a result as one JSON object, indented for people who read
// it and stable for programs that do.
func writeResult(w io.Writer, result any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(result); err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return nil
}

// dataFlag adds --data, which the command cannot do without.
func dataFlag(cmd *cobra.Command, what string) *[]string {
	dirs := cmd.Flags().StringSlice("data", nil, "folders with "+what)
	requireFlags(cmd, "data")
	cobra.CheckErr(cmd.MarkFlagDirname("data"))
	return dirs
}

// missed is the error of a result below its floor.
func missed(what string, got, floor float64) error {
	return hinted{
		fmt.Errorf("%s %.2f is below the floor of %.2f", what, got, floor),
		"compare with an earlier version's result, or lower the floor if the loss is meant",
	}
}

// printResult prints a result in the chosen format.
func printResult[R any](w io.Writer, format *choice, result R, table func(io.Writer, R) error) error {
	if format.value == "json" {
		return writeResult(w, result)
	}
	return table(w, result)
}
