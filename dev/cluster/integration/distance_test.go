package integration

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// dial says how long a connection to an API server takes to open: one round trip.
func dial(cluster described) (time.Duration, error) {
	began := time.Now()
	connection, err := net.DialTimeout("tcp", cluster.NodeAddress+":6443", 2*time.Second)
	if err != nil {
		return 0, err
	}
	return time.Since(began), connection.Close()
}

// cannotDial is nil while the API server cannot be reached.
func cannotDial(cluster described) error {
	_, err := dial(cluster)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	return fmt.Errorf("no time-out but %v", err)
}

func TestAClusterIsPutFarAwayCutOffAndBroughtBack(t *testing.T) {
	m := onMachine(t)
	m.run("up", "--api-server-only", "far", "near")
	far, near := m.describe("far"), m.describe("near")
	roundTrip := func(t *testing.T, cluster described, least, most time.Duration) {
		t.Helper()
		eventually(t, fmt.Sprintf("round trip of %s to %s", least, most), func() error {
			took, err := dial(cluster)
			if err == nil && (took < least || took > most) {
				err = fmt.Errorf("it takes %s", took)
			}
			return err
		})
	}

	m.run("distance", "far", "--delay", "60ms", "--jitter", "5ms")
	t.Run("a packet takes the delay each way, and the other cluster is as near as before", func(t *testing.T) {
		roundTrip(t, far, 120*time.Millisecond, 500*time.Millisecond)
		roundTrip(t, near, 0, 100*time.Millisecond)
	})
	t.Run("much data passes a long line whole and in order", func(t *testing.T) {
		if text := m.kubectl("far", "get", "--raw", "/openapi/v2"); len(text) < 1_000_000 || !strings.HasSuffix(strings.TrimSpace(text), "}") {
			t.Errorf("%d bytes of the API's description", len(text))
		}
	})
	t.Run("a loss leaves a line that works", func(t *testing.T) {
		m.run("distance", "far", "--delay", "5ms", "--loss", "5")
		m.kubectl("far", "get", "--raw", "/openapi/v2")
	})
	t.Run("when the delay line is killed packets pass at once", func(t *testing.T) {
		m.run("distance", "far", "--delay", "60ms")
		kill(t, "delay-line", far.Folder)
		roundTrip(t, far, 0, 100*time.Millisecond)
	})
	t.Run("a cut keeps its distance and is mended by its name", func(t *testing.T) {
		m.run("distance", "far", "--delay", "60ms")
		m.run("cut", "far", "--api-server")
		m.run("cut", "far", "--from", near.NodeAddress)
		if err := cannotDial(far); err != nil {
			t.Error(err)
		}
		m.run("mend", "far", "--api-server")
		roundTrip(t, far, 120*time.Millisecond, 500*time.Millisecond)
		m.run("mend", "far")
	})
	t.Run("a cut without a name is from everything outside", func(t *testing.T) {
		m.run("cut", "far")
		if err := cannotDial(far); err != nil {
			t.Error(err)
		}
		m.run("mend", "far")
		m.run("distance", "far")
		roundTrip(t, far, 0, 100*time.Millisecond)
	})
	t.Run("nonsense is refused and changes nothing", func(t *testing.T) {
		for _, arguments := range [][]string{
			{"distance", "far", "--delay", "1m"}, {"distance", "far", "--loss", "101"}, {"cut", "far", "--from", "nowhere"},
			{"cut", "far", "--from", "10.1.2.3:0"}, {"cut", "absent"},
		} {
			if output, err := m.try(arguments...); err == nil {
				t.Errorf("%v: %s", arguments, output)
			}
		}
		roundTrip(t, far, 0, 100*time.Millisecond)
	})
	m.run("distance", "far", "--delay", "1ms")
	m.run("down", "--all")
	if left := append(traces(far), ownerTraces(far)...); len(left) > 0 {
		t.Errorf("left %s", strings.Join(left, "\n"))
	}
}
