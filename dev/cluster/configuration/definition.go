// Package configuration renders what a cluster's components read: their flags,
// their configuration files, and the supervisor's task. It is pure: it takes a
// Definition and returns text.
package configuration

import (
	"fmt"
	"path/filepath"
	"strings"

	"volley.dev/dev/cluster/address"
	"volley.dev/dev/cluster/certificate"
)

// Definition is one cluster as decided by `cluster up`; saved as cluster.json.
type Definition struct {
	Name         string       `json:"name"`
	Owner        string       `json:"owner"`
	Folder       string       `json:"folder"`
	Node         string       `json:"node"`
	ControlGroup string       `json:"controlGroup"`
	PeerLink     string       `json:"peerLink"`
	Addresses    address.Plan `json:"addresses"`
	Options      Options      `json:"options"`
	Programs     Programs     `json:"programs"`
}

// Options is what the user chose.
type Options struct {
	// APIServerOnly leaves out the node: only etcd and the API server run.
	APIServerOnly bool `json:"apiServerOnly"`
	// ControllerManager runs the controller manager in spite of APIServerOnly.
	ControllerManager bool `json:"controllerManager"`
	// APIServerFlags are added to the API server's own flags.
	APIServerFlags []string `json:"apiServerFlags,omitempty"`
	// TokenWebhookPort is the port of the host at which somebody judges bearer
	// tokens that the API server does not know; 0: nobody does.
	TokenWebhookPort uint16 `json:"tokenWebhookPort,omitempty"`
}

// Programs is where the cluster's programs and folders of programs are.
type Programs struct {
	Cluster     string `json:"cluster"`
	CoreDNS     string `json:"coredns,omitempty"`
	Pause       string `json:"pause,omitempty"`
	Containerd  string `json:"containerd,omitempty"`
	Network     string `json:"network,omitempty"` // folder of the CNI plugins
	Snapshotter string `json:"snapshotter,omitempty"`
}

// DefinitionFile is the definition's file in the cluster's folder.
const DefinitionFile = "cluster.json"

// PauseImage is the image of every pod's sandbox. It never comes from a registry.
const PauseImage = "localhost/volley-pause:1"

// ContainerdSocket is where containerd listens, in the cluster's mount namespace.
const ContainerdSocket = "/run/containerd/containerd.sock"

// ClusterDomain is the DNS domain of Services and pods.
const ClusterDomain = "cluster.local"

// TokenWebhookFile says where bearer tokens are judged, in the cluster's folder.
const TokenWebhookFile = "token-webhook"

// HostsFile holds further names that the cluster's DNS answers (format of
// /etc/hosts), in the cluster's folder. Changes take effect within a second.
const HostsFile = "hosts"

func (d Definition) path(elements ...string) string {
	return filepath.Join(append([]string{d.Folder}, elements...)...)
}

func (d Definition) certificate(file string) string {
	return d.path("certificates", file)
}

func (d Definition) kubeconfig(user string) string {
	return d.path("kubeconfigs", user)
}

// APIServerURL is the address at which the host, the node and other clusters
// reach the API server.
func (d Definition) APIServerURL() string {
	return "https://" + d.Addresses.Node().String() + ":6443"
}

// CertificateInput is what the cluster's certificates depend on, without the time.
func (d Definition) CertificateInput() certificate.Input {
	return certificate.Input{
		Cluster:    d.Name,
		Node:       d.Node,
		NodeIP:     d.Addresses.Node(),
		APIService: d.Addresses.APIService(),
	}
}

// Users lists the users that need a kubeconfig, by what runs.
func (o Options) Users() []string {
	users := []string{certificate.Administrator}
	if !o.APIServerOnly || o.ControllerManager {
		users = append(users, certificate.ControllerManager)
	}
	if !o.APIServerOnly {
		users = append(users, certificate.Scheduler, certificate.Kubelet,
			certificate.Proxy, certificate.DNS, certificate.Storage)
	}
	return users
}

// String names the options as a user gives them.
func (o Options) String() string {
	text := "full"
	if o.APIServerOnly {
		text = "API server only"
	}
	if o.APIServerOnly && o.ControllerManager {
		text += " with controller manager"
	}
	if len(o.APIServerFlags) > 0 {
		text += ", API server flags " + strings.Join(o.APIServerFlags, " ")
	}
	if o.TokenWebhookPort != 0 {
		text += fmt.Sprintf(", token webhook at port %d of the host", o.TokenWebhookPort)
	}
	return text
}
