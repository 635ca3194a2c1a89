// Package memberwatchv1 is the contract between memberwatch and its clients:
// the messages and services of memberwatch.v1, generated from the .proto files
// beside this one. It knows the shapes on the wire and nothing else; package
// wire translates them to the vocabulary of package memberwatch.
package memberwatchv1
