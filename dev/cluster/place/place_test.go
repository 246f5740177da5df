package place

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func checkout(t *testing.T) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "deep", "er"), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestACheckoutHasOneOwnerInAllItsFoldersAndAnotherThanItsNeighbour(t *testing.T) {
	one, two := checkout(t), checkout(t)
	top, err := FindOwner("", one, "/cache")
	if err != nil {
		t.Fatal(err)
	}
	deep, _ := FindOwner("", filepath.Join(one, "deep", "er"), "/cache")
	other, _ := FindOwner("", two, "/cache")
	if top != deep || top.ID == other.ID || top.Origin != one {
		t.Errorf("top %+v, deep %+v, other %+v", top, deep, other)
	}
	if top.State != filepath.Join("/cache", "clusters", top.ID) {
		t.Errorf("state %s", top.State)
	}
}

func TestOutsideACheckoutTheUserMustNameAFolder(t *testing.T) {
	if _, err := FindOwner("", t.TempDir(), "/cache"); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("%v", err)
	}
}

func TestAStateFolderKnowsItsOwner(t *testing.T) {
	owner, err := FindOwner("", checkout(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Save(); err != nil {
		t.Fatal(err)
	}
	found, err := FindOwner(owner.State, "/", "")
	if err != nil || found.ID != owner.ID || found.Origin != owner.Origin {
		t.Errorf("%+v, %v; want %+v", found, err, owner)
	}
	if err := os.WriteFile(filepath.Join(owner.State, ownerFile), []byte(`{"id":"../../etc"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := FindOwner(owner.State, "/", ""); err == nil || !strings.Contains(err.Error(), ownerFile) {
		t.Errorf("a damaged owner file: %v", err)
	}
}

func TestAStateFolderIsForgottenOnlyWhenItIsEmpty(t *testing.T) {
	owner := Owner{ID: "0123abcd", Origin: "/x", State: filepath.Join(t.TempDir(), "state")}
	if err := owner.Save(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(owner.State, "demo"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := owner.Forget(); err != nil {
		t.Fatal(err)
	}
	names, err := owner.Clusters()
	if err != nil || len(names) != 1 || names[0] != "demo" {
		t.Errorf("%v, %v", names, err)
	}
	if err := os.Remove(filepath.Join(owner.State, "demo")); err != nil {
		t.Fatal(err)
	}
	if err := owner.Forget(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(owner.State); !os.IsNotExist(err) {
		t.Errorf("the empty state folder stays: %v", err)
	}
	if err := owner.Forget(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestClusterNamesAreShortDNSLabels(t *testing.T) {
	for _, name := range []string{"a", "demo", "eu-west-1", strings.Repeat("a", 24)} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "A", "1a", "-a", "a-", "a.b", "a/b", "..", "a b", strings.Repeat("a", 25)} {
		if err := CheckName(name); err == nil || !strings.Contains(err.Error(), "24") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNamesOfInterfacesFitLinux(t *testing.T) {
	const limit = 15 // IFNAMSIZ without the final zero
	owner := Owner{ID: "0123abcd"}
	for _, name := range []string{owner.Bridge(), owner.HostLink(31), owner.PeerLink(31)} {
		if len(name) > limit {
			t.Errorf("%s has %d characters", name, len(name))
		}
	}
}
