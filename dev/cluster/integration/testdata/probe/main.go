// Command probe is the only program in the integration test's image. It serves
// what the test asks for over HTTP, from inside a pod.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "say" {
		fmt.Println("said", os.Args[2])
		return
	}
	fmt.Println("probe starts on", os.Getenv("HOSTNAME"))
	http.HandleFunc("/hello", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(answer, "hello from ", os.Getenv("HOSTNAME"))
	})
	// /lookup?name=N gives the addresses of a name as a pod resolves it.
	http.HandleFunc("/lookup", func(answer http.ResponseWriter, request *http.Request) {
		addresses, err := net.DefaultResolver.LookupHost(request.Context(), request.FormValue("name"))
		respond(answer, fmt.Sprint(addresses), err)
	})
	// /fetch?url=U gives what the pod gets from an address.
	http.HandleFunc("/fetch", func(answer http.ResponseWriter, request *http.Request) {
		client := &http.Client{Timeout: 3 * time.Second}
		response, err := client.Get(request.FormValue("url"))
		if err != nil {
			respond(answer, "", err)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		respond(answer, string(body), err)
	})
	// /write?text=T writes into the volume.
	http.HandleFunc("/write", func(answer http.ResponseWriter, request *http.Request) {
		err := os.WriteFile("/data/file", []byte(request.FormValue("text")), 0o600)
		respond(answer, "written", err)
	})
	// /memory gives the limit in force, by the cgroup version that the machine has.
	http.HandleFunc("/memory", func(answer http.ResponseWriter, _ *http.Request) {
		content, err := os.ReadFile("/sys/fs/cgroup/memory/memory.limit_in_bytes")
		if err != nil {
			content, err = os.ReadFile("/sys/fs/cgroup/memory.max")
		}
		respond(answer, string(content), err)
	})
	if err := http.ListenAndServe(":8080", nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func respond(answer http.ResponseWriter, text string, err error) {
	if err != nil {
		answer.WriteHeader(http.StatusBadGateway)
		text = err.Error()
	}
	fmt.Fprint(answer, text)
}
