// Package series expects what one series of windows will hold next, and says how far what
// came lies from it. A [Series] learns values, window by window, in a [Shape]; a
// [Prediction] is what it expects of a window; [Evidence] adds up p-values that are each
// too weak to speak. [Lone] puts them together for measurements that have no others
// beside them.
//
// The package knows numbers, the slots of a season, and its own bytes. It must not know
// what is counted, by whom, or how many series there are: events, apps, features,
// windows of time, fleets and budgets are the detector's. What a surprise is worth among
// those of others is calibrated there.
//
// Arithmetic rounds explicitly where a compiler might fuse a product and a sum: the same
// values give the same bytes on every machine.
package series
