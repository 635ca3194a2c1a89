// Package feed streams events into a service that runs in this process, as one
// gateway would: batches in order, declarations between them, and at the end
// the signals.
//
// It knows the monitor's intake and nothing of scenarios, data sets or truth.
// What comes out is what production would say: the same monitor, with a real
// store, works behind it.
package feed
