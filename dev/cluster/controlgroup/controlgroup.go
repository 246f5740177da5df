// Package controlgroup makes, reads and removes a cluster's cgroup, below
// which kubelet puts its pods. It serves version 1 (one hierarchy per
// controller), version 2, and both at once.
package controlgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const root = "/sys/fs/cgroup"

// hierarchies lists the folders in which a cgroup named name may lie.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return []string{root}
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil
	}
	var folders []string
	for _, entry := range entries {
		folder := filepath.Join(root, entry.Name())
		if _, err := os.Stat(filepath.Join(folder, "cgroup.procs")); err == nil {
			folders = append(folders, folder)
		}
	}
	return folders
}

// Make makes the cgroup in each hierarchy and returns how many those are.
func Make(name string) (int, error) {
	folders := hierarchies()
	if len(folders) == 0 {
		return 0, fmt.Errorf("no cgroup hierarchy below %s: mount the cgroup file systems first", root)
	}
	for _, hierarchy := range folders {
		folder := filepath.Join(hierarchy, name)
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return 0, fmt.Errorf("cgroup %s: %w", folder, err)
		}
		if err := initialise(hierarchy, folder); err != nil {
			return 0, fmt.Errorf("cgroup %s: %w", folder, err)
		}
	}
	return len(folders), nil
}

// initialise gives a new cgroup what the kernel leaves empty: the processors
// and memory nodes of a version 1 cpuset, the controllers of version 2.
func initialise(hierarchy, folder string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		content, err := os.ReadFile(filepath.Join(hierarchy, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, file), content, 0o644); err != nil {
			return err
		}
	}
	if hierarchy != root {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for controller := range strings.FieldsSeq(string(content)) {
		for _, parent := range []string{root, folder} {
			// Some controllers cannot be delegated everywhere; kubelet names those it misses.
			_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		}
	}
	return nil
}

// Processes lists the processes in the cgroup and below it, each once, as ids
// of the caller's process namespace.
func Processes(name string) []int {
	var pids []int
	for _, hierarchy := range hierarchies() {
		// Folders vanish while they are walked; what is gone holds no process.
		_ = filepath.WalkDir(filepath.Join(hierarchy, name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return nil
			}
			content, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			if err != nil {
				return nil
			}
			for field := range strings.FieldsSeq(string(content)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// Exists reports whether any hierarchy has the cgroup.
func Exists(name string) bool {
	return slices.ContainsFunc(hierarchies(), func(hierarchy string) bool {
		_, err := os.Stat(filepath.Join(hierarchy, name))
		return err == nil
	})
}

// removalLimit bounds how long Remove waits for processes that are being killed.
const removalLimit = 5 * time.Second

// Remove kills what is left in the cgroup and removes it from all hierarchies.
func Remove(name string) error {
	if name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("cgroup %q: not the name of a cluster's cgroup", name)
	}
	for end := time.Now().Add(removalLimit); ; time.Sleep(20 * time.Millisecond) {
		for _, pid := range Processes(name) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		err := removeOnce(name)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("cgroup %s: cannot remove it: %w", name, err)
		}
	}
}

func removeOnce(name string) error {
	var problems error
	for _, hierarchy := range hierarchies() {
		var folders []string
		_ = filepath.WalkDir(filepath.Join(hierarchy, name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		for _, folder := range slices.Backward(folders) { // children before parents
			if err := unix.Rmdir(folder); err != nil && err != unix.ENOENT {
				problems = errors.Join(problems, fmt.Errorf("%s: %w", folder, err))
			}
		}
	}
	return problems
}
