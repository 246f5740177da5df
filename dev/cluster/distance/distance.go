// Package distance puts a cluster far away: it delays, loses and cuts what
// passes between the cluster and everything outside of it. What stays inside
// (pods among each other, the kubelet and its API server) is never touched.
//
// Loss and cuts are firewall rules. Delay is a queue of the firewall
// (NFQUEUE, netfilter's queue to a program) whose program, the delay line,
// answers "accept" after the time; few kernels here have netem. When the delay
// line ends, packets pass at once.
package distance

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// MaxDelay bounds the delay of one direction: half a minute would be no
	// network any more, and bounds how many packets wait.
	MaxDelay = 5 * time.Second

	// Link is the name of the cluster's only way out, in its network namespace.
	Link = "eth0"

	arriving, leaving = "VOLLEY-ARRIVING", "VOLLEY-LEAVING"

	// queue is the number of the firewall's queue; each network namespace has its own.
	queue = 1
)

// Cut is what no packet passes to or from. The zero value is everything outside.
type Cut struct {
	// Remote is an address outside; invalid: any.
	Remote netip.Addr `json:"remote,omitzero"`
	// RemotePort is a TCP port of what is outside; 0: any.
	RemotePort uint16 `json:"remotePort,omitempty"`
	// OwnPort is a TCP port of the cluster's node or pods; 0: any.
	OwnPort uint16 `json:"ownPort,omitempty"`
}

// State is how far away a cluster is. The zero value is: here.
type State struct {
	// Delay is the time that each packet takes more, in each direction.
	Delay time.Duration `json:"delay,omitempty"`
	// Jitter is the most that is added to Delay at random. Packets never pass each other.
	Jitter time.Duration `json:"jitter,omitempty"`
	// Loss is the share of packets lost in each direction, in percent.
	Loss float64 `json:"loss,omitempty"`
	// Cuts are what nothing passes to or from.
	Cuts []Cut `json:"cuts,omitempty"`
}

// Check refuses values outside their ranges.
func (s State) Check() error {
	if s.Delay < 0 || s.Jitter < 0 || s.Delay+s.Jitter > MaxDelay {
		return fmt.Errorf("a delay of %s and a jitter of %s: together 0s to %s", s.Delay, s.Jitter, MaxDelay)
	}
	if s.Jitter > 0 && s.Delay == 0 {
		return errors.New("a jitter without a delay: give --delay too")
	}
	if !(s.Loss >= 0 && s.Loss <= 100) {
		return fmt.Errorf("a loss of %g: from 0 to 100 percent", s.Loss)
	}
	for _, cut := range s.Cuts {
		if cut.Remote.IsValid() && !cut.Remote.Is4() {
			return fmt.Errorf("%s is no IPv4 address", cut.Remote)
		}
	}
	return nil
}

// Without returns the cuts that are left when some are mended; all are when none is named.
func (s State) Without(mended []Cut) []Cut {
	if len(mended) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Cuts), func(cut Cut) bool { return slices.Contains(mended, cut) })
}

// With returns the cuts with more of them, each once.
func (s State) With(more []Cut) []Cut {
	cuts := slices.Clone(s.Cuts)
	for _, cut := range more {
		if !slices.Contains(cuts, cut) {
			cuts = append(cuts, cut)
		}
	}
	return cuts
}

// Rules is the state as input of `iptables-restore --noflush`: it replaces the
// rules of both chains in one step.
func (s State) Rules() string {
	var text strings.Builder
	fmt.Fprintf(&text, "*mangle\n:%s - [0:0]\n:%s - [0:0]\n", arriving, leaving)
	for _, cut := range s.Cuts {
		fmt.Fprintf(&text, "-A %s%s -j DROP\n", arriving, cut.match("--source", "--sport", "--dport"))
		fmt.Fprintf(&text, "-A %s%s -j DROP\n", leaving, cut.match("--destination", "--dport", "--sport"))
	}
	for _, chain := range []string{arriving, leaving} {
		if s.Loss > 0 {
			fmt.Fprintf(&text, "-A %s -m statistic --mode random --probability %.6f -j DROP\n", chain, s.Loss/100)
		}
		if s.Delay > 0 {
			fmt.Fprintf(&text, "-A %s -j NFQUEUE --queue-num %d --queue-bypass\n", chain, queue)
		}
	}
	text.WriteString("COMMIT\n")
	return text.String()
}

func (c Cut) match(remote, remotePort, ownPort string) string {
	var match string
	if c.Remote.IsValid() {
		match += fmt.Sprintf(" %s %s", remote, c.Remote)
	}
	if c.RemotePort != 0 || c.OwnPort != 0 {
		match += " -p tcp"
	}
	if c.RemotePort != 0 {
		match += fmt.Sprintf(" %s %d", remotePort, c.RemotePort)
	}
	if c.OwnPort != 0 {
		match += fmt.Sprintf(" %s %d", ownPort, c.OwnPort)
	}
	return match
}

// jumps lead from the system's chains to ours.
var jumps = [][]string{
	{"PREROUTING", "--in-interface", Link, "--jump", arriving},
	{"POSTROUTING", "--out-interface", Link, "--jump", leaving},
}
