// Package tails has the probabilities that a random value exceeds another, of the
// laws that the models of the detector rest on, and the inverses that they need.
//
// The package knows numbers. It must not know what they count.
//
// A law of the standard library or of gonum is taken where it keeps its digits far
// out in the tail; the others are written without subtracting from 1. All are held
// against independent implementations and tables in print.
package tails
