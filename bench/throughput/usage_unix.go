//go:build unix

package throughput

import (
	"fmt"
	"syscall"
)

// processorTime returns the user and system time of this process, in
// nanoseconds.
func processorTime() (int64, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("read the processor time: %w", err)
	}
	return used.Utime.Nano() + used.Stime.Nano(), nil
}
