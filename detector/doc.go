// Package detector decides which apps read member data unlike themselves and
// unlike their peers. It is the pure core of memberwatch: events and control
// changes in, the same bytes of state and signals out, for any batching,
// scheduling or interleaving of producers.
//
// An [Engine] scores the apps of one partition. [Engine.Observe] folds an event
// into an app's [State]: its open hour and day windows, its ledger, and the
// rules that need no statistics. When a window's time is over, [Engine.Close]
// compares it with what the app's series expected and hands a [Tally] to the
// fleet. [Fleet.Judge] answers with the factor by which the whole fleet moved,
// and [Engine.Judge] turns the window's p-values into evidence and signals. A
// burst need not wait so long: [State] carries the count at which each open
// window would alert, and Observe compares integers.
//
// What needs no event has a room of its own below: sketch counts members, series
// expects one series of numbers and adds up its evidence, tails has the tails of laws,
// codec the form of what is kept. They know nothing of this package.
//
// The package knows event time, positions and numbers. It must not know a
// clock, a lock, a goroutine, a map's order, randomness, disks or networks.
package detector
