// Package address gives each cluster of the machine addresses of its own.
//
// Every owner (checkout) gets one /16 network of 10.192.0.0/10 and every
// cluster one slot in it:
//
//	10.N.0.0/24            the bridge: host at .1, the node of slot s at .10+s
//	10.N.s.0/24            pods of slot s            (s = 1 to 31)
//	10.N.(128+4(s-1)).0/22 Services of slot s: API server at .1, DNS at .10
package address

import (
	"fmt"
	"net/netip"
)

const (
	// Networks is the number of owners that fit on a machine.
	Networks = 64
	// Slots is the number of clusters that one owner can run side by side.
	Slots = 31

	firstOctet    = 10
	firstNetwork  = 192
	firstServices = 128
	firstNode     = 10
)

// Plan is the addresses of one cluster.
type Plan struct {
	// Network is the owner's number, 0 to Networks-1.
	Network int `json:"network"`
	// Slot is the cluster's number within its owner, 1 to Slots.
	Slot int `json:"slot"`
}

// Check refuses numbers outside their ranges.
func (p Plan) Check() error {
	if p.Network < 0 || p.Network >= Networks || p.Slot < 1 || p.Slot > Slots {
		return fmt.Errorf("address plan %d/%d: network must be 0 to %d and slot 1 to %d", p.Network, p.Slot, Networks-1, Slots)
	}
	return nil
}

func (p Plan) address(third, fourth int) netip.Addr {
	return netip.AddrFrom4([4]byte{firstOctet, byte(firstNetwork + p.Network), byte(third), byte(fourth)})
}

// Whole is all that the owner's clusters use.
func (p Plan) Whole() netip.Prefix { return netip.PrefixFrom(p.address(0, 0), 16) }

// Bridge is the network on the owner's bridge.
func (p Plan) Bridge() netip.Prefix { return netip.PrefixFrom(p.address(0, 0), 24) }

// Host is the machine's own address on the bridge; clusters reach servers of the host there.
func (p Plan) Host() netip.Addr { return p.address(0, 1) }

// Node is the address of the cluster's node and of its API server.
func (p Plan) Node() netip.Addr { return p.address(0, firstNode+p.Slot) }

// Pods is the range of pod addresses.
func (p Plan) Pods() netip.Prefix { return netip.PrefixFrom(p.address(p.Slot, 0), 24) }

// Services is the range of Service addresses.
func (p Plan) Services() netip.Prefix {
	return netip.PrefixFrom(p.address(p.servicesOctet(), 0), 22)
}

func (p Plan) servicesOctet() int { return firstServices + 4*(p.Slot-1) }

// APIService is the address of the Service default/kubernetes.
func (p Plan) APIService() netip.Addr { return p.address(p.servicesOctet(), 1) }

// DNSService is the address of the Service kube-system/kube-dns.
func (p Plan) DNSService() netip.Addr { return p.address(p.servicesOctet(), 10) }
