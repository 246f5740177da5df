package commands

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"volley.dev/dev/cluster/distance"
	"volley.dev/dev/cluster/lifecycle"
	"volley.dev/dev/cluster/place"
)

func newDistance(shared *settings) *cobra.Command {
	var wanted distance.State
	command := &cobra.Command{
		Use:   "distance NAME...",
		Short: "Put clusters far away: delay and loss of all that enters or leaves them; without flags near again",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			return shared.changeDistance(command, names, func(state *distance.State) {
				state.Delay, state.Jitter, state.Loss = wanted.Delay, wanted.Jitter, wanted.Loss
			})
		},
	}
	flags := command.Flags()
	flags.DurationVar(&wanted.Delay, "delay", 0, "time that each packet takes more, in each direction: a round trip takes twice that")
	flags.DurationVar(&wanted.Jitter, "jitter", 0, "the most that is added to the delay at random")
	flags.Float64Var(&wanted.Loss, "loss", 0, "packets lost in each direction, in percent")
	return command
}

func newCut(shared *settings) *cobra.Command {
	var where cutFlags
	command := &cobra.Command{
		Use:   "cut NAME...",
		Short: "Let nothing pass between clusters and what is outside of them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			cuts, err := where.cuts()
			if err != nil {
				return err
			}
			if len(cuts) == 0 {
				cuts = []distance.Cut{{}}
			}
			return shared.changeDistance(command, names, func(state *distance.State) { state.Cuts = state.With(cuts) })
		},
	}
	where.add(command)
	return command
}

func newMend(shared *settings) *cobra.Command {
	var where cutFlags
	command := &cobra.Command{
		Use:   "mend NAME...",
		Short: "Undo cuts: those named, or all of them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			cuts, err := where.cuts()
			if err != nil {
				return err
			}
			return shared.changeDistance(command, names, func(state *distance.State) { state.Cuts = state.Without(cuts) })
		},
	}
	where.add(command)
	return command
}

func newDelayLine() *cobra.Command {
	return &cobra.Command{
		Use:    distance.LineCommand + " FOLDER DELAY JITTER",
		Short:  "The program that holds packets (used by `cluster distance`)",
		Hidden: true,
		Args:   cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, arguments []string) error {
			delay, err := time.ParseDuration(arguments[1])
			jitter, err2 := time.ParseDuration(arguments[2])
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			return distance.RunLine(delay, jitter, os.Stdout)
		},
	}
}

func (s *settings) changeDistance(command *cobra.Command, names []string, change func(*distance.State)) error {
	clusters, err := s.clusters(names)
	if err != nil {
		return err
	}
	return forEach(clusters, func(cluster place.Cluster, report lifecycle.Report) error {
		state, err := lifecycle.Distance(command.Context(), cluster, change)
		if err != nil {
			return err
		}
		report("%s each way, jitter %s, loss %g %%, %d cuts", state.Delay, state.Jitter, state.Loss, len(state.Cuts))
		return nil
	})
}

// cutFlags name what is cut.
type cutFlags struct {
	from      []string
	apiServer bool
}

// apiServerPort is where a cluster's API server listens, also for other clusters.
const apiServerPort = 6443

func (f *cutFlags) add(command *cobra.Command) {
	command.Flags().StringArrayVar(&f.from, "from", nil, "ADDRESS or ADDRESS:PORT (TCP) outside; can be repeated. Without any flag: everything")
	command.Flags().BoolVar(&f.apiServer, "api-server", false, "the cluster's API server, for all that is outside")
}

func (f *cutFlags) cuts() ([]distance.Cut, error) {
	var cuts []distance.Cut
	for _, text := range f.from {
		cut, err := parseCut(text)
		if err != nil {
			return nil, fmt.Errorf("--from %q: %w; give an IPv4 address, or ADDRESS:PORT", text, err)
		}
		cuts = append(cuts, cut)
	}
	if f.apiServer {
		cuts = append(cuts, distance.Cut{OwnPort: apiServerPort})
	}
	return cuts, nil
}

func parseCut(text string) (distance.Cut, error) {
	host, port, hasPort := strings.Cut(text, ":")
	address, err := netip.ParseAddr(host)
	if err != nil || !hasPort {
		return distance.Cut{Remote: address}, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err == nil && number == 0 {
		err = errors.New("there is no port 0")
	}
	return distance.Cut{Remote: address, RemotePort: uint16(number)}, err
}
