package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/configuration"
)

// Packages is what a cluster needs of Debian.
const Packages = "containerd runc containernetworking-plugins iproute2 iptables"

// systemFolders are searched for programs even if the user's PATH lacks them;
// these are the folders in which the supervisor's processes look.
var systemFolders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// pluginFolders are where distributions put the CNI plugins.
var pluginFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// UseSystemFolders makes the programs in systemFolders found by their names.
func UseSystemFolders() error {
	return os.Setenv("PATH", strings.Join(append(systemFolders, os.Getenv("PATH")), ":"))
}

// programs checks that everything is there that a start needs and says where
// it is. binaries is the folder with cluster, coredns and pause.
func programs(binaries string, options configuration.Options) (configuration.Programs, error) {
	var found configuration.Programs
	if os.Geteuid() != 0 {
		return found, errors.New("clusters need root: they make namespaces, mounts and bridges; run the command as root")
	}
	commands := []string{"ip", "iptables"}
	if !options.APIServerOnly {
		commands = append(commands, "containerd", "containerd-shim-runc-v2", "ctr", "runc")
	}
	var missing []string
	for _, command := range commands {
		path, err := exec.LookPath(command)
		if err != nil {
			missing = append(missing, command)
		}
		if command == "containerd" {
			found.Containerd = path
		}
	}
	if !options.APIServerOnly {
		if found.Network = pluginFolder(); found.Network == "" {
			missing = append(missing, "CNI plugins in "+strings.Join(pluginFolders, " or "))
		}
	}
	if len(missing) > 0 {
		return found, fmt.Errorf("this machine lacks %s: run `apt-get install -y --no-install-recommends %s`", strings.Join(missing, ", "), Packages)
	}
	var err error
	if found.Cluster, err = os.Executable(); err != nil {
		return found, fmt.Errorf("the path of this program is unknown: %w", err)
	}
	if options.APIServerOnly {
		return found, nil
	}
	found.CoreDNS, found.Pause = filepath.Join(binaries, "coredns"), filepath.Join(binaries, "pause")
	for _, program := range []string{found.CoreDNS, found.Pause} {
		if _, err := os.Stat(program); err != nil {
			return found, fmt.Errorf("program %s is missing: build it as dev/cluster/README.md says, or give --bin FOLDER", program)
		}
	}
	return found, nil
}

// inotifyFile bounds how many files of events the processes of root may have
// open; a cluster takes about 40, and the kernel's default of 128 is for all of them.
const (
	inotifyFile   = "/proc/sys/fs/inotify/max_user_instances"
	inotifyWanted = 2048
)

// raiseInotify lets more than three clusters run side by side. The value stays
// until the machine starts anew; it costs nothing where nothing uses it.
func raiseInotify(file string, report Report) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || limit >= inotifyWanted {
		return err
	}
	report("%s raised from %d to %d", file, limit, inotifyWanted)
	return os.WriteFile(file, []byte(strconv.Itoa(inotifyWanted)), 0o644)
}

func pluginFolder() string {
	for _, folder := range pluginFolders {
		complete := true
		for _, plugin := range []string{"ptp", "host-local", "portmap", "loopback"} {
			if _, err := os.Stat(filepath.Join(folder, plugin)); err != nil {
				complete = false
			}
		}
		if complete {
			return folder
		}
	}
	return ""
}

// snapshotter is how containerd stacks layers: by overlayfs, except where the
// folder itself lies on one (inside another container), which Linux refuses.
func snapshotter(folder string) (string, error) {
	var system unix.Statfs_t
	if err := unix.Statfs(folder, &system); err != nil {
		return "", fmt.Errorf("folder %s: %w", folder, err)
	}
	if system.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}
