// Package storage provides volumes: each PersistentVolume is a folder of the
// machine below the cluster's folder. The claims are watched by Kubernetes' own
// library for external provisioners; this package only makes and removes folders.
package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

// Provisioner is the name that storage classes give.
const Provisioner = "volley.dev/host-path"

// Run provides volumes below folder until ctx is done.
func Run(ctx context.Context, kubeconfig, folder string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("storage: kubeconfig %s: %w", kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("storage: kubeconfig %s: %w", kubeconfig, err)
	}
	if err := os.MkdirAll(folder, 0o711); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	controller.NewProvisionController(ctx, client, Provisioner, folders{root: folder},
		controller.LeaderElection(false),
		controller.MetricsPort(0), // no endpoint: nobody reads it
	).Run(ctx)
	return nil
}

// folders makes and removes the folders of volumes.
type folders struct{ root string }

// Provision makes the folder of a new volume. Its size is not enforced.
func (f folders) Provision(_ context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	refuse := func(err error) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
		return nil, controller.ProvisioningFinished, fmt.Errorf("claim %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	if claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode != corev1.PersistentVolumeFilesystem {
		return refuse(errors.New("only volumeMode Filesystem is provided here; block devices are not"))
	}
	if claim.Spec.Selector != nil {
		return refuse(errors.New("volumes are made on demand and carry no labels; remove spec.selector"))
	}
	folder := filepath.Join(f.root, options.PVName)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return refuse(err)
	}
	// Pods that do not run as root write here; the process's mask must not take that away.
	if err := os.Chmod(folder, 0o777); err != nil {
		return refuse(err)
	}
	return volume(options, folder), controller.ProvisioningFinished, nil
}

// volume describes a folder as a PersistentVolume that fits its claim.
func volume(options controller.ProvisionOptions, folder string) *corev1.PersistentVolume {
	kind := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			MountOptions:                  options.StorageClass.MountOptions,
			Capacity: corev1.ResourceList{
				corev1.ResourceStorage: options.PVC.Spec.Resources.Requests[corev1.ResourceStorage],
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: folder, Type: &kind},
			},
		},
	}
}

// Delete removes the folder of a volume whose claim is gone. It is asked only
// for volumes with the reclaim policy Delete.
func (f folders) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	source := volume.Spec.HostPath
	// The path comes from an object that users can edit: remove only what this
	// provisioner can have made.
	if source == nil || source.Path != filepath.Join(f.root, volume.Name) || filepath.Dir(source.Path) != f.root {
		return &controller.IgnoredError{Reason: fmt.Sprintf("volume %s is not a folder below %s", volume.Name, f.root)}
	}
	if err := os.RemoveAll(source.Path); err != nil {
		return fmt.Errorf("volume %s: %w", volume.Name, err)
	}
	return nil
}
