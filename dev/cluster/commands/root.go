// Package commands is the command line of the cluster binary.
package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/lifecycle"
	"volley.dev/dev/cluster/place"
)

// settings are the flags that all commands share.
type settings struct {
	state    string
	binaries string
}

// Run runs the command line and returns the process's exit code.
func Run(arguments []string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer cancel()
	root := newRoot()
	root.SetArgs(arguments)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	shared := &settings{}
	root := &cobra.Command{
		Use:   "cluster",
		Short: "Real Kubernetes clusters on this machine, for development and tests",
		Long: `Real Kubernetes clusters on this machine, for development and tests.

Each cluster lives in namespaces of its own and belongs to the checkout in which
the command runs. The Kubernetes components are part of this program: run one as
"cluster COMPONENT" (kubectl, kube-apiserver, kubelet, ...), or call the program
by a link named kubectl.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error { return lifecycle.UseSystemFolders() },
	}
	root.PersistentFlags().StringVar(&shared.state, "state", "",
		"folder of the clusters (default: ${VOLLEY_CACHE:-~/.cache/volley}/clusters/ID of the checkout)")
	root.PersistentFlags().StringVar(&shared.binaries, "bin", "",
		"folder with the programs coredns and pause (default: the folder of this program)")
	root.AddCommand(newUp(shared), newDown(shared), newList(shared), newKubeconfig(shared), newState(shared),
		newDescribe(shared), newLoad(shared), newKubectl(shared), newExec(shared),
		newDistance(shared), newCut(shared), newMend(shared), newDelayLine(),
		newSupervise(), newStorageProvisioner())
	return root
}

// owner finds whose clusters the command is about.
func (s *settings) owner() (place.Owner, error) {
	cache, err := place.CacheFolder()
	if err != nil && s.state == "" {
		return place.Owner{}, err
	}
	working, err := os.Getwd()
	if err != nil && s.state == "" {
		return place.Owner{}, fmt.Errorf("the working folder is gone: %w; change into the checkout or give --state", err)
	}
	return place.FindOwner(s.state, working, cache)
}

// cluster finds one cluster's place by its name.
func (s *settings) cluster(name string) (place.Cluster, error) {
	clusters, err := s.clusters([]string{name})
	if err != nil {
		return place.Cluster{}, err
	}
	return clusters[0], nil
}

func (s *settings) clusters(names []string) ([]place.Cluster, error) {
	owner, err := s.owner()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var clusters []place.Cluster
	for _, name := range names {
		if err := place.CheckName(name); err != nil {
			return nil, err
		}
		if !seen[name] {
			clusters = append(clusters, place.Cluster{Owner: owner, Name: name})
		}
		seen[name] = true
	}
	return clusters, nil
}

// binariesFolder is where the programs beside this one are.
func (s *settings) binariesFolder() (string, error) {
	if s.binaries != "" {
		return filepath.Abs(s.binaries)
	}
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the folder of this program is unknown: %w; give --bin FOLDER", err)
	}
	return filepath.Dir(program), nil
}

// forEach runs an action on all clusters side by side and joins their errors.
// Each line of progress names its cluster and the seconds since the start.
func forEach(clusters []place.Cluster, action func(place.Cluster, lifecycle.Report) error) error {
	began := time.Now()
	errs := make([]error, len(clusters))
	var group sync.WaitGroup
	for index, cluster := range clusters {
		group.Go(func() {
			errs[index] = action(cluster, func(format string, arguments ...any) {
				fmt.Printf("%6.1f s  %s: %s\n", time.Since(began).Seconds(), cluster.Name, fmt.Sprintf(format, arguments...))
			})
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
