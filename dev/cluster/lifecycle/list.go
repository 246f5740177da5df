package lifecycle

import (
	"context"
	"maps"
	"slices"
	"sync"

	"volley.dev/dev/cluster/address"
	"volley.dev/dev/cluster/place"
)

// Row is one cluster in a list.
type Row struct {
	Owner   string // the checkout or state folder that it belongs to
	Name    string
	State   string // Ready, or what is wrong
	Mode    string
	Address string // of its API server
}

// Names lists the names of an owner's clusters: those with a folder and those
// that hold addresses.
func Names(owner place.Owner) ([]string, error) {
	names, err := owner.Clusters()
	if err != nil {
		return nil, err
	}
	registry, err := address.Read(address.Folder)
	if err != nil {
		return nil, err
	}
	for _, holding := range registry.Owners {
		if holding.ID == owner.ID {
			names = append(names, slices.Collect(maps.Keys(holding.Slots))...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// List examines all clusters of an owner at the same time.
func List(ctx context.Context, owner place.Owner) ([]Row, error) {
	names, err := Names(owner)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(names))
	var group sync.WaitGroup
	for index, name := range names {
		group.Go(func() { rows[index] = row(ctx, place.Cluster{Owner: owner, Name: name}) })
	}
	group.Wait()
	return rows, nil
}

func row(ctx context.Context, cluster place.Cluster) Row {
	row := Row{Owner: cluster.Owner.Origin, Name: cluster.Name, State: "Ready"}
	definition, err := Definition(cluster)
	if err == nil {
		row.Mode, row.Address = definition.Options.String(), definition.APIServerURL()
		err = Examine(ctx, cluster, 0)
	}
	if err != nil {
		row.State = err.Error()
	}
	return row
}

// ListMachine examines the clusters of all owners on the machine.
func ListMachine(ctx context.Context) ([]Row, error) {
	registry, err := address.Read(address.Folder)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, holding := range registry.Owners {
		owner, err := place.FindOwner(holding.State, "", "")
		if err != nil {
			return nil, err
		}
		more, err := List(ctx, owner)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}
