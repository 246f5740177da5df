// Command cluster starts real Kubernetes clusters on one machine. The same
// binary is also every Kubernetes component: `cluster kubelet ...`, or called by
// a link with the component's name.
package main

import (
	"os"
	"path/filepath"

	"volley.dev/dev/cluster/commands"
	"volley.dev/dev/cluster/components"
)

func main() {
	if name := filepath.Base(os.Args[0]); components.Known(name) {
		os.Exit(components.Run(name, os.Args[1:]))
	}
	// `cluster kubectl NAME -- ...` is our own command; the other components
	// are run by the supervisor.
	if len(os.Args) > 1 && os.Args[1] != "kubectl" && components.Known(os.Args[1]) {
		os.Exit(components.Run(os.Args[1], os.Args[2:]))
	}
	os.Exit(commands.Run(os.Args[1:]))
}
