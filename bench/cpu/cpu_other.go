//go:build !unix

package cpu

import "errors"

// Time returns the user and system time of this process; it is known on Unix
// only, and an error elsewhere.
func Time() (int64, error) {
	return 0, errors.New("processor time can be read on Unix only")
}
