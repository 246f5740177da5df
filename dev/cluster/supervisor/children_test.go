package supervisor

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newTestChildren reaps as the supervisor does; the tests of this package must
// not run processes by other means meanwhile.
func newTestChildren(t *testing.T, processes ...Process) *children {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return newChildren(Task{Folder: folder, Processes: processes})
}

func (c *children) log(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.task.Folder, "logs", name+".log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

func TestProcessesRunAgainAfterTheyEndAndEndInOrder(t *testing.T) {
	shell := func(name, script string) Process {
		return Process{Name: name, Arguments: []string{"/bin/sh", "-c", script}, Environment: []string{"MARK=set"}}
	}
	c := newTestChildren(t,
		shell("short", "echo ran $MARK; exit 3"),
		shell("obedient", "trap 'echo told; exit 0' TERM; while :; do sleep 0.05; done"),
		shell("deaf", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"),
		Process{Name: "absent", Arguments: []string{"/nonexistent"}},
	)
	c.task.Stop = []string{"short", "obedient", "deaf", "absent", Pods}
	go c.reap()
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.startAll(stop)
	if !within(10*time.Second, func() bool {
		return strings.Count(c.log(t, "short"), "ran set") >= 2 && c.find("obedient") != 0 && c.log(t, "deaf") != ""
	}) {
		t.Fatalf("short: %q", c.log(t, "short"))
	}
	cancel()
	c.stopAll()
	for _, name := range []string{"obedient", "deaf"} {
		if pid := c.find(name); pid != 0 {
			t.Errorf("%s still runs as %d", name, pid)
		}
	}
	if text := c.log(t, "obedient"); !strings.Contains(text, "told") {
		t.Errorf("it was not asked to end: %q", text)
	}
}

func TestAGateOpensOnlyWhenItsAddressIsReady(t *testing.T) {
	answers := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		answers++
		if answers < 3 {
			answer.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.crt")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, content, 0o600); err != nil {
		t.Fatal(err)
	}
	gate := &Gate{URL: server.URL, Authority: authority}
	if err := gate.wait(context.Background()); err != nil || answers != 3 {
		t.Errorf("%v after %d answers", err, answers)
	}
	other := &Gate{URL: "https://localhost:1", Authority: authority}
	stop, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if other.wait(stop) == nil {
		t.Error("a gate opened without an answer")
	}
	if err := (&Gate{URL: server.URL, Authority: os.DevNull}).wait(stop); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("%v", err)
	}
}

func TestTheSupervisorRefusesToRunOutsideItsNamespace(t *testing.T) {
	if err := Run(t.TempDir(), strings.NewReader("g")); err == nil || !strings.Contains(err.Error(), "cluster up") {
		t.Errorf("%v", err)
	}
}
