package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// goAhead is the byte that `cluster up` writes once the network is attached.
const goAhead = 'g'

// Start tells a supervisor, through its standard input, to go on. The pipe's
// end without it tells the supervisor that `cluster up` is gone.
func Start(pipe io.Writer) error {
	_, err := pipe.Write([]byte{goAhead})
	return err
}

// Run is the supervisor. It returns when it was told to stop.
func Run(folder string, standardInput io.Reader) error {
	if os.Getpid() != 1 {
		return errors.New("the supervisor must be process 1 of its own namespace; `cluster up` starts it")
	}
	task, err := ReadTask(filepath.Join(folder, TaskFile))
	if err != nil {
		return err
	}
	// Registered before anything else: process 1 ignores signals without a handler.
	stop, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()
	var answer [1]byte
	if _, err := io.ReadFull(standardInput, answer[:]); err != nil || answer[0] != goAhead {
		return fmt.Errorf("cluster in %s: `cluster up` ended before the network was attached", folder)
	}
	if err := prepareMounts(task); err != nil {
		return err
	}
	if err := prepareNetwork(task.Network); err != nil {
		return err
	}
	if err := prepareControlGroup(task.ControlGroup); err != nil {
		return err
	}
	children := newChildren(task)
	go children.reap()
	children.startAll(stop)
	<-stop.Done()
	slog.Info("stopping")
	children.stopAll()
	return nil
}

const (
	firstPause   = 500 * time.Millisecond // before a process that ended starts again
	longestPause = 10 * time.Second
	steadyAfter  = 30 * time.Second // a process that ran so long starts with the first pause again
)

// startAll starts every process in a goroutine that keeps it running.
func (c *children) startAll(stop context.Context) {
	for _, process := range c.task.Processes {
		if process.After == nil {
			go c.keep(stop, process)
		}
	}
	go func() {
		for _, process := range c.task.Processes {
			if process.After == nil {
				continue
			}
			if err := process.After.wait(stop); err != nil {
				slog.Error("gate", "process", process.Name, "error", err)
				return
			}
			go c.keep(stop, process)
		}
	}()
}

// keep runs a process again and again until the supervisor is told to stop.
func (c *children) keep(stop context.Context, process Process) {
	pause := firstPause
	for stop.Err() == nil {
		began := time.Now()
		ended, err := c.start(process)
		if err != nil {
			slog.Error("cannot start", "process", process.Name, "error", err)
		} else {
			status := <-ended
			slog.Warn("process ended", "process", process.Name, "exit", status.ExitStatus(), "signal", status.Signal())
		}
		if time.Since(began) > steadyAfter {
			pause = firstPause
		}
		select {
		case <-stop.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}
