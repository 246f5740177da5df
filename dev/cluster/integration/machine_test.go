package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"volley.dev/dev/cluster/image"
	"volley.dev/dev/cluster/place"
)

// machine is the command line under test with a state folder of its own, which
// makes it an owner of its own, as another checkout would be.
type machine struct {
	t        *testing.T
	program  string
	state    string
	archives string
}

// described is what `cluster describe` says, as far as the tests use it.
type described struct {
	Folder           string `json:"folder"`
	Kubeconfig       string `json:"kubeconfig"`
	NodeAddress      string `json:"nodeAddress"`
	HostAddress      string `json:"hostAddress"`
	HostsFile        string `json:"hostsFile"`
	NetworkNamespace string `json:"networkNamespace"`
	HostLink         string `json:"hostLink"`
	Bridge           string `json:"bridge"`
	ControlGroup     string `json:"controlGroup"`
}

// onMachine skips the test unless VOLLEY_CLUSTER_TESTS is set: to the folder
// with the built programs, or to 1 for the default one. The tests need root.
func onMachine(t *testing.T) *machine {
	binaries := os.Getenv("VOLLEY_CLUSTER_TESTS")
	if binaries == "" {
		t.Skip("set VOLLEY_CLUSTER_TESTS to the folder that dev/cluster/build filled, or to 1 for bin in Volley's cache folder; needs root")
	}
	if binaries == "1" {
		cache, err := place.CacheFolder()
		if err != nil {
			t.Fatal(err)
		}
		binaries = filepath.Join(cache, "bin")
	}
	m := &machine{t: t, program: filepath.Join(binaries, "cluster"), state: filepath.Join(t.TempDir(), "state"), archives: t.TempDir()}
	t.Cleanup(func() {
		if output, err := m.try("down", "--all"); err != nil {
			t.Errorf("cannot clean up: %v\n%s", err, output)
		}
	})
	return m
}

// try runs `cluster ARGUMENT...` and returns all its output.
func (m *machine) try(arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	arguments = append([]string{"--state", m.state}, arguments...)
	output, err := exec.CommandContext(ctx, m.program, arguments...).CombinedOutput()
	return string(output), err
}

func (m *machine) run(arguments ...string) string {
	m.t.Helper()
	began := time.Now()
	output, err := m.try(arguments...)
	if err != nil {
		m.t.Fatalf("cluster %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	m.t.Logf("%5.1f s  cluster %s", time.Since(began).Seconds(), strings.Join(arguments, " "))
	return output
}

func (m *machine) kubectl(cluster string, arguments ...string) string {
	m.t.Helper()
	return m.run(append([]string{"kubectl", cluster, "--"}, arguments...)...)
}

func (m *machine) describe(cluster string) described {
	m.t.Helper()
	var description described
	if err := json.Unmarshal([]byte(m.run("describe", cluster)), &description); err != nil {
		m.t.Fatal(err)
	}
	return description
}

// supervisor returns the host's process id of a cluster's first process.
func (m *machine) supervisor(folder string) string {
	m.t.Helper()
	for _, pid := range processesNaming(folder) {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if err == nil && bytes.Contains(line, []byte("\x00supervise\x00")) {
			return pid
		}
	}
	m.t.Fatalf("no supervisor for %s", folder)
	return ""
}

// probeArchive builds the tests' program and makes an image archive of it.
func (m *machine) probeArchive() string {
	m.t.Helper()
	program := filepath.Join(m.archives, "probe")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		m.t.Fatalf("%v\n%s", err, output)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		m.t.Fatal(err)
	}
	var archive bytes.Buffer
	description := image.Description{Name: "localhost/volley-probe:1", Program: "/probe", User: "65532:65532"}
	if err := image.Write(&archive, description, content); err != nil {
		m.t.Fatal(err)
	}
	file := filepath.Join(m.archives, "probe.tar")
	if err := os.WriteFile(file, archive.Bytes(), 0o644); err != nil {
		m.t.Fatal(err)
	}
	return file
}

// ask calls an address from the host and returns the body of a good answer.
func ask(address string, parameters ...string) (string, error) {
	values := url.Values{}
	for index := 0; index+1 < len(parameters); index += 2 {
		values.Set(parameters[index], parameters[index+1])
	}
	client := &http.Client{Timeout: 8 * time.Second}
	response, err := client.Get(address + "?" + values.Encode())
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// eventually repeats a check until it succeeds, for at most half a minute.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// processesNaming lists the processes of the machine whose command line names a path.
func processesNaming(path string) []string {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []string
	for _, file := range lines {
		if content, err := os.ReadFile(file); err == nil && bytes.Contains(content, []byte(path)) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// traces lists everything on the machine that carries the name of a cluster.
func traces(cluster described) []string {
	var found []string
	if pids := processesNaming(cluster.Folder); len(pids) > 0 {
		found = append(found, fmt.Sprint("processes ", pids))
	}
	for _, command := range []struct{ name, arguments, sign string }{
		{"ip", "netns list", cluster.NetworkNamespace},
		{"ip", "link show", cluster.HostLink},
		{"ip", "route show", cluster.NodeAddress},
		{"cat", "/proc/self/mountinfo", cluster.Folder},
	} {
		output, _ := exec.Command(command.name, strings.Fields(command.arguments)...).CombinedOutput()
		for line := range strings.Lines(string(output)) {
			if strings.Contains(line, command.sign) {
				found = append(found, command.name+" "+command.arguments+": "+strings.TrimSpace(line))
			}
		}
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + cluster.ControlGroup)
	version2, _ := filepath.Glob("/sys/fs/cgroup/" + cluster.ControlGroup)
	folders, _ := filepath.Glob(cluster.Folder)
	return append(found, append(append(groups, version2...), folders...)...)
}

// ownerTraces lists what only an owner's last cluster takes along.
func ownerTraces(cluster described) []string {
	var found []string
	for _, arguments := range []string{"ip link show", "iptables -S", "ip address show"} {
		fields := strings.Fields(arguments)
		output, _ := exec.Command(fields[0], fields[1:]...).CombinedOutput()
		if strings.Contains(string(output), cluster.Bridge) {
			found = append(found, arguments+" names "+cluster.Bridge)
		}
	}
	return found
}
