package integration

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"volley.dev/dev/cluster/address"
)

// expect asks an address and says if the answer lacks a text.
func expect(address, text string, parameters ...string) error {
	answer, err := ask(address, parameters...)
	if err == nil && !strings.Contains(answer, text) {
		err = fmt.Errorf("answer %q lacks %q", answer, text)
	}
	return err
}

// ofClusters matches the names and addresses that clusters take.
var ofClusters = regexp.MustCompile(`volley-|\bv[bhc][0-9a-f]{8}|\b10\.(19[2-9]|2[0-9][0-9])\.`)

// snapshot is what of the machine must be the same after the last cluster:
// mounts, network names, addresses and firewall rules.
func snapshot(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, command := range [][]string{
		{"ip", "-brief", "link"}, {"ip", "-brief", "address"}, {"ip", "route"}, {"ip", "netns"},
		{"iptables", "-S"}, {"iptables", "-t", "nat", "-S"},
		{"findmnt", "--list", "--noheadings", "--output", "TARGET,FSTYPE"},
		{"sysctl", "net.ipv4.ip_forward"},
	} {
		output, err := exec.Command(command[0], command[1:]...).Output()
		if err != nil {
			t.Fatalf("%v: %v", command, err)
		}
		for line := range strings.Lines(string(output)) {
			// Other checkouts may start and stop clusters meanwhile.
			if !ofClusters.MatchString(line) {
				lines = append(lines, command[0]+": "+strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func portForward(t *testing.T, m *machine, cluster described) {
	command := exec.Command(m.program, "--state", m.state, "kubectl", "west", "--", "-n", "probe", "port-forward", "pod/web", ":8080")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		command.Process.Kill()
		command.Wait()
	}()
	// "Forwarding from 127.0.0.1:PORT -> 8080"
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(line, "Forwarding from "), " ")
	eventually(t, "port-forward to "+cluster.NodeAddress, func() error { return expect("http://"+address+"/hello", "hello from web") })
}

// unauthenticated calls the API server and the kubelet over proper TLS but
// without a certificate of a client.
func unauthenticated(t *testing.T, cluster described) {
	authority, err := os.ReadFile(filepath.Join(cluster.Folder, "certificates", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for address, status := range map[string]int{
		"https://" + cluster.NodeAddress + ":6443/api/v1/secrets": http.StatusForbidden, // known as system:anonymous
		"https://" + cluster.NodeAddress + ":10250/pods":          http.StatusUnauthorized,
	} {
		response, err := client.Get(address)
		if err != nil {
			t.Error(err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("%s: %s, want %d", address, response.Status, status)
		}
	}
}

// kill kills one component of a cluster.
func kill(t *testing.T, component, folder string) {
	t.Helper()
	for _, pid := range processesNaming(folder) {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if err == nil && strings.Contains(string(line), "\x00"+component+"\x00") {
			signal(t, pid)
			return
		}
	}
	t.Fatalf("%s of %s does not run", component, folder)
}

// forgetAddresses takes one owner out of the machine's registry.
func forgetAddresses(t *testing.T, state string) {
	t.Helper()
	err := address.Change(address.Folder, func(registry *address.Registry) error {
		registry.Owners = slices.DeleteFunc(registry.Owners, func(holding address.Holding) bool { return holding.State == state })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// killAll kills every process that names the cluster's folder, its shims and
// its containers, as a crash of the machine's user session would.
func killAll(t *testing.T, cluster described) {
	t.Helper()
	victims := processesNaming(cluster.Folder)
	files, _ := filepath.Glob("/sys/fs/cgroup/*/" + cluster.ControlGroup + "/*/*/*/cgroup.procs")
	for _, file := range files {
		content, _ := os.ReadFile(file)
		victims = append(victims, strings.Fields(string(content))...)
	}
	if len(victims) < 9 {
		t.Fatalf("only %d processes found to kill", len(victims))
	}
	for _, pid := range victims {
		signal(t, pid)
	}
}

func signal(t *testing.T, process string) {
	t.Helper()
	pid, err := strconv.Atoi(process)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}
