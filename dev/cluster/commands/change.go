package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"volley.dev/dev/cluster/configuration"
	"volley.dev/dev/cluster/image"
	"volley.dev/dev/cluster/lifecycle"
	"volley.dev/dev/cluster/place"
)

func newUp(shared *settings) *cobra.Command {
	var options configuration.Options
	command := &cobra.Command{
		Use:   "up NAME...",
		Short: "Start clusters side by side; one that runs well is left alone",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			clusters, err := shared.clusters(names)
			if err != nil {
				return err
			}
			if options.ControllerManager && !options.APIServerOnly {
				return errors.New("--controller-manager goes with --api-server-only; full clusters always run one")
			}
			binaries, err := shared.binariesFolder()
			if err != nil {
				return err
			}
			return forEach(clusters, func(cluster place.Cluster, report lifecycle.Report) error {
				if err := lifecycle.Up(command.Context(), cluster, options, binaries, report); err != nil {
					return err
				}
				report("up; export KUBECONFIG=%s", cluster.Kubeconfig())
				return nil
			})
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.APIServerOnly, "api-server-only", false, "only etcd and the API server: no node, no pods")
	flags.BoolVar(&options.ControllerManager, "controller-manager", false, "with --api-server-only: also run the controller manager")
	flags.StringArrayVar(&options.APIServerFlags, "api-server-flag", nil, "further flag for the API server, such as --api-server-flag=--v=4; can be repeated")
	flags.Uint16Var(&options.TokenWebhookPort, "token-webhook-port", 0, "port of this machine at which somebody judges the bearer tokens that the API server does not know (plain HTTP, TokenReview v1)")
	return command
}

func newDown(shared *settings) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "down NAME... | --all",
		Short: "Stop clusters and remove everything they have on the machine",
		RunE: func(command *cobra.Command, names []string) error {
			if all == (len(names) > 0) {
				return errors.New("name the clusters to remove, or give --all for all of this checkout (`cluster list` shows them)")
			}
			names, err := shared.namesOr(names)
			if err != nil {
				return err
			}
			clusters, err := shared.clusters(names)
			if err != nil {
				return err
			}
			return forEach(clusters, func(cluster place.Cluster, report lifecycle.Report) error {
				// An interrupt must not leave half of it: down ends by itself within seconds.
				return lifecycle.Down(context.WithoutCancel(command.Context()), cluster, report)
			})
		},
	}
	command.Flags().BoolVar(&all, "all", false, "all clusters of this checkout")
	return command
}

// namesOr returns the names given, or those of all clusters of the owner.
func (s *settings) namesOr(names []string) ([]string, error) {
	if len(names) > 0 {
		return names, nil
	}
	owner, err := s.owner()
	if err != nil {
		return nil, err
	}
	return lifecycle.Names(owner)
}

func newLoad(shared *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "load ARCHIVE [NAME...]",
		Short: "Load an image archive (docker or OCI) into clusters, by default into all of the checkout",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			archive := arguments[0]
			names, err := shared.namesOr(arguments[1:])
			if err != nil {
				return err
			}
			if len(names) == 0 {
				return errors.New("there is no cluster to load into; start one with `cluster up NAME`")
			}
			clusters, err := shared.clusters(names)
			if err != nil {
				return err
			}
			return forEach(clusters, func(cluster place.Cluster, report lifecycle.Report) error {
				images, err := load(command.Context(), cluster, archive)
				if err != nil {
					return err
				}
				report("loaded %s", strings.Join(images, ", "))
				return nil
			})
		},
	}
}

func load(ctx context.Context, cluster place.Cluster, archive string) ([]string, error) {
	definition, err := lifecycle.Definition(cluster)
	if err != nil {
		return nil, err
	}
	if definition.Options.APIServerOnly {
		return nil, fmt.Errorf("cluster %s: it runs only an API server and has no containerd; name another cluster", cluster.Name)
	}
	pid, err := lifecycle.Supervisor(cluster)
	if err != nil {
		return nil, err
	}
	images, err := image.Load(ctx, pid, configuration.ContainerdSocket, archive)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	return images, nil
}
