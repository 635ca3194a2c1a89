// Package report writes what a benchmark found as one page of HTML that needs no
// other file: tables, and plots as SVG.
//
// It knows how results look and nothing of how they came about. Every figure
// stands in a table, too, for those who cannot see the plots.
package report
