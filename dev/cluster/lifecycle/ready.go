package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"volley.dev/dev/cluster/bootstrap"
	"volley.dev/dev/cluster/configuration"
	"volley.dev/dev/cluster/image"
	"volley.dev/dev/cluster/place"
)

const (
	stepLimit = 2 * time.Minute        // for one step of a start
	callLimit = 5 * time.Second        // for one call to the API server
	askLimit  = 250 * time.Millisecond // for one DNS question to a server on this machine
	interval  = 50 * time.Millisecond
	logLines  = 8 // of the component's log in the message of a failed step
)

// step is something to wait for during a start.
type step struct {
	what string
	log  string // whose log tells why it does not happen
	done func(context.Context) error
}

// awaitReady waits for a launched cluster, part by part, and fills it.
func awaitReady(ctx context.Context, cluster place.Cluster, definition configuration.Definition, running launched, report Report) error {
	client, err := client(cluster)
	if err != nil {
		return err
	}
	pause := make(chan error, 1)
	if !definition.Options.APIServerOnly {
		go func() { pause <- loadPauseImage(ctx, cluster, running.pid) }()
	}
	steps := []step{
		{"API server answers", "kube-apiserver", func(ctx context.Context) error { return apiServerReady(ctx, client) }},
		{"first objects created", "kube-apiserver", func(ctx context.Context) error { return fill(ctx, client, definition) }},
	}
	if !definition.Options.APIServerOnly || definition.Options.ControllerManager {
		steps = append(steps, step{"controllers work", "kube-controller-manager", func(ctx context.Context) error {
			_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
			return err
		}})
	}
	if !definition.Options.APIServerOnly {
		steps = append(steps,
			step{"node ready", "kubelet", func(ctx context.Context) error { return nodeReady(ctx, client, definition.Node) }},
			step{"cluster DNS answers", "coredns", func(ctx context.Context) error { return dnsAnswers(ctx, definition) }},
		)
	}
	for _, step := range steps {
		if err := await(ctx, cluster, running, step); err != nil {
			return err
		}
		report("%s", step.what)
	}
	if !definition.Options.APIServerOnly {
		if err := <-pause; err != nil {
			return err
		}
	}
	return os.WriteFile(cluster.Path(readyFile), nil, 0o644)
}

// await repeats a step until it succeeds, its time is over, or the supervisor ends.
func await(ctx context.Context, cluster place.Cluster, running launched, step step) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	for {
		call, cancelCall := context.WithTimeout(ctx, callLimit)
		err := step.done(call)
		cancelCall()
		if err == nil {
			return nil
		}
		select {
		case <-running.ended:
			return fmt.Errorf("waiting for %q: the supervisor ended:\n%s", step.what, tail(cluster, "supervisor"))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w (%w); the end of its log:\n%s", step.what, err, context.Cause(ctx), tail(cluster, step.log))
		case <-time.After(interval):
		}
	}
}

// tail is the end of a component's log, indented.
func tail(cluster place.Cluster, component string) string {
	content, err := os.ReadFile(cluster.Path("logs", component+".log"))
	if err != nil {
		return "  " + err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-logLines):], "\n  ")
}

// client is the administrator's client of the cluster.
func client(cluster place.Cluster) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	config.QPS = -1 // no limit of our own: the calls are few
	return kubernetes.NewForConfig(config)
}

func apiServerReady(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

func fill(ctx context.Context, client kubernetes.Interface, definition configuration.Definition) error {
	if err := bootstrap.ControlPlane(ctx, client); err != nil || definition.Options.APIServerOnly {
		return err
	}
	return bootstrap.Node(ctx, client, bootstrap.Addresses{
		Node: definition.Addresses.Node(), DNSService: definition.Addresses.DNSService(),
	})
}

func nodeReady(ctx context.Context, client kubernetes.Interface, name string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		if condition.Status == corev1.ConditionTrue {
			return nil
		}
		return fmt.Errorf("node %s: %s: %s", name, condition.Reason, condition.Message)
	}
	return fmt.Errorf("node %s: kubelet has not said yet whether it is ready", name)
}

// dnsAnswers asks for the API server's name through the address of the DNS
// Service, as pods do; so it proves kube-proxy's rules too.
func dnsAnswers(ctx context.Context, definition configuration.Definition) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	server := netip.AddrPortFrom(definition.Addresses.DNSService(), 53).String()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
	name := "kubernetes.default.svc." + configuration.ClusterDomain + "."
	addresses, err := resolver.LookupNetIP(ctx, "ip4", name)
	if err != nil {
		return fmt.Errorf("DNS at %s: %w", server, err)
	}
	if len(addresses) != 1 || addresses[0] != definition.Addresses.APIService() {
		return fmt.Errorf("DNS at %s: %s is %v, not %s", server, name, addresses, definition.Addresses.APIService())
	}
	return nil
}

func loadPauseImage(ctx context.Context, cluster place.Cluster, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	var problem error
	for {
		if _, problem = image.Load(ctx, pid, configuration.ContainerdSocket, cluster.Path(pauseArchive)); problem == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("loading the pause image: %w; the end of containerd's log:\n%s", problem, tail(cluster, "containerd"))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Grace is how long a cluster that came up once may take to be well
// again: its supervisor restarts components that end.
const Grace = 15 * time.Second

// Examine says what is wrong with a cluster, nil if it is well. With a grace it
// waits that long for a cluster whose components are just starting again.
func Examine(ctx context.Context, cluster place.Cluster, grace time.Duration) error {
	definition, err := Definition(cluster)
	if err != nil {
		return err
	}
	if supervisor(cluster) == 0 {
		return errors.New("its processes have ended")
	}
	if _, err := os.Stat(filepath.Join(cluster.Folder(), readyFile)); err != nil {
		return errors.New("its start was interrupted")
	}
	for end := time.Now().Add(grace); ; time.Sleep(interval) {
		problem := examineOnce(ctx, cluster, definition)
		if problem == nil || ctx.Err() != nil || !time.Now().Before(end) {
			return problem
		}
	}
}

func examineOnce(ctx context.Context, cluster place.Cluster, definition configuration.Definition) error {
	client, err := client(cluster)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := apiServerReady(ctx, client); err != nil {
		return fmt.Errorf("its API server is not ready: %w", err)
	}
	if definition.Options.APIServerOnly {
		return nil
	}
	if err := nodeReady(ctx, client, definition.Node); err != nil {
		return err
	}
	return dnsAnswers(ctx, definition)
}
