// Package supervisor is the first process of a cluster: it runs as process 1 of
// the cluster's own process, mount and network namespaces, prepares mounts and
// the network, starts the components, restarts those that end, reaps orphans,
// and stops everything in order.
//
// Guarantee: when the supervisor ends, however it ends, the kernel ends every
// process of the cluster (containers too) and drops all of its mounts. Nothing
// but names on the host (network namespace, bridge port, cgroups, folder) stays.
package supervisor

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
)

// Task is everything that the supervisor does, as data.
type Task struct {
	// Folder is the cluster's folder.
	Folder string `json:"folder"`
	// ControlGroup is the parent of the pods in each cgroup hierarchy; empty
	// if the cluster runs no pods.
	ControlGroup string `json:"controlGroup,omitempty"`
	// Network is how the cluster's end of the veth pair is set up.
	Network Network `json:"network"`
	// Mounts are bound in the cluster's mount namespace before anything starts.
	Mounts []Mount `json:"mounts,omitempty"`
	// Processes are started in this order.
	Processes []Process `json:"processes"`
	// Stop is the order in which the processes are stopped. The entry Pods
	// stands for the processes of all containers.
	Stop []string `json:"stop"`
}

// Pods is the entry of Task.Stop that stands for all containers.
const Pods = "(pods)"

// Network is the cluster's only interface besides its pods.
type Network struct {
	// Peer is the interface's name when the host moves it in; it becomes eth0.
	Peer string `json:"peer"`
	// Address is the node's address with the length of the bridge's prefix.
	Address netip.Prefix `json:"address"`
	// Gateway is the host; Reach is the network behind it. All else is unreachable.
	Gateway netip.Addr   `json:"gateway"`
	Reach   netip.Prefix `json:"reach"`
}

// Mount is a folder of the cluster that is bound over one of the machine.
type Mount struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// Process is one component.
type Process struct {
	Name      string   `json:"name"`
	Arguments []string `json:"arguments"` // the first is the program's path
	// Environment is added to the supervisor's PATH and the few fixed variables.
	Environment []string `json:"environment,omitempty"`
	// After is an address that must answer with 200 before the process starts;
	// empty for those that start at once.
	After *Gate `json:"after,omitempty"`
}

// Gate is a condition for starting a process.
type Gate struct {
	URL       string `json:"url"`
	Authority string `json:"authority"` // file of the certificate authority
}

// TaskFile is the task's file in the cluster's folder.
const TaskFile = "task.json"

// ReadTask reads the task from its file.
func ReadTask(file string) (Task, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Task{}, fmt.Errorf("supervisor task: %w", err)
	}
	var task Task
	if err := json.Unmarshal(content, &task); err != nil {
		return Task{}, fmt.Errorf("supervisor task %s: %w", file, err)
	}
	return task, nil
}
