package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/address"
	"volley.dev/dev/cluster/certificate"
	"volley.dev/dev/cluster/configuration"
	"volley.dev/dev/cluster/image"
	"volley.dev/dev/cluster/network"
	"volley.dev/dev/cluster/place"
	processes "volley.dev/dev/cluster/supervisor"
)

// start starts a cluster in a place where nothing is left of an earlier one.
func start(ctx context.Context, cluster place.Cluster, options configuration.Options, programs configuration.Programs, report Report) error {
	plan, err := takeAddresses(cluster)
	if err != nil {
		return err
	}
	definition := configuration.Definition{
		Name: cluster.Name, Owner: cluster.Owner.ID, Folder: cluster.Folder(), Node: cluster.Node(),
		ControlGroup: cluster.ControlGroup(), PeerLink: cluster.Owner.PeerLink(plan.Slot),
		Addresses: plan, Options: options, Programs: programs,
	}
	if err := write(cluster, &definition); err != nil {
		return err
	}
	report("files written, node address %s", plan.Node())
	running, err := launch(cluster, plan)
	if err != nil {
		return err
	}
	return awaitReady(ctx, cluster, definition, running, report)
}

// takeAddresses reserves the cluster's addresses and makes the owner's bridge,
// in one step as seen by other commands.
func takeAddresses(cluster place.Cluster) (address.Plan, error) {
	var plan address.Plan
	err := address.Change(address.Folder, func(registry *address.Registry) error {
		if err := dropVanished(registry, cluster.Owner.ID); err != nil {
			return err
		}
		busy, err := network.Busy()
		if err != nil {
			return err
		}
		plan, err = registry.Allocate(cluster.Owner.ID, cluster.Owner.State, cluster.Name, busy)
		if err != nil {
			return err
		}
		return network.EnsureBridge(cluster.Owner, plan)
	})
	return plan, err
}

// dropVanished frees the addresses of other owners whose state folder is gone
// (a removed cache) once none of their clusters runs any more.
func dropVanished(registry *address.Registry, own string) error {
	var vanished []address.Holding
	for _, holding := range registry.Owners {
		if _, err := os.Stat(holding.State); holding.ID == own || !errors.Is(err, os.ErrNotExist) {
			continue
		}
		vanished = append(vanished, holding)
	}
	for _, holding := range vanished {
		owner := place.Owner{ID: holding.ID, Origin: holding.State, State: holding.State}
		if err := removeVanished(registry, owner, holding); err != nil {
			return err
		}
	}
	return nil
}

func removeVanished(registry *address.Registry, owner place.Owner, holding address.Holding) error {
	for name, slot := range holding.Slots {
		cluster := place.Cluster{Owner: owner, Name: name}
		if supervisor(cluster) != 0 {
			continue // it lost its folder but lives; leave it to its owner
		}
		if err := network.Detach(cluster, address.Plan{Network: holding.Network, Slot: slot}); err != nil {
			return err
		}
		if err := network.RemoveName(cluster); err != nil {
			return err
		}
		if registry.Release(holding.ID, name) {
			return network.RemoveBridge(owner)
		}
	}
	return nil
}

// folders are made before the start; the components make all others.
var folders = []string{"certificates", "kubeconfigs", "logs/machine", "network", "etcd", "kubelet", "cni", "tmp", "volumes"}

// write writes everything that the components read.
func write(cluster place.Cluster, definition *configuration.Definition) error {
	for _, folder := range folders {
		if err := os.MkdirAll(cluster.Path(folder), 0o700); err != nil {
			return err
		}
	}
	// Pods that do not run as root must pass through to their volumes.
	for _, folder := range []string{"", "volumes", "kubelet"} {
		if err := os.Chmod(cluster.Path(folder), 0o711); err != nil {
			return err
		}
	}
	var err error
	if definition.Programs.Snapshotter, err = snapshotter(cluster.Folder()); err != nil {
		return err
	}
	input := definition.CertificateInput()
	input.Now = time.Now()
	set, err := certificate.NewSet(input)
	if err != nil {
		return err
	}
	if err := set.Write(cluster.Path("certificates")); err != nil {
		return err
	}
	files, err := configuration.Files(*definition, set)
	if err != nil {
		return err
	}
	if files[processes.TaskFile], err = json.MarshalIndent(configuration.Task(*definition), "", "  "); err != nil {
		return err
	}
	if files[configuration.DefinitionFile], err = json.MarshalIndent(definition, "", "  "); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(cluster.Path(filepath.FromSlash(name)), content, 0o600); err != nil {
			return err
		}
	}
	if definition.Options.APIServerOnly {
		return nil
	}
	return writePauseImage(definition.Programs.Pause, cluster.Path(pauseArchive))
}

// pauseArchive is the archive of the sandboxes' image.
const pauseArchive = "pause.tar"

func writePauseImage(program, archive string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("pause image: %w", err)
	}
	file, err := os.Create(archive)
	if err != nil {
		return fmt.Errorf("pause image: %w", err)
	}
	defer file.Close()
	return image.Write(file, image.Description{Name: configuration.PauseImage, Program: "/pause", User: "65535:65535"}, content)
}

// launched is a supervisor that was just started.
type launched struct {
	pid   int
	ended <-chan error
}

// launch starts the supervisor in new namespaces, attaches the network and lets
// it go on. If this process dies in between, the supervisor sees the pipe end.
func launch(cluster place.Cluster, plan address.Plan) (launched, error) {
	log, err := os.Create(cluster.Path("logs", "supervisor.log"))
	if err != nil {
		return launched{}, err
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return launched{}, err
	}
	command := exec.Command(program, SuperviseCommand, cluster.Folder())
	command.Dir = "/"
	command.Env = []string{}
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET,
	}
	pipe, err := command.StdinPipe()
	if err != nil {
		return launched{}, err
	}
	defer pipe.Close()
	if err := command.Start(); err != nil {
		return launched{}, fmt.Errorf("cannot make namespaces: %w; clusters need the rights of root (CAP_SYS_ADMIN, CAP_NET_ADMIN)", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	running := launched{pid: command.Process.Pid, ended: ended}
	if err := network.Attach(cluster, plan, running.pid); err != nil {
		return running, err
	}
	return running, processes.Start(pipe)
}
