package supervisor

import (
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"volley.dev/dev/cluster/controlgroup"
)

const (
	// processGrace is how long a component may take to end after SIGTERM.
	processGrace = 2 * time.Second
	// podsGrace is how long all containers together may take. It is short:
	// taking a development cluster away is like losing its machine.
	podsGrace = time.Second
	look      = 20 * time.Millisecond
)

func pauseBetweenLooks() { time.Sleep(look) }

// stopAll stops everything in the task's order. What is left after it (shims,
// processes that were deaf) ends with the supervisor.
func (c *children) stopAll() {
	for _, name := range c.task.Stop {
		if name == Pods {
			c.stopPods()
			continue
		}
		pid := c.find(name)
		if pid == 0 {
			continue
		}
		send(pid, unix.SIGTERM)
		if !within(processGrace, func() bool { return c.find(name) != pid }) {
			slog.Warn("process did not end in time", "process", name)
			send(pid, unix.SIGKILL)
			within(processGrace, func() bool { return c.find(name) != pid })
		}
	}
}

func (c *children) stopPods() {
	if c.task.ControlGroup == "" {
		return
	}
	for _, round := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for _, pid := range controlgroup.Processes(c.task.ControlGroup) {
			send(pid, round)
		}
		if within(podsGrace, func() bool { return len(controlgroup.Processes(c.task.ControlGroup)) == 0 }) {
			return
		}
	}
	slog.Warn("some containers did not end in time")
}

// send ignores errors: a process that is gone already needs no signal.
func send(pid int, number unix.Signal) {
	if err := unix.Kill(pid, number); err != nil && err != unix.ESRCH {
		slog.Warn("cannot signal", "pid", pid, "error", err)
	}
}

// within looks until a condition holds or the time is over.
func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); pauseBetweenLooks() {
		if holds() {
			return true
		}
	}
	return holds()
}
