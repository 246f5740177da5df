package lifecycle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/controlgroup"
	"volley.dev/dev/cluster/network"
	"volley.dev/dev/cluster/place"
)

// SuperviseCommand is the hidden command that the supervisor runs as:
// `cluster supervise FOLDER`.
const SuperviseCommand = "supervise"

const (
	stopLimit = 15 * time.Second // for a supervisor to stop everything in order
	killLimit = 10 * time.Second // for the kernel to end killed processes
)

// supervisor returns the host's process id of the cluster's supervisor, 0 if
// there is none. It is found by its command line and by being process 1 of its
// own namespace, so a lost or outdated file cannot point to a stranger.
func supervisor(cluster place.Cluster) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && isSupervisor(pid, cluster) {
			return pid
		}
	}
	return 0
}

func isSupervisor(pid int, cluster place.Cluster) bool {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil {
		return false
	}
	arguments := bytes.Split(line, []byte{0})
	if len(arguments) < 3 || string(arguments[1]) != SuperviseCommand || string(arguments[2]) != cluster.Folder() {
		return false
	}
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	return err == nil && isFirstOfNamespace(string(status))
}

// isFirstOfNamespace reads the NSpid line of /proc/PID/status, which lists the
// process's ids from the reader's namespace inwards (proc_pid_status(5)).
func isFirstOfNamespace(status string) bool {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, "NSpid:"); found {
			ids := strings.Fields(rest)
			return len(ids) > 1 && ids[len(ids)-1] == "1"
		}
	}
	return false
}

// stop ends every process of the cluster: in order if the supervisor still
// answers, else by the kernel, which ends all of them with the supervisor.
func stop(cluster place.Cluster, graceful bool) error {
	if pid := supervisor(cluster); pid != 0 {
		if err := end(pid, cluster, graceful); err != nil {
			return err
		}
	}
	// What is left was never under a supervisor of ours or outlived it in a way
	// that should not happen; it is known by its namespace and cgroup.
	for limit := time.Now().Add(killLimit); ; time.Sleep(20 * time.Millisecond) {
		left := append(network.Members(cluster), controlgroup.Processes(cluster.ControlGroup())...)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("cluster %s: processes %v do not end; look with `ps -o pid,stat,wchan,args -p PID`, then try again", cluster.Name, left)
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// end ends the supervisor through a file descriptor of the process, so that a
// reused process id cannot be hit.
func end(pid int, cluster place.Cluster, graceful bool) error {
	descriptor, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil // gone meanwhile
	}
	defer unix.Close(descriptor)
	if !isSupervisor(pid, cluster) {
		return nil
	}
	if graceful {
		if err := unix.PidfdSendSignal(descriptor, unix.SIGTERM, nil, 0); err == nil && ends(descriptor, stopLimit) {
			return nil
		}
	}
	if err := unix.PidfdSendSignal(descriptor, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("cluster %s: cannot kill its supervisor %d: %w", cluster.Name, pid, err)
	}
	if !ends(descriptor, killLimit) {
		return fmt.Errorf("cluster %s: its supervisor %d does not end; look with `ps -o pid,stat,wchan,args -p %d`, then try again", cluster.Name, pid, pid)
	}
	return nil
}

// ends waits until the process of a descriptor has ended.
func ends(descriptor int, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		set := []unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLIN}}
		if count, err := unix.Poll(set, 100); err == nil && count > 0 {
			return true
		}
	}
	return false
}
