package configuration

import (
	"fmt"
	"net/netip"

	"volley.dev/dev/cluster/certificate"
	"volley.dev/dev/cluster/supervisor"
)

// Names of the processes; also the names of their log files.
const (
	etcdProcess      = "etcd"
	apiServer        = "kube-apiserver"
	controllers      = "kube-controller-manager"
	schedulerProcess = "kube-scheduler"
	containerdName   = "containerd"
	kubeletProcess   = "kubelet"
	proxyProcess     = "kube-proxy"
	dnsProcess       = "coredns"
	storageProcess   = "storage"
)

// Task renders the supervisor's task.
func Task(definition Definition) supervisor.Task {
	addresses := definition.Addresses
	task := supervisor.Task{
		Folder: definition.Folder,
		Network: supervisor.Network{
			Peer:    definition.PeerLink,
			Address: netip.PrefixFrom(addresses.Node(), addresses.Bridge().Bits()),
			Gateway: addresses.Host(),
			Reach:   addresses.Whole(),
		},
		Processes: controlPlane(definition),
		// Pods first, so that nothing restarts or misses them; etcd after the
		// API server, which otherwise waits long for it.
		Stop: []string{
			kubeletProcess, supervisor.Pods, storageProcess, dnsProcess, proxyProcess,
			schedulerProcess, controllers, apiServer, etcdProcess, containerdName,
		},
	}
	if !definition.Options.APIServerOnly {
		task.ControlGroup = definition.ControlGroup
		task.Mounts = []supervisor.Mount{
			// Kubernetes and the CNI library have these paths built in.
			{Source: definition.path("kubelet"), Target: "/var/lib/kubelet"},
			{Source: definition.path("cni"), Target: "/var/lib/cni"},
			{Source: definition.path("logs", "machine"), Target: "/var/log"},
		}
		task.Processes = append(task.Processes, node(definition)...)
	}
	return task
}

func controlPlane(definition Definition) []supervisor.Process {
	processes := []supervisor.Process{
		{Name: etcdProcess, Arguments: component(definition, etcdProcess,
			"--name", "only",
			"--data-dir", definition.path("etcd"),
			"--listen-client-urls", "http://127.0.0.1:2379",
			"--advertise-client-urls", "http://127.0.0.1:2379",
			"--listen-peer-urls", "http://127.0.0.1:2380",
			// A development cluster's data may be lost with the machine.
			"--unsafe-no-fsync",
			// The only member need not wait long before it elects itself.
			"--heartbeat-interval", "20", "--election-timeout", "100",
			"--log-level", "warn",
		)},
		{Name: apiServer, Arguments: component(definition, apiServer, apiServerFlags(definition)...)},
	}
	if !definition.Options.APIServerOnly || definition.Options.ControllerManager {
		kubeconfig := definition.kubeconfig(certificate.ControllerManager)
		processes = append(processes, supervisor.Process{
			Name: controllers, After: ready(definition), Arguments: component(definition, controllers,
				"--kubeconfig", kubeconfig,
				"--leader-elect=false", "--secure-port", "0",
				"--use-service-account-credentials",
				// At its start it asks for a token for each of its controllers; the
				// default limit would stretch that over four seconds.
				"--kube-api-qps", "500", "--kube-api-burst", "500",
				"--service-account-private-key-file", definition.certificate(certificate.ServiceAccountKeyFile),
				"--root-ca-file", definition.certificate(certificate.AuthorityFile),
				"--cluster-signing-cert-file", definition.certificate(certificate.AuthorityFile),
				"--cluster-signing-key-file", definition.certificate(certificate.AuthorityKeyFile),
				"--flex-volume-plugin-dir", definition.path("kubelet", "volume-plugins"),
			)})
	}
	return processes
}

func apiServerFlags(definition Definition) []string {
	certificates := definition.certificate
	flags := []string{
		"--etcd-servers", "http://127.0.0.1:2379",
		"--secure-port", "6443",
		"--advertise-address", definition.Addresses.Node().String(),
		"--service-cluster-ip-range", definition.Addresses.Services().String(),
		"--cert-dir", definition.path("certificates"),
		"--tls-cert-file", certificates(certificate.APIServerFile),
		"--tls-private-key-file", certificates(certificate.APIServerKeyFile),
		"--client-ca-file", certificates(certificate.AuthorityFile),
		"--authorization-mode", "Node,RBAC",
		"--enable-admission-plugins", "NodeRestriction",
		"--allow-privileged",
		"--kubelet-certificate-authority", certificates(certificate.AuthorityFile),
		"--kubelet-client-certificate", certificates(certificate.KubeletClientFile),
		"--kubelet-client-key", certificates(certificate.KubeletClientKeyFile),
		// Nobody resolves the node's name.
		"--kubelet-preferred-address-types", "InternalIP",
		"--service-account-issuer", "https://kubernetes.default.svc." + ClusterDomain,
		"--service-account-key-file", certificates(certificate.ServiceAccountFile),
		"--service-account-signing-key-file", certificates(certificate.ServiceAccountKeyFile),
		"--requestheader-client-ca-file", certificates(certificate.FrontProxyFile),
		"--requestheader-allowed-names", "front-proxy-client",
		"--requestheader-username-headers", "X-Remote-User",
		"--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--proxy-client-cert-file", certificates(certificate.ProxyClientFile),
		"--proxy-client-key-file", certificates(certificate.ProxyClientKeyFile),
		"--profiling=false",
	}
	if definition.Options.TokenWebhookPort != 0 {
		flags = append(flags,
			"--authentication-token-webhook-config-file", definition.path(TokenWebhookFile),
			"--authentication-token-webhook-version", "v1",
			"--authentication-token-webhook-cache-ttl", "0s",
		)
	}
	return append(flags, definition.Options.APIServerFlags...)
}

func node(definition Definition) []supervisor.Process {
	temporary := "TMPDIR=" + definition.path("tmp")
	return []supervisor.Process{
		{
			Name:        containerdName,
			Arguments:   []string{definition.Programs.Containerd, "--config", definition.path("containerd.toml"), "--log-level", "warn"},
			Environment: []string{temporary},
		},
		{Name: schedulerProcess, After: ready(definition), Arguments: component(definition, schedulerProcess,
			"--kubeconfig", definition.kubeconfig(certificate.Scheduler),
			"--leader-elect=false", "--secure-port", "0",
		)},
		{
			Name: kubeletProcess, After: ready(definition), Environment: []string{temporary},
			Arguments: component(definition, kubeletProcess,
				"--kubeconfig", definition.kubeconfig(certificate.Kubelet),
				"--config", definition.path("kubelet.yaml"),
				"--hostname-override", definition.Node,
				"--node-ip", definition.Addresses.Node().String(),
				"--node-labels", fmt.Sprintf("topology.kubernetes.io/region=%s,topology.kubernetes.io/zone=%sa", definition.Name, definition.Name),
			),
		},
		{Name: proxyProcess, After: ready(definition), Arguments: component(definition, proxyProcess,
			"--config", definition.path("kube-proxy.yaml"),
		)},
		{Name: dnsProcess, After: ready(definition), Arguments: []string{
			definition.Programs.CoreDNS, "-conf", definition.path("Corefile"), "-quiet",
		}},
		{Name: storageProcess, After: ready(definition), Arguments: component(definition, "storage-provisioner",
			"--kubeconfig", definition.kubeconfig(certificate.Storage),
			"--folder", definition.path("volumes"),
		)},
	}
}

func component(definition Definition, name string, arguments ...string) []string {
	return append([]string{definition.Programs.Cluster, name}, arguments...)
}

func ready(definition Definition) *supervisor.Gate {
	return &supervisor.Gate{
		URL:       definition.APIServerURL() + "/readyz",
		Authority: definition.certificate(certificate.AuthorityFile),
	}
}
