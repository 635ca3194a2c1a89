//go:build !unix

package throughput

import "errors"

// processorTime is known on Unix only.
func processorTime() (int64, error) {
	return 0, errors.New("processor time can be read on Unix only")
}
