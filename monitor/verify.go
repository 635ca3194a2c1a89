package monitor

import (
	"errors"

	"github.com/memberwatch/memberwatch"
	"github.com/memberwatch/memberwatch/detector"
	"github.com/memberwatch/memberwatch/store"
)

// maker makes findings again with the models of this program.
var maker = store.Maker{
	Recompute: detector.Recompute,
	Withdraw:  detector.Withdraw,
	Foreign: func(err error) bool {
		return errors.Is(err, detector.ErrOtherModel) || errors.Is(err, detector.ErrNoRecord)
	},
}

// VerifyDirectory verifies every signal of a data directory that nobody serves,
// such as a backup, and changes nothing in it. It first checks that the files
// are whole: a damaged one is an error that names it.
func VerifyDirectory(dir string, visit func(memberwatch.Verification) error) error {
	files, err := store.OpenReadOnly(dir)
	if err != nil {
		return err
	}
	err = files.Check()
	if err == nil {
		err = files.Platform.EachSignal(func(id memberwatch.SignalID) error {
			v, err := files.Platform.Verify(id, maker)
			if err != nil {
				return err
			}
			return visit(v)
		})
	}
	return errors.Join(err, files.Close())
}
