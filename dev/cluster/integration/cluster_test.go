// Package integration holds the tests that start real clusters.
package integration

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTwoClustersServePodsAndLeaveNothingBehind(t *testing.T) {
	m := onMachine(t)
	before := snapshot(t)
	m.run("up", "east", "west")
	east, west := m.describe("east"), m.describe("west")
	m.run("load", m.probeArchive())
	for _, name := range []string{"east", "west"} {
		// Only once the namespace has its service account can pods follow.
		m.kubectl(name, "apply", "-f", "testdata/workload.yaml", "--wait")
		m.kubectl(name, "-n", "probe", "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
	}
	web := "http://" + east.NodeAddress + ":30080"

	t.Run("a NodePort answers on the host", func(t *testing.T) {
		eventually(t, "NodePort", func() error { return expect(web+"/hello", "hello from web") })
	})
	t.Run("pods and Services answer on the host at their own addresses", func(t *testing.T) {
		pod := m.kubectl("east", "-n", "probe", "get", "pod", "web", "-o", "jsonpath={.status.podIP}")
		service := m.kubectl("east", "-n", "probe", "get", "service", "front", "-o", "jsonpath={.spec.clusterIP}")
		eventually(t, "pod", func() error { return expect("http://"+pod+":8080/hello", "hello from web") })
		eventually(t, "Service", func() error { return expect("http://"+service+"/hello", "hello from web") })
	})
	t.Run("pods resolve Services by short and by full name", func(t *testing.T) {
		service := m.kubectl("east", "-n", "probe", "get", "service", "front", "-o", "jsonpath={.spec.clusterIP}")
		for _, name := range []string{"front", "front.probe", "front.probe.svc", "front.probe.svc.cluster.local"} {
			eventually(t, name, func() error { return expect(web+"/lookup", service, "name", name) })
		}
	})
	t.Run("a name outside the cluster fails at once", func(t *testing.T) {
		began := time.Now()
		if answer, err := ask(web+"/lookup", "name", "volley.example"); err == nil {
			t.Errorf("volley.example resolves to %s", answer)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("a name in the hosts file resolves in pods", func(t *testing.T) {
		if err := os.WriteFile(east.HostsFile, []byte(east.HostAddress+" s3.volley.example\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, "hosts file", func() error { return expect(web+"/lookup", east.HostAddress, "name", "s3.volley.example") })
	})
	t.Run("pods reach Services, the host and the other cluster, and nothing else", func(t *testing.T) {
		listener, err := net.Listen("tcp", east.HostAddress+":0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, "the host") })}
		go server.Serve(listener)
		defer server.Close()
		other := m.kubectl("west", "-n", "probe", "get", "pod", "web", "-o", "jsonpath={.status.podIP}")
		for address, answer := range map[string]string{
			"http://front.probe/hello":                    "hello from web",
			"http://" + listener.Addr().String():          "the host",
			"http://" + west.NodeAddress + ":30080/hello": "hello from web",
			"http://" + other + ":8080/hello":             "hello from web",
		} {
			eventually(t, address, func() error { return expect(web+"/fetch", answer, "url", address) })
		}
		// An address for documentation (RFC 5737), which no machine has.
		if answer, err := ask(web+"/fetch", "url", "http://198.51.100.1/"); err == nil || !strings.Contains(err.Error(), "unreachable") && !strings.Contains(err.Error(), "no route") {
			t.Errorf("an address outside: %q, %v", answer, err)
		}
	})
	t.Run("a claim gets a folder that a pod without root can write, and loses it with the claim", func(t *testing.T) {
		if err := expect(web+"/write", "written", "text", "kept"); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(east.Folder, "volumes", "*", "file"))
		if len(files) != 1 {
			t.Fatalf("files in volumes: %v", files)
		}
		m.kubectl("east", "-n", "probe", "delete", "pod", "web", "--grace-period=1")
		m.kubectl("east", "-n", "probe", "delete", "pvc", "data")
		eventually(t, "volume removed", func() error {
			if _, err := os.Stat(filepath.Dir(files[0])); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s is still there (%v)", filepath.Dir(files[0]), err)
			}
			return nil
		})
	})
	t.Run("logs and exec work", func(t *testing.T) {
		if text := m.kubectl("west", "-n", "probe", "logs", "web"); !strings.Contains(text, "probe starts on web") {
			t.Errorf("logs: %q", text)
		}
		if text := m.kubectl("west", "-n", "probe", "exec", "web", "--", "/probe", "say", "hello"); !strings.Contains(text, "said hello") {
			t.Errorf("exec: %q", text)
		}
	})
	t.Run("port-forward works", func(t *testing.T) { portForward(t, m, west) })
	t.Run("a container's memory limit is in force", func(t *testing.T) {
		if err := expect("http://"+west.NodeAddress+":30080/memory", fmt.Sprint(64<<20)); err != nil {
			t.Error(err)
		}
	})
	t.Run("Pod Security refuses a privileged pod", func(t *testing.T) {
		output, err := m.try("kubectl", "west", "--", "apply", "-f", "testdata/privileged.yaml")
		if err == nil || !strings.Contains(output, "violates PodSecurity") {
			t.Errorf("%v: %s", err, output)
		}
	})
	t.Run("nobody talks to API server or kubelet without a certificate", func(t *testing.T) { unauthenticated(t, west) })

	began := time.Now()
	m.run("down", "east")
	if left := traces(east); len(left) > 0 {
		t.Errorf("east left %s", strings.Join(left, "\n"))
	}
	if err := expect("http://"+west.NodeAddress+":30080/hello", "hello from web"); err != nil {
		t.Errorf("west does not survive the end of east: %v", err)
	}
	m.run("down", "--all")
	t.Logf("both ends together: %s", time.Since(began))
	if left := append(traces(west), ownerTraces(west)...); len(left) > 0 {
		t.Errorf("west left %s", strings.Join(left, "\n"))
	}
	if after := snapshot(t); !slices.Equal(before, after) {
		t.Errorf("the machine was\n%s\nand is\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func TestAClusterWhoseProcessesWereKilledComesUpAgain(t *testing.T) {
	m := onMachine(t)
	m.run("up", "broken")
	broken := m.describe("broken")
	m.run("load", m.probeArchive(), "broken")
	m.kubectl("broken", "apply", "-f", "testdata/workload.yaml")
	m.kubectl("broken", "-n", "probe", "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")

	t.Run("one killed component starts again", func(t *testing.T) {
		kill(t, "etcd", broken.Folder)
		m.run("up", "broken")
		m.kubectl("broken", "-n", "probe", "get", "pod", "web")
	})
	t.Run("up on a running cluster changes nothing", func(t *testing.T) {
		first := m.supervisor(broken.Folder)
		if output := m.run("up", "broken"); !strings.Contains(output, "already up") {
			t.Error(output)
		}
		if second := m.supervisor(broken.Folder); first != second {
			t.Errorf("supervisor was %s and is %s", first, second)
		}
	})
	t.Run("up with other options refuses", func(t *testing.T) {
		output, err := m.try("up", "--api-server-only", "broken")
		if err == nil || !strings.Contains(output, "cluster down broken") {
			t.Errorf("%v: %s", err, output)
		}
	})
	killAll(t, broken)
	m.run("up", "broken")
	if output, err := m.try("kubectl", "broken", "--", "get", "namespace", "probe"); err == nil || !strings.Contains(output, "NotFound") {
		t.Errorf("the cluster is not a fresh one: %v %s", err, output)
	}
	killAll(t, broken)
	m.run("down", "broken")
	if left := append(traces(broken), ownerTraces(broken)...); len(left) > 0 {
		t.Errorf("left %s", strings.Join(left, "\n"))
	}
}

func TestAStartKilledInTheMiddleIsCleanedUp(t *testing.T) {
	m := onMachine(t)
	var last described
	for _, moment := range []time.Duration{20, 60, 120, 300, 1500, 4000} {
		command := exec.Command(m.program, "--state", m.state, "up", "half")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(moment * time.Millisecond)
		command.Process.Signal(syscall.SIGKILL)
		command.Wait()
	}
	m.run("up", "half")
	last = m.describe("half")
	m.kubectl("half", "get", "--raw", "/readyz")
	m.run("down", "half")
	if left := append(traces(last), ownerTraces(last)...); len(left) > 0 {
		t.Errorf("left %s", strings.Join(left, "\n"))
	}
}

func TestAClusterIsRemovedEvenWithoutTheRegistryOfAddresses(t *testing.T) {
	m := onMachine(t)
	m.run("up", "--api-server-only", "lost")
	lost := m.describe("lost")
	forgetAddresses(t, m.state)
	if output := m.run("up", "--api-server-only", "lost"); !strings.Contains(output, "already up") {
		t.Error(output)
	}
	m.run("down", "lost")
	if left := append(traces(lost), ownerTraces(lost)...); len(left) > 0 {
		t.Errorf("left %s", strings.Join(left, "\n"))
	}
}

func TestAnAPIServerAloneIsUpInSecondsAndNoOtherOwnerSeesIt(t *testing.T) {
	first, second := onMachine(t), onMachine(t)
	began := time.Now()
	first.run("up", "--api-server-only", "--controller-manager", "same")
	t.Logf("API server and controllers: %s", time.Since(began))
	second.run("up", "--api-server-only", "same")
	one, two := first.describe("same"), second.describe("same")
	if one.NodeAddress == two.NodeAddress || one.Bridge == two.Bridge || one.NetworkNamespace == two.NetworkNamespace {
		t.Errorf("the owners share something: %+v %+v", one, two)
	}
	first.kubectl("same", "create", "namespace", "first")
	if output, err := second.try("kubectl", "same", "--", "get", "namespace", "first"); err == nil {
		t.Errorf("the second owner sees %s", output)
	}
	if output, err := second.try("load", first.archives, "same"); err == nil || !strings.Contains(output, "only an API server") {
		t.Errorf("load: %v %s", err, output)
	}
	first.run("down", "--all")
	second.kubectl("same", "get", "namespace", "default")
}
