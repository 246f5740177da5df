// Package network is the host's side of the clusters' networks: one bridge per
// owner, one veth pair, one named network namespace and two routes per cluster.
// Every function can be repeated, and removing what is not there is fine.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/address"
	"volley.dev/dev/cluster/place"
)

// namesFolder is where iproute2 keeps the names of network namespaces.
const namesFolder = "/run/netns"

// EnsureBridge makes the owner's bridge with the host's address on it.
func EnsureBridge(owner place.Owner, plan address.Plan) error {
	name := owner.Bridge()
	describe := func(err error) error { return fmt.Errorf("bridge %s of %s: %w", name, owner.Origin, err) }
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil && !errors.Is(err, unix.EEXIST) {
		return describe(err)
	}
	bridge, err := netlink.LinkByName(name)
	if err != nil {
		return describe(err)
	}
	host := &netlink.Addr{IPNet: &net.IPNet{
		IP:   plan.Host().AsSlice(),
		Mask: net.CIDRMask(plan.Bridge().Bits(), 32),
	}}
	if err := netlink.AddrAdd(bridge, host); err != nil && !errors.Is(err, unix.EEXIST) {
		return describe(err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return describe(err)
	}
	// Forwarding is switched on for this bridge only, not for the machine:
	// it carries what pods of one cluster send to pods of another.
	for setting, value := range map[string]string{"forwarding": "1", "send_redirects": "0"} {
		file := filepath.Join("/proc/sys/net/ipv4/conf", name, setting)
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			return describe(err)
		}
	}
	if err := iptables(append([]string{"--check"}, forwardRule(name)...)...); err != nil {
		if err := iptables(append([]string{"--insert"}, forwardRule(name)...)...); err != nil {
			return describe(err)
		}
	}
	return nil
}

// forwardRule lets clusters reach each other where the host drops what it
// forwards (as hosts with a container engine do).
func forwardRule(bridge string) []string {
	return []string{"FORWARD", "--in-interface", bridge, "--out-interface", bridge, "--jump", "ACCEPT"}
}

// RemoveBridge removes the owner's bridge and its rule. A bridge to which a
// cluster is still attached stays.
func RemoveBridge(owner place.Owner) error {
	name := owner.Bridge()
	if attached, err := hasPorts(name); err != nil || attached {
		return err
	}
	for iptables(append([]string{"--check"}, forwardRule(name)...)...) == nil {
		if err := iptables(append([]string{"--delete"}, forwardRule(name)...)...); err != nil {
			return fmt.Errorf("bridge %s of %s: %w", name, owner.Origin, err)
		}
	}
	return removeLink(name)
}

func hasPorts(name string) (bool, error) {
	bridge, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("bridge %s: %w", name, err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		return false, fmt.Errorf("bridge %s: its ports: %w", name, err)
	}
	return slices.ContainsFunc(links, func(link netlink.Link) bool {
		return link.Attrs().MasterIndex == bridge.Attrs().Index
	}), nil
}

// Attach moves one end of a new veth pair into the network namespace of a
// process, names that namespace and routes the cluster's pods and Services there.
func Attach(cluster place.Cluster, plan address.Plan, pid int) error {
	hostLink, peer := cluster.Owner.HostLink(plan.Slot), cluster.Owner.PeerLink(plan.Slot)
	describe := func(err error) error {
		return fmt.Errorf("cluster %s: network link %s: %w", cluster.Name, hostLink, err)
	}
	bridge, err := netlink.LinkByName(cluster.Owner.Bridge())
	if err != nil {
		return describe(err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MasterIndex = hostLink, bridge.Attrs().Index
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: peer, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(pair); err != nil {
		return describe(err)
	}
	link, err := netlink.LinkByName(hostLink)
	if err != nil {
		return describe(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return describe(err)
	}
	if err := run("ip", "netns", "attach", cluster.NamespaceName(), strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("cluster %s: network namespace: %w", cluster.Name, err)
	}
	for _, reach := range []netip.Prefix{plan.Pods(), plan.Services()} {
		route := clusterRoute(plan, reach)
		route.LinkIndex = bridge.Attrs().Index
		if err := netlink.RouteReplace(&route); err != nil {
			return fmt.Errorf("cluster %s: route to %s: %w", cluster.Name, reach, err)
		}
	}
	return nil
}

// clusterRoute leads from the host to a range behind the cluster's node.
func clusterRoute(plan address.Plan, reach netip.Prefix) netlink.Route {
	return netlink.Route{
		Dst: &net.IPNet{IP: reach.Addr().AsSlice(), Mask: net.CIDRMask(reach.Bits(), 32)},
		Gw:  plan.Node().AsSlice(),
	}
}

// Detach removes the routes and the link that Attach made.
func Detach(cluster place.Cluster, plan address.Plan) error {
	for _, reach := range []netip.Prefix{plan.Pods(), plan.Services()} {
		route := clusterRoute(plan, reach)
		if err := netlink.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("cluster %s: route to %s: %w", cluster.Name, reach, err)
		}
	}
	if err := removeLink(cluster.Owner.HostLink(plan.Slot)); err != nil {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	return nil
}

// RemoveName removes the name of the cluster's network namespace.
func RemoveName(cluster place.Cluster) error {
	if !Named(cluster) {
		return nil
	}
	if err := run("ip", "netns", "delete", cluster.NamespaceName()); err != nil {
		return fmt.Errorf("cluster %s: network namespace: %w", cluster.Name, err)
	}
	return nil
}

// Named reports whether the cluster's network namespace has its name.
func Named(cluster place.Cluster) bool {
	_, err := os.Lstat(filepath.Join(namesFolder, cluster.NamespaceName()))
	return err == nil
}

// Members lists the processes of the host's view that are in the cluster's
// network namespace.
func Members(cluster place.Cluster) []int {
	var named unix.Stat_t
	if err := unix.Stat(filepath.Join(namesFolder, cluster.NamespaceName()), &named); err != nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var own unix.Stat_t
		if err := unix.Stat(filepath.Join("/proc", entry.Name(), "ns/net"), &own); err != nil {
			continue
		}
		if own.Ino == named.Ino && own.Dev == named.Dev {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Busy returns a function that says whether the host already has an address or
// a route in a network.
func Busy() (func(netip.Prefix) bool, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("routes of this machine: %w", err)
	}
	var used []netip.Prefix
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		length, _ := route.Dst.Mask.Size()
		// Whole private ranges behind a VPN or blackhole are the default route of
		// somebody, not a use of one of our networks.
		if base, ok := netip.AddrFromSlice(route.Dst.IP.To4()); ok && length > 10 {
			used = append(used, netip.PrefixFrom(base, length))
		}
	}
	return func(network netip.Prefix) bool {
		for _, prefix := range used {
			if prefix.Overlaps(network) {
				return true
			}
		}
		return false
	}, nil
}

func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("network link %s: cannot remove it: %w", name, err)
	}
	return nil
}

func iptables(arguments ...string) error {
	return run("iptables", append([]string{"--wait", "10"}, arguments...)...)
}

// run runs a command of the system and puts what it said into the error.
func run(program string, arguments ...string) error {
	output, err := exec.Command(program, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("`%s %s`: %w: %s", program, strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
