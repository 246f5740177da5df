package bootstrap

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// ControlPlane creates what every cluster needs.
func ControlPlane(ctx context.Context, client kubernetes.Interface) error {
	return create(ctx, client, controlPlaneObjects())
}

// Node creates what a cluster with a node needs.
func Node(ctx context.Context, client kubernetes.Interface, addresses Addresses) error {
	return create(ctx, client, nodeObjects(addresses))
}

// create creates the objects; one that exists already is left as it is.
func create(ctx context.Context, client kubernetes.Interface, objects []runtime.Object) error {
	for _, object := range objects {
		var err error
		var name string
		options := metav1.CreateOptions{FieldManager: "volley-cluster"}
		switch typed := object.(type) {
		case *rbacv1.ClusterRole:
			name = "ClusterRole " + typed.Name
			_, err = client.RbacV1().ClusterRoles().Create(ctx, typed, options)
		case *rbacv1.ClusterRoleBinding:
			name = "ClusterRoleBinding " + typed.Name
			_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, typed, options)
		case *corev1.Service:
			name = "Service " + typed.Namespace + "/" + typed.Name
			_, err = client.CoreV1().Services(typed.Namespace).Create(ctx, typed, options)
		case *discoveryv1.EndpointSlice:
			name = "EndpointSlice " + typed.Namespace + "/" + typed.Name
			_, err = client.DiscoveryV1().EndpointSlices(typed.Namespace).Create(ctx, typed, options)
		case *storagev1.StorageClass:
			name = "StorageClass " + typed.Name
			_, err = client.StorageV1().StorageClasses().Create(ctx, typed, options)
		default:
			return fmt.Errorf("object %T: bootstrap does not know how to create it", object)
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("%s: cannot create it: %w", name, err)
		}
	}
	return nil
}
