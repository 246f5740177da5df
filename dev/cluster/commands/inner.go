package commands

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"volley.dev/dev/cluster/lifecycle"
	"volley.dev/dev/cluster/storage"
	"volley.dev/dev/cluster/supervisor"
)

func newSupervise() *cobra.Command {
	return &cobra.Command{
		Use:    lifecycle.SuperviseCommand + " FOLDER",
		Short:  "The first process of a cluster (used by `cluster up`)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			return supervisor.Run(arguments[0], os.Stdin)
		},
	}
}

func newStorageProvisioner() *cobra.Command {
	var kubeconfig, folder string
	command := &cobra.Command{
		Use:    "storage-provisioner",
		Short:  "The provider of volumes in a cluster (used by the supervisor)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if kubeconfig == "" || folder == "" {
				return errors.New("storage-provisioner needs --kubeconfig and --folder")
			}
			return storage.Run(command.Context(), kubeconfig, folder)
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the provider's user")
	command.Flags().StringVar(&folder, "folder", "", "folder in which each volume gets a folder")
	return command
}
