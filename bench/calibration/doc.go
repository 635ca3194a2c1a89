// Package calibration asks whether the detector keeps its word on real counts:
// how often its p-values fall below a level against that level, how many
// signals open against the budget, and what it finds of bursts, steps, ramps
// and flat additions planted on copies of real series.
//
// The package feeds whole windows to the very engine, fleet and calibration that
// run in production. It knows series and budgets. It must not know how a score
// comes about, and the detector must not know what was planted.
package calibration
