package supervisor

import (
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/controlgroup"
)

// prepareMounts makes the mount namespace the cluster's own: mounts of the host
// (and their ends) arrive here, mounts made here stay here.
func prepareMounts(task Task) error {
	steps := []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", unix.MS_REC | unix.MS_SLAVE},
		// Shared again within the cluster, as kubelet's mounts must reach containers.
		{"", "/", "", unix.MS_REC | unix.MS_SHARED},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		// containerd's state and sockets, the names of pods' network namespaces
		// and the lock of iptables belong to the cluster.
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV},
	}
	for _, step := range steps {
		if err := unix.Mount(step.source, step.target, step.kind, step.flags, ""); err != nil {
			return fmt.Errorf("cluster in %s: cannot mount %s: %w", task.Folder, step.target, err)
		}
	}
	for _, mount := range task.Mounts {
		for _, folder := range []string{mount.Source, mount.Target} {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return fmt.Errorf("cluster in %s: %w", task.Folder, err)
			}
		}
		if err := unix.Mount(mount.Source, mount.Target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cluster in %s: cannot bind %s over %s: %w", task.Folder, mount.Source, mount.Target, err)
		}
	}
	return nil
}

// prepareNetwork sets up the interface that the host moved into the namespace.
func prepareNetwork(network Network) error {
	describe := func(err error) error {
		return fmt.Errorf("cluster address %s: cannot set up eth0: %w", network.Address, err)
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return describe(err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return describe(err)
	}
	link, err := netlink.LinkByName(network.Peer)
	if err != nil {
		return describe(err)
	}
	if err := netlink.LinkSetName(link, "eth0"); err != nil {
		return describe(err)
	}
	address := &netlink.Addr{IPNet: &net.IPNet{
		IP:   network.Address.Addr().AsSlice(),
		Mask: net.CIDRMask(network.Address.Bits(), 32),
	}}
	if err := netlink.AddrAdd(link, address); err != nil {
		return describe(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return describe(err)
	}
	reach := &net.IPNet{IP: network.Reach.Addr().AsSlice(), Mask: net.CIDRMask(network.Reach.Bits(), 32)}
	everything := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	routes := []netlink.Route{
		{LinkIndex: link.Attrs().Index, Dst: reach, Gw: network.Gateway.AsSlice()},
		// A pod that tries to leave learns so at once.
		{Dst: everything, Type: unix.RTN_UNREACHABLE},
	}
	for _, route := range routes {
		if err := netlink.RouteAdd(&route); err != nil {
			return describe(err)
		}
	}
	return applyKernelSettings()
}

// kernelSettings are those of the cluster's network namespace.
var kernelSettings = map[string]string{
	// The node passes packets between its pods and eth0.
	"ip_forward": "1",
	// Every attempt to leave gets its answer, not only the first in a second.
	"icmp_ratelimit": "0",
	// The way through the node is the only one; hints to another would be wrong.
	"conf/all/send_redirects":     "0",
	"conf/default/send_redirects": "0",
	"conf/eth0/send_redirects":    "0",
}

func applyKernelSettings() error {
	for name, value := range kernelSettings {
		file := "/proc/sys/net/ipv4/" + name
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			return fmt.Errorf("cluster network: cannot write %s: %w", file, err)
		}
	}
	return nil
}

// prepareControlGroup makes the parent of the pods' cgroups.
func prepareControlGroup(name string) error {
	if name == "" {
		return nil
	}
	made, err := controlgroup.Make(name)
	if err != nil {
		return err
	}
	slog.Info("cgroups made", "hierarchies", made)
	return nil
}
