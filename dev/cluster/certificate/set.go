package certificate

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Users of the cluster that get a client certificate and a kubeconfig. The
// names are those that Kubernetes' built-in RBAC roles are bound to.
const (
	Administrator     = "admin"
	ControllerManager = "controller-manager"
	Scheduler         = "scheduler"
	Kubelet           = "kubelet"
	Proxy             = "kube-proxy"
	DNS               = "coredns"
	Storage           = "storage"
)

// Set is every certificate and key of one cluster.
type Set struct {
	Authority      Pair
	FrontProxy     Pair // the authority of the aggregation layer
	APIServer      Pair
	KubeletServer  Pair
	KubeletClient  Pair // with it the API server calls the kubelet
	ProxyClient    Pair // with it the API server calls aggregated API servers
	ServiceAccount Pair // Key signs tokens; Certificate holds the public key
	Users          map[string]Pair
}

// Input is what the certificates depend on.
type Input struct {
	Cluster    string
	Node       string
	NodeIP     netip.Addr
	APIService netip.Addr
	Now        time.Time
}

// apiServerRequest names everything by which clients reach the API server.
func apiServerRequest(input Input) Request {
	return Request{
		CommonName: "kube-apiserver",
		Names: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local", "localhost", input.Node,
		},
		Addresses: []netip.Addr{input.NodeIP, input.APIService, netip.AddrFrom4([4]byte{127, 0, 0, 1})},
	}
}

func kubeletServerRequest(input Input) Request {
	return Request{
		CommonName:    "system:node:" + input.Node,
		Organizations: []string{"system:nodes"},
		Names:         []string{input.Node},
		Addresses:     []netip.Addr{input.NodeIP},
	}
}

func userRequests(input Input) map[string]Request {
	return map[string]Request{
		Administrator:     {CommonName: "volley-admin", Organizations: []string{"system:masters"}},
		ControllerManager: {CommonName: "system:kube-controller-manager"},
		Scheduler:         {CommonName: "system:kube-scheduler"},
		Kubelet:           {CommonName: "system:node:" + input.Node, Organizations: []string{"system:nodes"}},
		Proxy:             {CommonName: "system:kube-proxy"},
		DNS:               {CommonName: "system:coredns"},
		Storage:           {CommonName: "system:volley-storage"},
	}
}

// KubeletClientUser is the user as which the API server calls the kubelet.
const KubeletClientUser = "kube-apiserver-kubelet-client"

// NewSet makes all certificates of a cluster.
func NewSet(input Input) (*Set, error) {
	authority, err := NewAuthority("volley-"+input.Cluster, input.Now)
	if err != nil {
		return nil, err
	}
	frontProxy, err := NewAuthority("volley-"+input.Cluster+"-front-proxy", input.Now)
	if err != nil {
		return nil, err
	}
	set := &Set{Authority: authority.Pair, FrontProxy: frontProxy.Pair, Users: map[string]Pair{}}
	if set.APIServer, err = authority.Issue(apiServerRequest(input)); err != nil {
		return nil, err
	}
	if set.KubeletServer, err = authority.Issue(kubeletServerRequest(input)); err != nil {
		return nil, err
	}
	if set.KubeletClient, err = authority.Issue(Request{CommonName: KubeletClientUser}); err != nil {
		return nil, err
	}
	if set.ProxyClient, err = frontProxy.Issue(Request{CommonName: "front-proxy-client"}); err != nil {
		return nil, err
	}
	if set.ServiceAccount.Key, set.ServiceAccount.Certificate, err = newSigningKey(); err != nil {
		return nil, err
	}
	for user, request := range userRequests(input) {
		if set.Users[user], err = authority.Issue(request); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// Files of a written set, relative to its folder.
const (
	AuthorityFile         = "ca.crt"
	AuthorityKeyFile      = "ca.key"
	FrontProxyFile        = "front-proxy-ca.crt"
	APIServerFile         = "apiserver.crt"
	APIServerKeyFile      = "apiserver.key"
	KubeletServerFile     = "kubelet-server.crt"
	KubeletServerKeyFile  = "kubelet-server.key"
	KubeletClientFile     = "kubelet-client.crt"
	KubeletClientKeyFile  = "kubelet-client.key"
	ProxyClientFile       = "front-proxy-client.crt"
	ProxyClientKeyFile    = "front-proxy-client.key"
	ServiceAccountFile    = "service-account.pub"
	ServiceAccountKeyFile = "service-account.key"
)

// Write puts the files that the components read into a folder that only root can enter.
func (s *Set) Write(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	files := map[string][]byte{
		AuthorityFile: s.Authority.Certificate, AuthorityKeyFile: s.Authority.Key,
		FrontProxyFile: s.FrontProxy.Certificate,
		APIServerFile:  s.APIServer.Certificate, APIServerKeyFile: s.APIServer.Key,
		KubeletServerFile: s.KubeletServer.Certificate, KubeletServerKeyFile: s.KubeletServer.Key,
		KubeletClientFile: s.KubeletClient.Certificate, KubeletClientKeyFile: s.KubeletClient.Key,
		ProxyClientFile: s.ProxyClient.Certificate, ProxyClientKeyFile: s.ProxyClient.Key,
		ServiceAccountFile: s.ServiceAccount.Certificate, ServiceAccountKeyFile: s.ServiceAccount.Key,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return fmt.Errorf("certificates: %w", err)
		}
	}
	return nil
}
