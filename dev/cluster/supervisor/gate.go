package supervisor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"
)

// wait returns when the gate's address answers with 200, or stop is done.
func (g *Gate) wait(stop context.Context) error {
	content, err := os.ReadFile(g.Authority)
	if err != nil {
		return fmt.Errorf("gate %s: %w", g.URL, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return fmt.Errorf("gate %s: %s holds no certificate", g.URL, g.Authority)
	}
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
	defer client.CloseIdleConnections()
	for {
		if response, err := client.Get(g.URL); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-stop.Done():
			return stop.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
