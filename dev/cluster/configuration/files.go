package configuration

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"volley.dev/dev/cluster/certificate"
)

// Files renders all configuration files; keys are paths relative to the
// cluster's folder.
func Files(definition Definition, set *certificate.Set) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, user := range definition.Options.Users() {
		content, err := kubeconfig(definition, user, set)
		if err != nil {
			return nil, err
		}
		files["kubeconfigs/"+user] = content
		if user == certificate.Administrator {
			files["kubeconfig"] = content
		}
	}
	if definition.Options.TokenWebhookPort != 0 {
		content, err := tokenWebhook(definition)
		if err != nil {
			return nil, err
		}
		files[TokenWebhookFile] = content
	}
	if definition.Options.APIServerOnly {
		return files, nil
	}
	network, err := json.MarshalIndent(podNetwork(definition), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cluster %s: pod network: %w", definition.Name, err)
	}
	files["network/10-pods.conflist"] = network
	for name, value := range map[string]map[string]any{
		"kubelet.yaml": kubelet(definition), "kube-proxy.yaml": proxy(definition),
	} {
		if files[name], err = yaml.Marshal(value); err != nil {
			return nil, fmt.Errorf("cluster %s: %s: %w", definition.Name, name, err)
		}
	}
	files["containerd.toml"] = []byte(containerd(definition))
	files["Corefile"] = []byte(corefile(definition))
	files["resolv.conf"] = fmt.Appendf(nil, "nameserver %s\n", definition.Addresses.Node())
	files[HostsFile] = []byte("# ADDRESS NAME...: further names for the pods of this cluster\n")
	return files, nil
}

// kubeconfig holds its certificates itself, so the file alone can be handed on.
func kubeconfig(definition Definition, user string, set *certificate.Set) ([]byte, error) {
	name := "volley-" + definition.Name
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{
		Server:                   definition.APIServerURL(),
		CertificateAuthorityData: set.Authority.Certificate,
	}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{
		ClientCertificateData: set.Users[user].Certificate,
		ClientKeyData:         set.Users[user].Key,
	}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: kubeconfig of %s: %w", definition.Name, user, err)
	}
	return content, nil
}

// tokenWebhook is a kubeconfig too. Plain HTTP: both ends are on this machine.
func tokenWebhook(definition Definition) ([]byte, error) {
	const name = "token-webhook"
	host := netip.AddrPortFrom(definition.Addresses.Host(), definition.Options.TokenWebhookPort)
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "http://" + host.String()}
	config.AuthInfos[name] = clientcmdapi.NewAuthInfo()
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: token webhook: %w", definition.Name, err)
	}
	return content, nil
}

// podNetwork routes each pod by a veth pair of its own. A bridge would let pods
// of one node answer each other past the Service rules where the kernel lacks
// br_netfilter. There is no masquerading: the host knows the way to all pods.
func podNetwork(definition Definition) map[string]any {
	return map[string]any{
		"cniVersion": "0.4.0",
		"name":       "pods",
		"plugins": []map[string]any{
			{
				"type": "ptp",
				"ipam": map[string]any{
					"type":    "host-local",
					"dataDir": definition.path("addresses"),
					"ranges":  [][]map[string]string{{{"subnet": definition.Addresses.Pods().String()}}},
					"routes":  []map[string]string{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
}

func kubelet(definition Definition) map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"address":    definition.Addresses.Node().String(),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": definition.certificate(certificate.AuthorityFile)},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"tlsCertFile":              definition.certificate(certificate.KubeletServerFile),
		"tlsPrivateKeyFile":        definition.certificate(certificate.KubeletServerKeyFile),
		"rotateCertificates":       false,
		"clusterDomain":            ClusterDomain,
		"clusterDNS":               []string{definition.Addresses.DNSService().String()},
		"resolvConf":               definition.path("resolv.conf"),
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket,
		// A cgroup root of its own lets several kubelets share the machine; the
		// pods' cgroups lie below it. Nothing is enforced on the node as a whole.
		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             "/" + definition.ControlGroup,
		"cgroupsPerQOS":          true,
		"enforceNodeAllocatable": []string{},
		"failCgroupV1":           false,
		"failSwapOn":             false,
		// The machine's disk is shared with everything else on it, so its being
		// nearly full must neither evict pods nor remove loaded images.
		"evictionHard": map[string]string{
			"imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
		},
		"imageGCHighThresholdPercent": 100,
		"serializeImagePulls":         false,
		// The default folder would be made outside the cluster's folder.
		"volumePluginDir": definition.path("kubelet", "volume-plugins"),
	}
}

func proxy(definition Definition) map[string]any {
	return map[string]any{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"clientConnection":   map[string]any{"kubeconfig": definition.kubeconfig(certificate.Proxy)},
		"bindAddress":        definition.Addresses.Node().String(),
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"mode":               "iptables",
		"clusterCIDR":        definition.Addresses.Pods().String(),
		"hostnameOverride":   definition.Node,
		"iptables":           map[string]any{"minSyncPeriod": "100ms"},
		// These sysctls belong to the machine; zero leaves them alone.
		"conntrack": map[string]any{
			"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
		},
	}
}

func containerd(definition Definition) string {
	return fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
# Snapshotters that are not used slow the start; "opt" would make /opt/containerd.
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Without CAP_SYS_RESOURCE no process may lower its score for the OOM killer.
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %q

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`,
		definition.path("containerd"), ContainerdSocket, PauseImage,
		definition.Programs.Network, definition.path("network"), definition.Programs.Snapshotter)
}

// corefile answers cluster names and the hosts file; all other names do not
// exist, which a resolver learns at once instead of after its timeouts.
func corefile(definition Definition) string {
	return fmt.Sprintf(`.:53 {
    bind %s
    errors
    cache 5
    loadbalance
    reload 2s
    hosts %q {
        ttl 1
        reload 1s
        fallthrough
    }
    kubernetes %s in-addr.arpa {
        kubeconfig %q
        pods insecure
        ttl 5
    }
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
`,
		definition.Addresses.Node(), definition.path(HostsFile), ClusterDomain, definition.kubeconfig(certificate.DNS))
}
