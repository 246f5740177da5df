package address

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func nothingBusy(netip.Prefix) bool { return false }

func TestAClusterKeepsItsAddressesUntilTheyAreReleased(t *testing.T) {
	registry := &Registry{}
	first, err := registry.Allocate("aaaaaaaa", "/a", "demo", nothingBusy)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := registry.Allocate("aaaaaaaa", "/a", "other", nothingBusy)
	again, _ := registry.Allocate("aaaaaaaa", "/a", "demo", nothingBusy)
	if first != again || first == second || first.Network != second.Network {
		t.Errorf("first %+v, again %+v, second %+v", first, again, second)
	}
	if registry.Release("aaaaaaaa", "demo") {
		t.Error("the owner's last cluster is said to be gone while another is there")
	}
	if _, found := registry.Find("aaaaaaaa", "demo"); found {
		t.Error("a released cluster still has addresses")
	}
	if !registry.Release("aaaaaaaa", "other") || len(registry.Owners) != 0 {
		t.Errorf("the owner stays: %+v", registry.Owners)
	}
}

func TestNetworksThatTheMachineUsesAreLeftOut(t *testing.T) {
	used := netip.MustParsePrefix("10.192.7.0/24")
	plan, err := (&Registry{}).Allocate("aaaaaaaa", "/a", "demo", used.Overlaps)
	if err != nil || plan.Whole().Overlaps(used) {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestAFullMachineAndAFullOwnerAreNamed(t *testing.T) {
	_, err := (&Registry{}).Allocate("aaaaaaaa", "/a", "demo", func(netip.Prefix) bool { return true })
	if err == nil || !strings.Contains(err.Error(), "cluster list --machine") {
		t.Errorf("full machine: %v", err)
	}
	registry := &Registry{}
	for slot := range Slots {
		if _, err := registry.Allocate("aaaaaaaa", "/a", fmt.Sprint("c", slot), nothingBusy); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := registry.Allocate("aaaaaaaa", "/a", "more", nothingBusy); err == nil || !strings.Contains(err.Error(), "cluster down") {
		t.Errorf("full owner: %v", err)
	}
}

// The judge keeps its own book of who has what.
func TestRandomAllocationsAndReleasesNeverGiveAnAddressTwice(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		registry, book := &Registry{}, map[string]Plan{}
		for range 300 {
			owner, name := fmt.Sprintf("owner%03d", random.IntN(8)), fmt.Sprint("c", random.IntN(6))
			key := owner + "/" + name
			if random.IntN(3) == 0 {
				registry.Release(owner, name)
				delete(book, key)
				continue
			}
			plan, err := registry.Allocate(owner, "/"+owner, name, nothingBusy)
			if err != nil || plan.Check() != nil {
				t.Fatalf("seed %d: %v %v", seed, err, plan.Check())
			}
			if had, found := book[key]; found && had != plan {
				t.Fatalf("seed %d: %s moved from %+v to %+v", seed, key, had, plan)
			}
			for other, taken := range book {
				sameOwner := strings.HasPrefix(other, owner+"/")
				if other != key && (taken == plan || sameOwner != (taken.Network == plan.Network)) {
					t.Fatalf("seed %d: %s has %+v and %s gets %+v", seed, other, taken, key, plan)
				}
			}
			book[key] = plan
		}
	}
}

func TestChangesAtTheSameTimeAllCount(t *testing.T) {
	folder := t.TempDir()
	var group sync.WaitGroup
	for index := range 20 {
		group.Go(func() {
			err := Change(folder, func(registry *Registry) error {
				_, err := registry.Allocate("aaaaaaaa", "/a", fmt.Sprint("c", index), nothingBusy)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	registry, err := Read(folder)
	if err != nil || len(registry.Owners) != 1 || len(registry.Owners[0].Slots) != 20 {
		t.Errorf("%+v, %v", registry, err)
	}
}

func TestAFailedChangeSavesNothingAndADamagedRegistryIsNamed(t *testing.T) {
	folder := t.TempDir()
	refusal := fmt.Errorf("refused")
	err := Change(folder, func(registry *Registry) error {
		registry.Owners = append(registry.Owners, Holding{ID: "aaaaaaaa"})
		return refusal
	})
	registry, reading := Read(folder)
	if err != refusal || reading != nil || len(registry.Owners) != 0 {
		t.Errorf("%v, %v, %+v", err, reading, registry)
	}
	file := filepath.Join(folder, "registry.json")
	if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("damaged registry: %v", err)
	}
}
