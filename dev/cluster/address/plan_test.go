package address

import (
	"net/netip"
	"testing"
)

func TestNoTwoClustersOfAMachineShareAnAddress(t *testing.T) {
	type use struct {
		prefix netip.Prefix
		what   string
	}
	for network := range Networks {
		var uses []use
		whole := Plan{Network: network, Slot: 1}.Whole()
		bridge := Plan{Network: network, Slot: 1}.Bridge()
		uses = append(uses, use{bridge, "bridge"})
		nodes := map[netip.Addr]bool{Plan{Network: network, Slot: 1}.Host(): true}
		for slot := 1; slot <= Slots; slot++ {
			plan := Plan{Network: network, Slot: slot}
			uses = append(uses, use{plan.Pods(), "pods"}, use{plan.Services(), "Services"})
			if nodes[plan.Node()] || !bridge.Contains(plan.Node()) {
				t.Errorf("node %s is taken or outside the bridge %s", plan.Node(), bridge)
			}
			nodes[plan.Node()] = true
			for _, service := range []netip.Addr{plan.APIService(), plan.DNSService()} {
				if !plan.Services().Contains(service) {
					t.Errorf("Service %s is outside %s", service, plan.Services())
				}
			}
		}
		for index, one := range uses {
			if one.prefix.Masked() != one.prefix {
				t.Errorf("%s %s has bits beyond its length", one.what, one.prefix)
			}
			if !whole.Overlaps(one.prefix) || one.prefix.Bits() < whole.Bits() {
				t.Errorf("%s %s is outside %s", one.what, one.prefix, whole)
			}
			for _, other := range uses[index+1:] {
				if one.prefix.Overlaps(other.prefix) {
					t.Errorf("%s %s overlaps %s %s", one.what, one.prefix, other.what, other.prefix)
				}
			}
		}
	}
}

func TestOwnersNetworksAreApartAndPrivate(t *testing.T) {
	private := netip.MustParsePrefix("10.192.0.0/10")
	seen := map[netip.Prefix]bool{}
	for network := range Networks {
		whole := Plan{Network: network, Slot: 1}.Whole()
		if seen[whole] || !private.Contains(whole.Addr()) {
			t.Errorf("network %d is %s", network, whole)
		}
		seen[whole] = true
	}
}

func TestAPlanOutsideTheRangesIsRefused(t *testing.T) {
	for _, plan := range []Plan{{-1, 1}, {Networks, 1}, {0, 0}, {0, Slots + 1}} {
		if plan.Check() == nil {
			t.Errorf("%+v is accepted", plan)
		}
	}
	if err := (Plan{Networks - 1, Slots}).Check(); err != nil {
		t.Error(err)
	}
}
