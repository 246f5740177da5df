package distance

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// LineCommand is the hidden command that the delay line runs as:
// `cluster delay-line FOLDER DELAY JITTER`.
const LineCommand = "delay-line"

const readyLimit = 10 * time.Second

// Place is a running cluster, as far as its distance is concerned.
type Place struct {
	// Supervisor is the host's id of the process that holds the cluster's namespaces.
	Supervisor int
	// Members are the host's ids of the processes in the cluster's network namespace.
	Members []int
	// Folder is the cluster's folder.
	Folder string
}

// Apply makes a cluster as far away as the state says. It can be repeated.
func Apply(place Place, state State) error {
	wanted := place.line(state)
	runs, err := place.endOtherLines(wanted)
	if err != nil {
		return err
	}
	if !runs && state.Delay > 0 {
		if err := place.startLine(wanted); err != nil {
			return fmt.Errorf("delay line: %w", err)
		}
	}
	return inside(place.Supervisor, unix.CLONE_NEWNET, func() error {
		if err := run(state.Rules(), "iptables-restore", "--noflush", "--wait", "10"); err != nil {
			return err
		}
		for _, jump := range jumps {
			if run("", "iptables", append([]string{"--wait", "10", "--table", "mangle", "--check"}, jump...)...) == nil {
				continue
			}
			if err := run("", "iptables", append([]string{"--wait", "10", "--table", "mangle", "--append"}, jump...)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// line is the arguments of the delay line's process.
func (p Place) line(state State) []string {
	return []string{LineCommand, p.Folder, state.Delay.String(), state.Jitter.String()}
}

// endOtherLines ends delay lines that are not the wanted one and says whether that one runs. Packets that wait in a line
// that ends are lost.
func (p Place) endOtherLines(wanted []string) (bool, error) {
	runs := false
	for _, pid := range p.Members {
		content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		arguments := strings.Split(strings.TrimRight(string(content), "\x00"), "\x00")
		if err != nil || len(arguments) < 2 || arguments[1] != LineCommand {
			continue
		}
		if slices.Equal(arguments[1:], wanted) {
			runs = true
			continue
		}
		_ = unix.Kill(pid, unix.SIGKILL)
		for limit := time.Now().Add(readyLimit); unix.Kill(pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(limit) {
				return false, fmt.Errorf("the delay line, process %d, does not end", pid)
			}
		}
	}
	return runs, nil
}

// startLine starts the delay line as a process of the cluster, so that it ends with it, and waits until it holds packets.
func (p Place) startLine(arguments []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.Folder, "logs", "delay-line.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	command := exec.Command(program, arguments...)
	command.Dir, command.Env = "/", []string{}
	command.Stdout, command.Stderr = writer, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = inside(p.Supervisor, unix.CLONE_NEWNET|unix.CLONE_NEWPID, command.Start)
	writer.Close()
	if err != nil {
		return err
	}
	_ = reader.SetReadDeadline(time.Now().Add(readyLimit))
	if line, err := bufio.NewReader(reader).ReadString('\n'); line == "" {
		_ = command.Process.Kill()
		_ = command.Wait()
		said, _ := os.ReadFile(log.Name())
		return errors.Join(fmt.Errorf("it did not start: %s", strings.TrimSpace(string(said))), err)
	}
	return nil
}

// inside runs a function, and what it starts, in namespaces of another process.
func inside(pid int, namespaces int, function func() error) error {
	result := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine and takes its namespaces along.
		runtime.LockOSThread()
		descriptor, err := unix.PidfdOpen(pid, 0)
		if err == nil {
			err = unix.Setns(descriptor, namespaces)
			unix.Close(descriptor)
		}
		if err != nil {
			result <- fmt.Errorf("namespaces of process %d: %w", pid, err)
			return
		}
		result <- function()
	}()
	return <-result
}

// run runs a command of the system and puts what it said into the error.
func run(input, program string, arguments ...string) error {
	command := exec.Command(program, arguments...)
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("`%s %s`: %w: %s", program, strings.Join(arguments, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
