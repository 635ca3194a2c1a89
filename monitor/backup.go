package monitor

import (
	"context"
	"errors"
	"io"
)

// Backup writes all files of the data directory, as they were at one moment
// between two commits, to what open returns for each name and size. A directory
// of them opens like one that a crash has left: whatever producers had been told
// is durable by then is in it.
func (m *Monitor) Backup(ctx context.Context, open func(name string, bytes int64) (io.Writer, error)) error {
	select {
	case <-m.closing:
		return closedError()
	default:
	}
	snapshot, err := m.store.Snapshot()
	if err != nil {
		return err
	}
	err = snapshot.Copy(func(name string, bytes int64) (io.Writer, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return open(name, bytes)
	})
	return errors.Join(err, snapshot.Close())
}
