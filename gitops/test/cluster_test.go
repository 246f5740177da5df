package argocd

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// recorded reads the objects that `kubectl get --watch -o json` wrote while whole runs went on a real cluster.
func recorded(t *testing.T) []map[string]any {
	folder := os.Getenv("VOLLEY_RECORDED_OBJECTS")
	if folder == "" {
		t.Skip("VOLLEY_RECORDED_OBJECTS names no folder: make test records one")
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s holds no *.json: %v", folder, err)
	}
	var objects []map[string]any
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for decoder := json.NewDecoder(file); ; {
			var object map[string]any
			err := decoder.Decode(&object)
			// The record is cut off where the watch was ended.
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			objects = append(objects, object)
		}
	}
	return objects
}

// What a phase means, from the table of ends.
var healthOfPhase = map[string]string{
	"Succeeded": "Healthy", "Stopped": "Healthy", "Skipped": "Healthy", "Failed": "Degraded",
}

func TestEveryObjectOfRealRunsHasItsHealth(t *testing.T) {
	healths, _ := scripts(t)
	phases, kinds := map[string]bool{}, map[string]bool{}
	for _, object := range recorded(t) {
		of := &unstructured.Unstructured{}
		text, _ := json.Marshal(object)
		if err := of.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		// Argo CD does not ask the script about an object that is being deleted.
		if of.GetDeletionTimestamp() != nil {
			continue
		}
		said, err := healthOf(healths[of.GetKind()], object)
		if err != nil {
			t.Errorf("%s %s: %v", of.GetKind(), of.GetName(), err)
			continue
		}
		kinds[of.GetKind()] = true
		expected := ""
		switch of.GetKind() {
		case "LoadTestRun":
			phase, _, _ := unstructured.NestedString(of.Object, "status", "phase")
			phases[phase] = true
			if expected = healthOfPhase[phase]; expected == "" || unseen(of) {
				expected = "Progressing"
			}
		case "LoadTest":
			computed, err := status.Compute(of)
			if err != nil {
				t.Fatal(err)
			}
			expected = map[status.Status]string{
				status.CurrentStatus: "Healthy", status.InProgressStatus: "Progressing", status.FailedStatus: "Degraded",
			}[computed.Status]
		default:
			continue
		}
		if said.Status != expected {
			t.Errorf("%s %s is %s (%s), it must be %s:\n%s", of.GetKind(), of.GetName(), said.Status, said.Message, expected, text)
		}
	}
	for _, phase := range []string{"Provisioning", "Running", "Succeeded", "Failed", "Stopped", "Skipped"} {
		if !phases[phase] {
			t.Errorf("no run was seen %s", phase)
		}
	}
	if len(kinds) != 3 {
		t.Errorf("kinds seen: %v", kinds)
	}
}

func unseen(object *unstructured.Unstructured) bool {
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	return observed != object.GetGeneration()
}
