package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var input = Input{
	Cluster: "demo", Node: "demo-node",
	NodeIP: netip.MustParseAddr("10.192.0.11"), APIService: netip.MustParseAddr("10.192.128.1"),
	Now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
}

func newSet(t *testing.T) *Set {
	t.Helper()
	set, err := NewSet(input)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func parse(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(pair.Certificate)
	if block == nil {
		t.Fatal("no PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// verify asks the standard library, as a client or server would.
func verify(t *testing.T, authority Pair, pair Pair, name string, use x509.ExtKeyUsage) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.Certificate)
	_, err := parse(t, pair).Verify(x509.VerifyOptions{
		Roots: pool, DNSName: name, KeyUsages: []x509.ExtKeyUsage{use}, CurrentTime: input.Now.Add(time.Minute),
	})
	return err
}

func TestTheAPIServerIsKnownByAllItsNamesAndNoOther(t *testing.T) {
	set := newSet(t)
	for _, name := range []string{
		"10.192.0.11", "10.192.128.1", "127.0.0.1", "localhost", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	} {
		if err := verify(t, set.Authority, set.APIServer, name, x509.ExtKeyUsageServerAuth); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(t, set.Authority, set.APIServer, "volley.example", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("it is accepted under a foreign name")
	}
}

func TestTheKubeletServesItsAddressAndIsANode(t *testing.T) {
	set := newSet(t)
	if err := verify(t, set.Authority, set.KubeletServer, "10.192.0.11", x509.ExtKeyUsageServerAuth); err != nil {
		t.Error(err)
	}
	subject := parse(t, set.Users[Kubelet]).Subject
	if subject.CommonName != "system:node:demo-node" || len(subject.Organization) != 1 || subject.Organization[0] != "system:nodes" {
		t.Errorf("the Node authorizer does not know %v", subject)
	}
}

func TestUsersAreClientsOfTheirOwnClusterOnly(t *testing.T) {
	set, other := newSet(t), newSet(t)
	for user, pair := range set.Users {
		if err := verify(t, set.Authority, pair, "", x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%s: %v", user, err)
		}
		if verify(t, set.Authority, pair, "", x509.ExtKeyUsageServerAuth) == nil {
			t.Errorf("%s could pose as a server", user)
		}
		if verify(t, other.Authority, pair, "", x509.ExtKeyUsageClientAuth) == nil {
			t.Errorf("%s is accepted by another cluster", user)
		}
		if masters := parse(t, pair).Subject.Organization; user != Administrator && len(masters) > 0 && masters[0] == "system:masters" {
			t.Errorf("%s may do everything", user)
		}
	}
	if verify(t, set.Authority, set.ProxyClient, "", x509.ExtKeyUsageClientAuth) == nil {
		t.Error("the front proxy's client is accepted as a user")
	}
}

func TestWrittenKeysBelongToTheirCertificatesAndToRoot(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "certificates")
	if err := newSet(t).Write(folder); err != nil {
		t.Fatal(err)
	}
	for certificate, key := range map[string]string{
		AuthorityFile: AuthorityKeyFile, APIServerFile: APIServerKeyFile, KubeletServerFile: KubeletServerKeyFile,
		KubeletClientFile: KubeletClientKeyFile, ProxyClientFile: ProxyClientKeyFile,
	} {
		if _, err := tls.LoadX509KeyPair(filepath.Join(folder, certificate), filepath.Join(folder, key)); err != nil {
			t.Errorf("%s: %v", certificate, err)
		}
		if information, err := os.Stat(filepath.Join(folder, key)); err != nil || information.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", key, information.Mode(), err)
		}
	}
}
