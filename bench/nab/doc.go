// Package nab reads the series of the Numenta Anomaly Benchmark, runs the
// detector's model of a lone series over them, and scores detections by the benchmark's
// rules. It is the yardstick for a single series without a fleet: it tells
// whether a change of the model helps beyond our own scenarios.
//
// The package knows files, windows and the scoring formula. It must not know
// how scores come about, and the model must not know what is labelled.
package nab
