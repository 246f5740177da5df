package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// children are the running processes of a task. The supervisor waits for all
// its descendants itself, because process 1 also inherits orphans (containerd's
// shims); the standard library's Wait would compete with that.
type children struct {
	task    Task
	mutex   sync.Mutex
	running map[string]int // process id by name
	ended   map[int]chan syscall.WaitStatus
}

func newChildren(task Task) *children {
	return &children{task: task, running: map[string]int{}, ended: map[int]chan syscall.WaitStatus{}}
}

// start starts a process; the channel gets its status when it ends.
func (c *children) start(process Process) (<-chan syscall.WaitStatus, error) {
	log, err := os.OpenFile(filepath.Join(c.task.Folder, "logs", process.Name+".log"),
		os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("process %s: %w", process.Name, err)
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("process %s: %w", process.Name, err)
	}
	defer null.Close()
	// Held while forking, so that reap finds the entry even of a process that ends at once.
	c.mutex.Lock()
	defer c.mutex.Unlock()
	pid, err := syscall.ForkExec(process.Arguments[0], process.Arguments, &syscall.ProcAttr{
		Dir:   c.task.Folder,
		Env:   environment(process),
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("process %s: cannot run %s: %w", process.Name, process.Arguments[0], err)
	}
	ended := make(chan syscall.WaitStatus, 1)
	c.running[process.Name] = pid
	c.ended[pid] = ended
	return ended, nil
}

// environment is small and fixed: variables of the user's shell (proxies, Go
// settings, KUBECONFIG) must not change how a cluster behaves.
func environment(process Process) []string {
	fixed := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8",
	}
	return append(fixed, process.Environment...)
}

// reap collects every process that ends, for as long as the supervisor lives.
func (c *children) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch err {
		case nil:
			c.note(pid, status)
		case syscall.ECHILD:
			pauseBetweenLooks() // no child yet
		}
	}
}

func (c *children) note(pid int, status syscall.WaitStatus) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	ended, ours := c.ended[pid]
	if !ours {
		return // an orphan
	}
	delete(c.ended, pid)
	for name, running := range c.running {
		if running == pid {
			delete(c.running, name)
		}
	}
	ended <- status
}

// find returns the id of a running process, 0 if it does not run.
func (c *children) find(name string) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.running[name]
}
