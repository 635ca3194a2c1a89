// Package cpu reads the processor time of this process, which a busy machine
// disturbs less than the time on the wall. It must not know what is measured.
package cpu
