// Command target is the HTTP server that the demo and the tests put load on.
//
// It answers from memory, so that its own time is small against what is measured, and every input is bounded.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxDelay = 60 * time.Second
	maxBytes = 10 << 20
	// A stop waits this long for answers under way; a pod's default grace is 30 s.
	shutdownPatience = 10 * time.Second
	// Cores: a target must leave the machine to the workers in a one-machine demo.
	maxProcessors = 2
)

type target struct {
	orders  atomic.Uint64
	payload []byte
}

func newTarget() *target {
	payload := make([]byte, maxBytes)
	for i := range payload {
		payload[i] = 'a' + byte(i%26)
	}
	return &target{payload: payload}
}

func (t *target) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("POST /checkout", t.checkout)
	mux.HandleFunc("/status/{code}", status)
	mux.HandleFunc("GET /bytes", t.bytes)
	return mux
}

// slow answers after ?ms= milliseconds (default 100), or when the client has gone.
func slow(w http.ResponseWriter, r *http.Request) {
	ms, err := number(r, "ms", 100, int(maxDelay/time.Millisecond))
	if err != nil {
		text(w, http.StatusBadRequest, err.Error()+"\n")
		return
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		text(w, http.StatusOK, "slow\n")
	case <-r.Context().Done():
	}
}

// checkout reads the order and answers with an id, which a test can extract and use.
func (t *target) checkout(w http.ResponseWriter, r *http.Request) {
	buffer := make([]byte, 4096)
	body := http.MaxBytesReader(w, r.Body, 1<<20)
	for {
		if _, err := body.Read(buffer); err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				text(w, http.StatusRequestEntityTooLarge, "the order is larger than 1 MiB\n")
				return
			}
			break
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "{\"order_id\":\"order-%d\"}\n", t.orders.Add(1))
}

// status answers with the code in the path, 200 to 599.
func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		text(w, http.StatusBadRequest, "the code must be a number from 200 to 599\n")
		return
	}
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	text(w, code, fmt.Sprintf("%d %s\n", code, http.StatusText(code)))
}

// bytes answers with ?n= bytes (default 1024).
func (t *target) bytes(w http.ResponseWriter, r *http.Request) {
	n, err := number(r, "n", 1024, maxBytes)
	if err != nil {
		text(w, http.StatusBadRequest, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	_, _ = w.Write(t.payload[:n]) // the client has gone: nothing to do about it
}

func number(r *http.Request, name string, missing, limit int) (int, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > limit {
		return 0, fmt.Errorf("%s must be a number from 0 to %d", name, limit)
	}
	return n, nil
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body)) // the client has gone: nothing to do about it
}

func serve(ctx context.Context, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		log.Print("stopping")
		patience, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		return server.Shutdown(patience)
	}
}

func main() {
	listen := flag.String("listen", ":8080", "address to listen on")
	flag.Parse()
	if runtime.GOMAXPROCS(0) > maxProcessors {
		runtime.GOMAXPROCS(maxProcessors)
	}
	server := &http.Server{
		Addr:              *listen,
		Handler:           newTarget().handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.Printf("listening on %s", *listen)
	if err := serve(ctx, server); err != nil {
		log.Fatalf("target: %v", err)
	}
}
