package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/configuration"
	"volley.dev/dev/cluster/lifecycle"
)

func newList(shared *settings) *cobra.Command {
	var machine bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List the clusters of this checkout and how they are",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			owner, err := shared.owner()
			if err != nil && !machine {
				return err
			}
			list := func() ([]lifecycle.Row, error) { return lifecycle.List(command.Context(), owner) }
			if machine {
				list = func() ([]lifecycle.Row, error) { return lifecycle.ListMachine(command.Context()) }
			}
			rows, err := list()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tMODE\tAPI SERVER\tOWNER\tSTATE")
			for _, row := range rows {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", row.Name, row.Mode, row.Address, row.Owner, row.State)
			}
			return table.Flush()
		},
	}
	command.Flags().BoolVar(&machine, "machine", false, "the clusters of all checkouts on this machine")
	return command
}

func newKubeconfig(shared *settings) *cobra.Command {
	var content bool
	command := &cobra.Command{
		Use:   "kubeconfig NAME",
		Short: "Print the path (or the content) of a cluster's kubeconfig",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			cluster, err := shared.cluster(names[0])
			if err != nil {
				return err
			}
			if _, err := lifecycle.Definition(cluster); err != nil {
				return err
			}
			if !content {
				fmt.Fprintln(command.OutOrStdout(), cluster.Kubeconfig())
				return nil
			}
			text, err := os.ReadFile(cluster.Kubeconfig())
			if err != nil {
				return fmt.Errorf("cluster %s: kubeconfig: %w", cluster.Name, err)
			}
			_, err = command.OutOrStdout().Write(text)
			return err
		},
	}
	command.Flags().BoolVar(&content, "content", false, "print the file's content instead of its path")
	return command
}

func newState(shared *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "state NAME",
		Short: "Print the path of a cluster's folder, which is removed with the cluster",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			cluster, err := shared.cluster(names[0])
			if err != nil {
				return err
			}
			if _, err := lifecycle.Definition(cluster); err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), cluster.Folder())
			return nil
		},
	}
}

// description is what `cluster describe` prints, for scripts and tests.
type description struct {
	Name             string `json:"name"`
	Node             string `json:"node"`
	Folder           string `json:"folder"`
	Kubeconfig       string `json:"kubeconfig"`
	APIServer        string `json:"apiServer"`
	NodeAddress      string `json:"nodeAddress"`
	HostAddress      string `json:"hostAddress"`
	Pods             string `json:"pods"`
	Services         string `json:"services"`
	DNS              string `json:"dns"`
	HostsFile        string `json:"hostsFile"`
	NetworkNamespace string `json:"networkNamespace"`
	HostLink         string `json:"hostLink"`
	Bridge           string `json:"bridge"`
	ControlGroup     string `json:"controlGroup"`
}

func newDescribe(shared *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME",
		Short: "Print a cluster's addresses, names and files as JSON",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			cluster, err := shared.cluster(names[0])
			if err != nil {
				return err
			}
			definition, err := lifecycle.Definition(cluster)
			if err != nil {
				return err
			}
			plan := definition.Addresses
			encoder := json.NewEncoder(command.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(description{
				Name: cluster.Name, Node: definition.Node, Folder: cluster.Folder(),
				Kubeconfig: cluster.Kubeconfig(), APIServer: definition.APIServerURL(),
				NodeAddress: plan.Node().String(), HostAddress: plan.Host().String(),
				Pods: plan.Pods().String(), Services: plan.Services().String(), DNS: plan.DNSService().String(),
				HostsFile: cluster.Path(configuration.HostsFile), NetworkNamespace: cluster.NamespaceName(),
				HostLink: cluster.Owner.HostLink(plan.Slot), Bridge: cluster.Owner.Bridge(),
				ControlGroup: definition.ControlGroup,
			})
		},
	}
}

func newKubectl(shared *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl NAME -- ARGUMENT...",
		Short: "Run kubectl against a cluster",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			cluster, err := shared.cluster(arguments[0])
			if err != nil {
				return err
			}
			if _, err := lifecycle.Definition(cluster); err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("the path of this program is unknown: %w", err)
			}
			if err := os.Setenv("KUBECONFIG", cluster.Kubeconfig()); err != nil {
				return err
			}
			// By its own name, as kubectl prints it in its messages.
			return become(program, append([]string{"kubectl"}, arguments[1:]...))
		},
	}
}

func newExec(shared *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "exec NAME -- COMMAND...",
		Short: "Run a command of the machine inside a cluster's namespaces, such as iptables or ctr",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, arguments []string) error {
			cluster, err := shared.cluster(arguments[0])
			if err != nil {
				return err
			}
			pid, err := lifecycle.Supervisor(cluster)
			if err != nil {
				return err
			}
			program, err := exec.LookPath("nsenter")
			if err != nil {
				return errors.New("this machine lacks nsenter: run `apt-get install -y util-linux`")
			}
			return become(program, append([]string{
				"nsenter", "--target", strconv.Itoa(pid), "--net", "--mount", "--pid", "--",
			}, arguments[1:]...))
		},
	}
}

// become replaces this process, so that signals and the exit code are the program's own.
func become(program string, arguments []string) error {
	return fmt.Errorf("cannot run %s: %w", program, unix.Exec(program, arguments, os.Environ()))
}
