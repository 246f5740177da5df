package lifecycle

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"volley.dev/dev/cluster/place"
)

func testCluster(t *testing.T) place.Cluster {
	t.Helper()
	return place.Cluster{Owner: place.Owner{ID: "00000000", Origin: "test", State: filepath.Join(t.TempDir(), "state")}, Name: "demo"}
}

func TestOnlyTheFirstProcessOfAnInnerNamespaceIsASupervisor(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tcluster\nNSpid:\t4711\t1\nKthread:\t0\n": true,
		"NSpid:\t4711\t12\t1\n":                          true, // seen from a container's host
		"NSpid:\t1\n":                                    false,
		"NSpid:\t4711\n":                                 false,
		"NSpid:\t4711\t17\n":                             false,
		"Name:\tcluster\n":                               false,
	} {
		if got := isFirstOfNamespace(status); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}

func TestAClusterIsWorkedOnByOneCommandAtATime(t *testing.T) {
	cluster := testCluster(t)
	release, err := lock(context.Background(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := lock(short, cluster); err == nil || !strings.Contains(err.Error(), "another") {
		t.Fatalf("a second command got the lock: %v", err)
	}
	// A waiting command must not get the lock of a removed file while a third
	// one holds the new file's.
	got := make(chan func(), 1)
	go func() {
		second, err := lock(context.Background(), cluster)
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	if err := forget(cluster); err != nil {
		t.Fatal(err)
	}
	release()
	second := <-got
	if _, err := os.Stat(cluster.LockFile()); err != nil {
		t.Errorf("the holder's file is not the one in place: %v", err)
	}
	second()
}

func TestACommandOnAClusterThatDoesNotExistNamesIt(t *testing.T) {
	if _, err := Definition(testCluster(t)); err == nil || !strings.Contains(err.Error(), "cluster up demo") {
		t.Errorf("%v", err)
	}
}

func TestADamagedDefinitionIsNamedWithAWayOut(t *testing.T) {
	cluster := testCluster(t)
	if err := os.MkdirAll(cluster.Folder(), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", `{"addresses":{"network":99,"slot":1}}`} {
		if err := os.WriteFile(cluster.Path("cluster.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Definition(cluster); err == nil || !strings.Contains(err.Error(), "cluster down demo") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestMountsBelowAFolderAreFoundAndItsNeighboursAreNot(t *testing.T) {
	below, err := mountsBelow("/proc")
	if err != nil || len(below) == 0 || below[0] != "/proc" {
		t.Errorf("%v, %v", below, err)
	}
	if near, err := mountsBelow("/pro"); err != nil || len(near) != 0 {
		t.Errorf("%v, %v", near, err)
	}
}

func TestTheInotifyLimitIsRaisedAndNeverLowered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limit")
	for before, after := range map[string]string{"128\n": "2048", "2048\n": "2048\n", "65536\n": "65536\n"} {
		if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := raiseInotify(file, func(string, ...any) {}); err != nil {
			t.Fatal(err)
		}
		if content, _ := os.ReadFile(file); string(content) != after {
			t.Errorf("%q becomes %q", before, content)
		}
	}
}
