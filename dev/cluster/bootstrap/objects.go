// Package bootstrap puts the objects into a fresh cluster that its parts need:
// the rights of the parts that are not Kubernetes' own, the DNS Service, and
// the storage class.
package bootstrap

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"volley.dev/dev/cluster/certificate"
	"volley.dev/dev/cluster/storage"
)

// Addresses are what the objects need to know.
type Addresses struct {
	Node       netip.Addr
	DNSService netip.Addr
}

// controlPlaneObjects are needed even without a node.
func controlPlaneObjects() []runtime.Object {
	return []runtime.Object{
		bind("volley:kube-apiserver-kubelet-client", "system:kubelet-api-admin", certificate.KubeletClientUser),
	}
}

// nodeObjects are needed where pods run.
func nodeObjects(addresses Addresses) []runtime.Object {
	return []runtime.Object{
		dnsRole(),
		bind("volley:coredns", "volley:coredns", "system:coredns"),
		storageRole(),
		bind("volley:storage", "volley:storage", "system:volley-storage"),
		bind("volley:storage-volumes", "system:persistent-volume-provisioner", "system:volley-storage"),
		dnsService(addresses),
		dnsEndpoints(addresses),
		storageClass(),
	}
}

// bind gives a user (the common name of its certificate) a role in the whole cluster.
func bind(name, role, user string) runtime.Object {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
}

func dnsRole() runtime.Object {
	watch := []string{"list", "watch"}
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "volley:coredns"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"services", "pods", "namespaces"}, Verbs: watch},
			{APIGroups: []string{discoveryv1.GroupName}, Resources: []string{"endpointslices"}, Verbs: watch},
		},
	}
}

// storageRole adds what the built-in role for providers of volumes lacks: the
// node that the scheduler chose for a claim.
func storageRole() runtime.Object {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "volley:storage"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}}},
	}
}

var dnsPorts = []corev1.ServicePort{
	{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP},
	{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
}

// dnsService has no selector: CoreDNS is a process of the node, not a pod.
func dnsService(addresses Addresses) runtime.Object {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kube-dns", Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"},
		},
		Spec: corev1.ServiceSpec{ClusterIP: addresses.DNSService.String(), Ports: dnsPorts},
	}
}

func dnsEndpoints(addresses Addresses) runtime.Object {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kube-dns", Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: "kube-dns",
				discoveryv1.LabelManagedBy:   "volley.dev",
			},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{addresses.Node.String()}}},
	}
	for _, port := range dnsPorts {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &port.Name, Port: &port.Port, Protocol: &port.Protocol})
	}
	return slice
}

func storageClass() runtime.Object {
	mode := storagev1.VolumeBindingWaitForFirstConsumer
	return &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner:       storage.Provisioner,
		VolumeBindingMode: &mode,
	}
}
