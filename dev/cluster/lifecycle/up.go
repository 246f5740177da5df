// Package lifecycle starts, inspects and removes clusters. Every command works
// from what it finds on the machine, never from what an earlier one should have
// left, so each can follow a crash of any other.
package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"volley.dev/dev/cluster/configuration"
	"volley.dev/dev/cluster/place"
)

// Report takes one line of progress.
type Report func(format string, arguments ...any)

// upLimit bounds a start as a whole. A start takes seconds; the limit serves
// machines on which everything is compiled at the same time.
const upLimit = 4 * time.Minute

// readyFile marks a cluster whose start came to its end.
const readyFile = "ready"

// Up brings a cluster up. One that runs well is left alone; what a crash left
// behind is removed first. binaries is the folder with coredns and pause.
func Up(ctx context.Context, cluster place.Cluster, options configuration.Options, binaries string, report Report) error {
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	programs, err := programs(binaries, options)
	if err != nil {
		return err
	}
	release, err := lock(ctx, cluster)
	if err != nil {
		return err
	}
	defer release()
	if leavesTraces(cluster) {
		problem := Examine(ctx, cluster, Grace)
		if problem == nil {
			return keep(cluster, options, report)
		}
		report("removing what is left of an earlier start: %v", problem)
		if err := clean(cluster, false); err != nil {
			return err
		}
	}
	if err := raiseInotify(inotifyFile, report); err != nil {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	if err := start(ctx, cluster, options, programs, report); err != nil {
		return explain(cluster, err)
	}
	return nil
}

// keep accepts a running cluster if it is what the user asked for.
func keep(cluster place.Cluster, options configuration.Options, report Report) error {
	definition, err := Definition(cluster)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(definition.Options, options) {
		return fmt.Errorf("cluster %s: it runs with other options (%s); remove it first with `cluster down %s`", cluster.Name, definition.Options, cluster.Name)
	}
	report("already up")
	return nil
}

// explain stops a cluster whose start failed but keeps its logs.
func explain(cluster place.Cluster, err error) error {
	if stopping := stop(cluster, false); stopping != nil {
		err = errors.Join(err, stopping)
	}
	return fmt.Errorf("cluster %s: %w\nlogs are in %s; `cluster down %s` removes what is left", cluster.Name, err, cluster.Path("logs"), cluster.Name)
}

// Definition reads what a cluster was started as.
func Definition(cluster place.Cluster) (configuration.Definition, error) {
	var definition configuration.Definition
	file := cluster.Path(configuration.DefinitionFile)
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return definition, fmt.Errorf("cluster %s: there is none; start it with `cluster up %s`", cluster.Name, cluster.Name)
	}
	if err == nil {
		err = json.Unmarshal(content, &definition)
	}
	if err == nil {
		err = definition.Addresses.Check()
	}
	if err != nil {
		return definition, fmt.Errorf("cluster %s: cannot read %s: %w; `cluster down %s` removes it", cluster.Name, file, err, cluster.Name)
	}
	return definition, nil
}

// Supervisor returns the host's id of the process that holds a running
// cluster's namespaces.
func Supervisor(cluster place.Cluster) (int, error) {
	if pid := supervisor(cluster); pid != 0 {
		return pid, nil
	}
	return 0, fmt.Errorf("cluster %s: it does not run; start it with `cluster up %s`", cluster.Name, cluster.Name)
}
