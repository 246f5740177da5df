package configuration

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	proxyconfig "k8s.io/kube-proxy/config/v1alpha1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"volley.dev/dev/cluster/address"
	"volley.dev/dev/cluster/certificate"
	"volley.dev/dev/cluster/supervisor"
)

func definition(options Options) Definition {
	return Definition{
		Name: "demo", Owner: "0123abcd", Folder: "/state of mine/demo", Node: "demo-node",
		ControlGroup: "volley-0123abcd-demo", PeerLink: "vc0123abcd-2",
		Addresses: address.Plan{Network: 3, Slot: 2}, Options: options,
		Programs: Programs{
			Cluster: "/bin/cluster", CoreDNS: "/bin/coredns", Pause: "/bin/pause",
			Containerd: "/usr/bin/containerd", Network: "/usr/lib/cni", Snapshotter: "overlayfs",
		},
	}
}

func files(t *testing.T, definition Definition) map[string][]byte {
	t.Helper()
	input := definition.CertificateInput()
	input.Now = time.Now()
	set, err := certificate.NewSet(input)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(definition, set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func names(processes []supervisor.Process) []string {
	var names []string
	for _, process := range processes {
		names = append(names, process.Name)
	}
	return names
}

// flag returns the value that follows a flag.
func flag(t *testing.T, task supervisor.Task, process, flag string) string {
	t.Helper()
	for _, candidate := range task.Processes {
		if index := slices.Index(candidate.Arguments, flag); candidate.Name == process && index > 0 && index+1 < len(candidate.Arguments) {
			return candidate.Arguments[index+1]
		}
	}
	t.Fatalf("%s has no %s", process, flag)
	return ""
}

func TestEachModeRunsItsProcesses(t *testing.T) {
	for _, row := range []struct {
		options Options
		want    []string
	}{
		{Options{}, []string{"etcd", "kube-apiserver", "kube-controller-manager", "containerd", "kube-scheduler", "kubelet", "kube-proxy", "coredns", "storage"}},
		{Options{APIServerOnly: true}, []string{"etcd", "kube-apiserver"}},
		{Options{APIServerOnly: true, ControllerManager: true}, []string{"etcd", "kube-apiserver", "kube-controller-manager"}},
	} {
		task := Task(definition(row.options))
		if got := names(task.Processes); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.options, got, row.want)
		}
		if (task.ControlGroup == "") != row.options.APIServerOnly {
			t.Errorf("%s: cgroup %q", row.options, task.ControlGroup)
		}
	}
}

func TestEveryProcessIsStoppedAndInTheRightOrder(t *testing.T) {
	task := Task(definition(Options{}))
	for _, name := range names(task.Processes) {
		if !slices.Contains(task.Stop, name) {
			t.Errorf("%s is never stopped", name)
		}
	}
	order := []string{kubeletProcess, supervisor.Pods, controllers, apiServer, etcdProcess, containerdName}
	for index := range order[1:] {
		if slices.Index(task.Stop, order[index]) > slices.Index(task.Stop, order[index+1]) {
			t.Errorf("%s stops after %s", order[index], order[index+1])
		}
	}
}

func TestWhatNeedsTheAPIServerStartsOnceItIsReady(t *testing.T) {
	for _, process := range Task(definition(Options{})).Processes {
		early := slices.Contains([]string{etcdProcess, apiServer, containerdName}, process.Name)
		if early != (process.After == nil) {
			t.Errorf("%s: gate %v", process.Name, process.After)
		}
	}
}

func TestTheUsersFlagsForTheAPIServerComeLast(t *testing.T) {
	extra := "--authentication-token-webhook-config-file=/w"
	task := Task(definition(Options{APIServerOnly: true, APIServerFlags: []string{extra}}))
	arguments := task.Processes[1].Arguments
	if arguments[len(arguments)-1] != extra {
		t.Errorf("%v", arguments)
	}
}

func TestTokensAreJudgedAtTheHostWhereThatIsAskedFor(t *testing.T) {
	definition := definition(Options{APIServerOnly: true, TokenWebhookPort: 9443})
	file := flag(t, Task(definition), apiServer, "--authentication-token-webhook-config-file")
	relative, _ := strings.CutPrefix(file, definition.Folder+"/")
	config, err := clientcmd.RESTConfigFromKubeConfig(files(t, definition)[relative])
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "http://10.195.0.1:9443" {
		t.Errorf("tokens are judged at %s", config.Host)
	}
}

func TestEveryFileThatAProcessReadsIsRendered(t *testing.T) {
	definition := definition(Options{TokenWebhookPort: 9443})
	rendered := files(t, definition)
	for _, process := range Task(definition).Processes {
		for _, argument := range process.Arguments {
			relative, inside := strings.CutPrefix(argument, definition.Folder+"/")
			directory := strings.HasPrefix(relative, "certificates") || slices.Contains([]string{"etcd", "volumes", "kubelet/volume-plugins"}, relative)
			if _, found := rendered[relative]; inside && !directory && !found {
				t.Errorf("%s reads %s, which nobody writes", process.Name, relative)
			}
		}
	}
}

func TestKubeletAndKubeProxyUnderstandTheirConfiguration(t *testing.T) {
	rendered := files(t, definition(Options{}))
	var kubelet kubeletconfig.KubeletConfiguration
	if err := yaml.UnmarshalStrict(rendered["kubelet.yaml"], &kubelet); err != nil {
		t.Fatal(err)
	}
	if *kubelet.Authentication.Anonymous.Enabled || !*kubelet.Authentication.Webhook.Enabled || kubelet.Authorization.Mode != kubeletconfig.KubeletAuthorizationModeWebhook {
		t.Errorf("kubelet lets anybody in: %+v %+v", kubelet.Authentication, kubelet.Authorization)
	}
	if kubelet.CgroupRoot != "/volley-0123abcd-demo" || len(kubelet.EnforceNodeAllocatable) != 0 || kubelet.EnforceNodeAllocatable == nil {
		t.Errorf("kubelet would meet other kubelets: %q %v", kubelet.CgroupRoot, kubelet.EnforceNodeAllocatable)
	}
	var proxy proxyconfig.KubeProxyConfiguration
	if err := yaml.UnmarshalStrict(rendered["kube-proxy.yaml"], &proxy); err != nil {
		t.Fatal(err)
	}
	if proxy.Conntrack.MaxPerCore == nil || *proxy.Conntrack.MaxPerCore != 0 || *proxy.Conntrack.Min != 0 {
		t.Errorf("kube-proxy would change the machine's conntrack table: %+v", proxy.Conntrack)
	}
}

func TestKubeconfigsVerifyTheServerAndCarryTheirUser(t *testing.T) {
	for path, content := range files(t, definition(Options{})) {
		if !strings.HasPrefix(path, "kubeconfig") {
			continue
		}
		config, err := clientcmd.RESTConfigFromKubeConfig(content)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if config.Insecure || len(config.CAData) == 0 || len(config.CertData) == 0 || config.BearerToken != "" {
			t.Errorf("%s: insecure or without certificates", path)
		}
		if config.Host != "https://10.195.0.12:6443" {
			t.Errorf("%s: %s", path, config.Host)
		}
	}
}

func TestAddressesInTheConfigurationComeFromThePlan(t *testing.T) {
	definition := definition(Options{})
	rendered, task := files(t, definition), Task(definition)
	for name, text := range map[string]string{
		"Corefile": "bind 10.195.0.12", "resolv.conf": "nameserver 10.195.0.12",
		"network/10-pods.conflist": "10.195.2.0/24", "kubelet.yaml": "- 10.195.132.10",
	} {
		if !strings.Contains(string(rendered[name]), text) {
			t.Errorf("%s lacks %s:\n%s", name, text, rendered[name])
		}
	}
	if got := flag(t, task, apiServer, "--service-cluster-ip-range"); got != "10.195.132.0/22" {
		t.Errorf("Services: %s", got)
	}
	if task.Network.Address != netip.MustParsePrefix("10.195.0.12/24") || task.Network.Gateway != netip.MustParseAddr("10.195.0.1") || task.Network.Reach != netip.MustParsePrefix("10.195.0.0/16") {
		t.Errorf("network: %+v", task.Network)
	}
}

func TestTheSupervisorReadsTheTaskThatWasWritten(t *testing.T) {
	task := Task(definition(Options{}))
	content, err := yaml.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	if content, err = yaml.YAMLToJSON(content); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), supervisor.TaskFile)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := supervisor.ReadTask(file)
	if err != nil || !slices.Equal(names(read.Processes), names(task.Processes)) || read.Network != task.Network {
		t.Errorf("%+v, %v", read, err)
	}
}
