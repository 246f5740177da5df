package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"volley.dev/dev/cluster/distance"
	"volley.dev/dev/cluster/network"
	"volley.dev/dev/cluster/place"
)

// distanceFile keeps how far away a cluster was made. It goes with the cluster's folder.
const distanceFile = "distance.json"

// Distance changes how far away a running cluster is and returns how far it is then.
func Distance(ctx context.Context, cluster place.Cluster, change func(*distance.State)) (distance.State, error) {
	fail := func(err error) (distance.State, error) {
		return distance.State{}, fmt.Errorf("cluster %s: distance: %w", cluster.Name, err)
	}
	pid, err := Supervisor(cluster)
	if err != nil {
		return distance.State{}, err
	}
	release, err := lock(ctx, cluster)
	if err != nil {
		return distance.State{}, err
	}
	defer release()
	state, err := readDistance(cluster)
	if err != nil {
		return fail(err)
	}
	change(&state)
	if err := state.Check(); err != nil {
		return fail(err)
	}
	there := distance.Place{Supervisor: pid, Members: network.Members(cluster), Folder: cluster.Folder()}
	if err := distance.Apply(there, state); err != nil {
		return fail(err)
	}
	content, err := json.MarshalIndent(state, "", "  ")
	if err == nil {
		err = os.WriteFile(cluster.Path(distanceFile), content, 0o600)
	}
	if err != nil {
		return fail(err)
	}
	return state, nil
}

func readDistance(cluster place.Cluster) (distance.State, error) {
	var state distance.State
	content, err := os.ReadFile(cluster.Path(distanceFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &state)
	}
	return state, err
}
