package image

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// importLimit bounds one import; a gigabyte takes well under a minute.
const importLimit = 10 * time.Minute

// kubernetesNamespace is containerd's namespace for what kubelet runs.
const kubernetesNamespace = "k8s.io"

// Load imports an archive (docker or OCI) into the containerd that the process
// pid (a process id of the host) sees at socket. It returns the names of the images.
func Load(ctx context.Context, pid int, socket, archive string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, importLimit)
	defer cancel()
	// The socket lies on a file system of the cluster's mount namespace.
	address := "/proc/" + strconv.Itoa(pid) + "/root" + socket
	command := exec.CommandContext(ctx, "ctr", "--address", address, "--namespace", kubernetesNamespace,
		"images", "import", archive)
	output, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("image archive %s: containerd refuses it: %w: %s", archive, err, strings.TrimSpace(string(output)))
	}
	names := importedNames(string(output))
	if len(names) == 0 {
		return nil, fmt.Errorf("image archive %s: it names no image; save it with a tag, such as `buildah push IMAGE docker-archive:FILE:NAME:TAG`", archive)
	}
	return names, nil
}

// importedNames reads ctr's lines "unpacking NAME (DIGEST)...done".
func importedNames(output string) []string {
	var names []string
	for line := range strings.Lines(output) {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), "unpacking "); found {
			if name, _, found := strings.Cut(rest, " ("); found {
				names = append(names, name)
			}
		}
	}
	return names
}
