package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

func options(change func(*corev1.PersistentVolumeClaimSpec)) controller.ProvisionOptions {
	policy := corev1.PersistentVolumeReclaimRetain
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Mi")},
			},
		},
	}
	change(&claim.Spec)
	return controller.ProvisionOptions{StorageClass: &storagev1.StorageClass{ReclaimPolicy: &policy}, PVName: "pvc-1", PVC: claim}
}

func TestAVolumeIsAFolderThatAnybodyMayWriteAndFitsItsClaim(t *testing.T) {
	provisioner := folders{root: t.TempDir()}
	volume, state, err := provisioner.Provision(context.Background(), options(func(*corev1.PersistentVolumeClaimSpec) {}))
	if err != nil || state != controller.ProvisioningFinished {
		t.Fatal(state, err)
	}
	information, err := os.Stat(volume.Spec.HostPath.Path)
	if err != nil || !information.IsDir() || information.Mode().Perm() != 0o777 {
		t.Errorf("%v, %v", information, err)
	}
	if volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain || volume.Spec.AccessModes[0] != corev1.ReadWriteMany {
		t.Errorf("%+v", volume.Spec)
	}
	if size := volume.Spec.Capacity[corev1.ResourceStorage]; size.String() != "5Mi" {
		t.Errorf("size %s", size.String())
	}
	if err := provisioner.Delete(context.Background(), volume); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(volume.Spec.HostPath.Path); !os.IsNotExist(err) {
		t.Errorf("the folder stays: %v", err)
	}
}

func TestClaimsThatCannotBeMetAreRefusedByName(t *testing.T) {
	block := corev1.PersistentVolumeBlock
	for text, change := range map[string]func(*corev1.PersistentVolumeClaimSpec){
		"volumeMode": func(spec *corev1.PersistentVolumeClaimSpec) { spec.VolumeMode = &block },
		"selector":   func(spec *corev1.PersistentVolumeClaimSpec) { spec.Selector = &metav1.LabelSelector{} },
	} {
		_, _, err := folders{root: t.TempDir()}.Provision(context.Background(), options(change))
		if err == nil || !strings.Contains(err.Error(), "n/c") || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOnlyFoldersOfTheProvisionerAreEverRemoved(t *testing.T) {
	root := t.TempDir()
	precious := filepath.Join(root, "precious")
	volumes := filepath.Join(root, "volumes")
	if err := errors.Join(os.MkdirAll(precious, 0o755), os.MkdirAll(volumes, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"pvc-1": precious, "pvc-2": volumes, "../precious": precious, "..": root, "pvc-3": volumes + "/../precious",
	} {
		volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
		volume.Spec.HostPath = &corev1.HostPathVolumeSource{Path: path}
		err := folders{root: volumes}.Delete(context.Background(), volume)
		var ignored *controller.IgnoredError
		if !errors.As(err, &ignored) {
			t.Errorf("%s at %s: %v", name, path, err)
		}
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
