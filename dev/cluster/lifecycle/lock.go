package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/place"
)

// lockLimit bounds how long a command waits for another one on the same cluster.
const lockLimit = 3 * time.Minute

// lock waits until no other command changes the cluster. The lock ends with the
// process, so a killed command never leaves one behind.
func lock(ctx context.Context, cluster place.Cluster) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for {
		// Each time anew: the holder before us may have removed the state folder.
		if err := cluster.Owner.Save(); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(cluster.LockFile(), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cluster %s: lock: %w", cluster.Name, err)
		}
		if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && isCurrent(file, cluster.LockFile()) {
			return func() { file.Close() }, nil
		}
		file.Close()
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cluster %s: another `cluster` command works on it: wait for that one and try again (lock %s)", cluster.Name, cluster.LockFile())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isCurrent reports whether the path still leads to the locked file; the holder
// before us may have removed it with its cluster.
func isCurrent(file *os.File, path string) bool {
	locked, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(locked, named)
}
