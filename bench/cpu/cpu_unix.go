//go:build unix

package cpu

import (
	"fmt"
	"syscall"
)

// Time returns the user and system time of this process so far, in nanoseconds.
func Time() (int64, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("read the processor time: %w", err)
	}
	return used.Utime.Nano() + used.Stime.Nano(), nil
}
