package address

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Folder is where the machine's registry of addresses lies. It is on a
// temporary file system: namespaces and bridges do not survive a restart either.
const Folder = "/run/volley-dev"

// Registry is which owner and cluster has which numbers.
type Registry struct {
	Owners []Holding `json:"owners"`
}

// Holding is one owner's network and the slots taken in it.
type Holding struct {
	// ID is the owner's id.
	ID string `json:"id"`
	// State is the owner's state folder.
	State string `json:"state"`
	// Network is the owner's number.
	Network int `json:"network"`
	// Slots maps cluster names to slot numbers.
	Slots map[string]int `json:"slots"`
}

// Allocate returns the cluster's plan, which it keeps if it has one. busy says
// whether the machine already uses a network for something else.
func (r *Registry) Allocate(id, state, name string, busy func(netip.Prefix) bool) (Plan, error) {
	holding, err := r.holdingFor(id, state, busy)
	if err != nil {
		return Plan{}, err
	}
	if slot, found := holding.Slots[name]; found {
		return Plan{Network: holding.Network, Slot: slot}, nil
	}
	taken := make(map[int]bool, len(holding.Slots))
	for _, slot := range holding.Slots {
		taken[slot] = true
	}
	for slot := 1; slot <= Slots; slot++ {
		if !taken[slot] {
			holding.Slots[name] = slot
			return Plan{Network: holding.Network, Slot: slot}, nil
		}
	}
	return Plan{}, fmt.Errorf("cluster %s: all %d slots of this checkout are taken; remove clusters with `cluster down NAME`", name, Slots)
}

func (r *Registry) holdingFor(id, state string, busy func(netip.Prefix) bool) (*Holding, error) {
	taken := make(map[int]bool, len(r.Owners))
	for index := range r.Owners {
		if r.Owners[index].ID == id {
			return &r.Owners[index], nil
		}
		taken[r.Owners[index].Network] = true
	}
	for network := range Networks {
		if taken[network] || busy(Plan{Network: network, Slot: 1}.Whole()) {
			continue
		}
		r.Owners = append(r.Owners, Holding{ID: id, State: state, Network: network, Slots: map[string]int{}})
		return &r.Owners[len(r.Owners)-1], nil
	}
	return nil, fmt.Errorf("all %d networks of 10.192.0.0/10 are in use on this machine; `cluster list --machine` shows the owners, `cluster down --state FOLDER --all` removes one's clusters", Networks)
}

// Find returns the plan of a cluster, if it holds one.
func (r *Registry) Find(id, name string) (Plan, bool) {
	for _, holding := range r.Owners {
		if slot, found := holding.Slots[name]; holding.ID == id && found {
			return Plan{Network: holding.Network, Slot: slot}, true
		}
	}
	return Plan{}, false
}

// Release gives back a cluster's slot. It reports whether that was the owner's
// last one, in which case the owner's network is free and its bridge can go.
func (r *Registry) Release(id, name string) bool {
	for index := range r.Owners {
		if r.Owners[index].ID != id {
			continue
		}
		delete(r.Owners[index].Slots, name)
		if len(r.Owners[index].Slots) > 0 {
			return false
		}
		r.Owners = append(r.Owners[:index], r.Owners[index+1:]...)
		return true
	}
	return true
}

// Change runs a function on the machine's registry in folder under its lock and
// saves what the function left. An error of the function saves nothing.
func Change(folder string, change func(*Registry) error) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("address registry %s: %w; clusters need root", folder, err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("address registry %s: %w; clusters need root", folder, err)
	}
	defer lock.Close() // also gives up the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("address registry %s: cannot lock it: %w", folder, err)
	}
	registry, err := read(folder)
	if err != nil {
		return err
	}
	if err := change(registry); err != nil {
		return err
	}
	return write(folder, registry)
}

// Read returns the machine's registry as it is now.
func Read(folder string) (*Registry, error) { return read(folder) }

func read(folder string) (*Registry, error) {
	file := filepath.Join(folder, "registry.json")
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Registry{}, nil
	}
	registry := &Registry{}
	if err == nil {
		err = json.Unmarshal(content, registry)
	}
	if err != nil {
		return nil, fmt.Errorf("address registry %s: %w; if no cluster runs on this machine, remove the file", file, err)
	}
	return registry, nil
}

// write replaces the registry in one step, so a killed writer leaves the old one.
func write(folder string, registry *Registry) error {
	content, err := json.MarshalIndent(registry, "", "  ")
	if err != nil {
		return fmt.Errorf("address registry: %w", err)
	}
	file := filepath.Join(folder, "registry.json")
	if err := os.WriteFile(file+".new", append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("address registry %s: %w", file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("address registry %s: %w", file, err)
	}
	return nil
}
