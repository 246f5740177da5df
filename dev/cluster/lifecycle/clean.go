package lifecycle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/address"
	"volley.dev/dev/cluster/controlgroup"
	"volley.dev/dev/cluster/network"
	"volley.dev/dev/cluster/place"
)

// Down stops a cluster and removes everything it has on the machine. It works
// on whatever is left, also after a crash, and on a cluster that does not exist.
func Down(ctx context.Context, cluster place.Cluster, report Report) error {
	release, err := lock(ctx, cluster)
	if err != nil {
		return err
	}
	defer release()
	if !leavesTraces(cluster) {
		report("not there")
		return forget(cluster)
	}
	if err := clean(cluster, true); err != nil {
		return err
	}
	report("removed")
	return forget(cluster)
}

// forget removes the files that outlive a cluster: its lock and, with the
// owner's last cluster, the state folder.
func forget(cluster place.Cluster) error {
	if err := os.Remove(cluster.LockFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	return cluster.Owner.Forget()
}

// leavesTraces reports whether anything of the cluster is on the machine.
func leavesTraces(cluster place.Cluster) bool {
	if _, err := os.Lstat(cluster.Folder()); err == nil {
		return true
	}
	if registry, err := address.Read(address.Folder); err == nil {
		if _, found := registry.Find(cluster.Owner.ID, cluster.Name); found {
			return true
		}
	}
	return network.Named(cluster) || controlgroup.Exists(cluster.ControlGroup()) || supervisor(cluster) != 0
}

// clean removes a cluster's processes, network, cgroups, mounts, folder and
// addresses, in this order. Every step can be repeated.
func clean(cluster place.Cluster, graceful bool) error {
	if err := stop(cluster, graceful); err != nil {
		return err
	}
	if err := controlgroup.Remove(cluster.ControlGroup()); err != nil {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	if err := removeNetwork(cluster); err != nil {
		return err
	}
	if err := unmount(cluster); err != nil {
		return err
	}
	if err := os.RemoveAll(cluster.Folder()); err != nil {
		return fmt.Errorf("cluster %s: cannot remove its folder: %w", cluster.Name, err)
	}
	return nil
}

// removeNetwork gives the addresses back last, when nothing uses them any more.
func removeNetwork(cluster place.Cluster) error {
	return address.Change(address.Folder, func(registry *address.Registry) error {
		plan, found := registry.Find(cluster.Owner.ID, cluster.Name)
		if !found {
			// Somebody removed the registry; the cluster's own file knows it too.
			if definition, err := Definition(cluster); err == nil {
				plan, found = definition.Addresses, true
			}
		}
		if found {
			if err := network.Detach(cluster, plan); err != nil {
				return err
			}
		}
		if err := network.RemoveName(cluster); err != nil {
			return err
		}
		if registry.Release(cluster.Owner.ID, cluster.Name) {
			return network.RemoveBridge(cluster.Owner)
		}
		return nil
	})
}

// unmount takes mounts off the cluster's folder. The cluster's own mounts ended
// with its processes; these would be mounts that somebody made from outside,
// and removing the folder would empty what is mounted there.
func unmount(cluster place.Cluster) error {
	mounts, err := mountsBelow(cluster.Folder())
	if err != nil {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	for _, mount := range slices.Backward(mounts) {
		if err := unix.Unmount(mount, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL {
			return fmt.Errorf("cluster %s: cannot unmount %s: %w", cluster.Name, mount, err)
		}
	}
	return nil
}

// mountsBelow lists the mount points at and below a folder, in mount order.
func mountsBelow(folder string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var mounts []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// The fifth field is the mount point, with spaces as \040 (proc_pid_mountinfo(5)).
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := strings.ReplaceAll(fields[4], `\040`, " ")
		if point == folder || strings.HasPrefix(point, folder+string(filepath.Separator)) {
			mounts = append(mounts, point)
		}
	}
	return mounts, nil
}
