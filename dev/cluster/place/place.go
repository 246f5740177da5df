// Package place decides where a cluster lives: which checkout owns it, its
// folder, and every name that it takes on the machine. All names derive from
// the owner's id and the cluster's slot, so two checkouts never meet.
package place

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// Owner is what clusters belong to: a checkout, or a state folder named by the user.
type Owner struct {
	// ID is eight hexadecimal digits, the start of every name on the machine.
	ID string `json:"id"`
	// Origin is the path from which ID was derived; shown by `cluster list`.
	Origin string `json:"origin"`
	// State is the folder that holds one folder per cluster.
	State string `json:"-"`
}

// ownerFile keeps the owner in its state folder, so that `--state` pointed at
// the default folder of a checkout finds that checkout's id again.
const ownerFile = "owner.json"

// identifier derives the owner's id from a path.
func identifier(path string) string {
	digest := sha256.Sum256([]byte(path))
	return hex.EncodeToString(digest[:4])
}

// FindOwner finds the owner from the --state flag (may be empty), the working
// folder and the cache folder (see CacheFolder). Without a flag the owner is
// the checkout around the working folder.
func FindOwner(state, working, cache string) (Owner, error) {
	if state == "" {
		checkout, err := checkoutAround(working)
		if err != nil {
			return Owner{}, err
		}
		id := identifier(checkout)
		return Owner{ID: id, Origin: checkout, State: filepath.Join(cache, "clusters", id)}, nil
	}
	absolute, err := filepath.Abs(state)
	if err != nil {
		return Owner{}, fmt.Errorf("state folder %q has no absolute path: %w", state, err)
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = resolved
	}
	content, err := os.ReadFile(filepath.Join(absolute, ownerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Owner{ID: identifier(absolute), Origin: absolute, State: absolute}, nil
	}
	owner := Owner{State: absolute}
	if err == nil {
		err = json.Unmarshal(content, &owner)
	}
	if err == nil && !identifierForm.MatchString(owner.ID) {
		err = fmt.Errorf("id %q is not eight hexadecimal digits", owner.ID)
	}
	if err != nil {
		return Owner{}, fmt.Errorf("state folder %s: cannot read %s: %w; name another folder with --state", absolute, ownerFile, err)
	}
	return owner, nil
}

// Save makes the state folder and notes the owner in it.
func (o Owner) Save() error {
	if err := os.MkdirAll(o.State, 0o755); err != nil {
		return fmt.Errorf("state folder %s: cannot make it: %w; name another with --state", o.State, err)
	}
	content, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("owner %s: %w", o.ID, err)
	}
	return os.WriteFile(filepath.Join(o.State, ownerFile), append(content, '\n'), 0o644)
}

// CacheFolder is $VOLLEY_CACHE, or volley below the user's cache folder.
func CacheFolder() (string, error) {
	if folder := os.Getenv("VOLLEY_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for this user: %w; set VOLLEY_CACHE or give --state", err)
	}
	return filepath.Join(folder, "volley"), nil
}

// checkoutAround walks up from a folder to the one that holds .git.
func checkoutAround(working string) (string, error) {
	folder, err := filepath.EvalSymlinks(working)
	if err != nil {
		return "", fmt.Errorf("working folder %s: %w", working, err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, ".git")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", fmt.Errorf("working folder %s is in no git checkout: change into one, or give --state FOLDER", working)
		}
		folder = parent
	}
}

var (
	identifierForm = regexp.MustCompile(`^[0-9a-f]{8}$`)
	nameForm       = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,22}[a-z0-9])?$`)
)

// CheckName says whether a cluster can have this name. The form is that of a
// DNS label, at most 24 characters, because names become node names and hosts.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return fmt.Errorf("cluster name %q: use 1 to 24 of a-z, 0-9 and '-', starting with a letter and not ending with '-'", name)
}

// Cluster is one cluster's place: its owner and its name.
type Cluster struct {
	Owner Owner
	Name  string
}

// Folder holds everything of the cluster; removing it removes the cluster's data.
func (c Cluster) Folder() string { return filepath.Join(c.Owner.State, c.Name) }

// Path is a path below the cluster's folder.
func (c Cluster) Path(elements ...string) string {
	return filepath.Join(append([]string{c.Folder()}, elements...)...)
}

// LockFile serialises up, down and load of one cluster. It lies outside the
// folder because down removes the folder while it holds the lock.
func (c Cluster) LockFile() string { return filepath.Join(c.Owner.State, "."+c.Name+".lock") }

// Kubeconfig is the administrator's kubeconfig file.
func (c Cluster) Kubeconfig() string { return c.Path("kubeconfig") }

// NamespaceName is the name of the cluster's network namespace in /run/netns.
func (c Cluster) NamespaceName() string { return "volley-" + c.Owner.ID + "-" + c.Name }

// ControlGroup is the parent of all of the cluster's pods in every cgroup hierarchy.
func (c Cluster) ControlGroup() string { return "volley-" + c.Owner.ID + "-" + c.Name }

// Node is the name of the cluster's only node.
func (c Cluster) Node() string { return c.Name + "-node" }

// Bridge is the name of the owner's bridge on the host (Linux allows 15 characters).
func (o Owner) Bridge() string { return "vb" + o.ID }

// HostLink is the host's end of the cluster's veth pair, at most 13 characters.
func (o Owner) HostLink(slot int) string { return fmt.Sprintf("vh%s-%d", o.ID, slot) }

// PeerLink is the cluster's end until the cluster renames it to eth0.
func (o Owner) PeerLink(slot int) string { return fmt.Sprintf("vc%s-%d", o.ID, slot) }

// Clusters lists the names of clusters that have a folder, in order.
func (o Owner) Clusters() ([]string, error) {
	entries, err := os.ReadDir(o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state folder %s: %w", o.State, err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && CheckName(entry.Name()) == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Forget removes the state folder if no cluster is left in it.
func (o Owner) Forget() error {
	entries, err := os.ReadDir(o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state folder %s: %w", o.State, err)
	}
	if len(entries) > 1 || (len(entries) == 1 && entries[0].Name() != ownerFile) {
		return nil
	}
	if err := os.Remove(filepath.Join(o.State, ownerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state folder %s: %w", o.State, err)
	}
	// Another command may just have put something in; then the folder stays.
	if err := os.Remove(o.State); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state folder %s: %w", o.State, err)
	}
	return nil
}
