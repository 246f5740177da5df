package argocd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// configMap is what a user adds to Argo CD's own.
const configMap = "../argocd/argocd-cm.yaml"

// objects are made by the operator's own planners (operator/controller/src/argocd.rs).
const objects = "testdata/objects.json"

// created are the objects that actions make; operator/api checks them by the rules of their kind.
const created = "testdata/created"

// example is an object of an outcome, and the health that it must have.
type example struct {
	Name   string         `json:"name"`
	Health string         `json:"health"`
	Object map[string]any `json:"object"`
}

func (example example) kind() string { return example.Object["kind"].(string) }

// actions are the customizations of one kind.
type actions struct {
	Discovery   string `json:"discovery.lua"`
	Definitions []struct {
		Name   string `json:"name"`
		Action string `json:"action.lua"`
	} `json:"definitions"`
}

func (actions actions) script(t *testing.T, name string) string {
	for _, definition := range actions.Definitions {
		if definition.Name == name {
			return definition.Action
		}
	}
	t.Fatalf("there is no action %s", name)
	return ""
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func examples(t *testing.T) []example {
	var examples []example
	read(t, objects, &examples)
	if len(examples) < 60 {
		t.Fatalf("only %d objects", len(examples))
	}
	return examples
}

func scripts(t *testing.T) (map[string]string, map[string]actions) {
	var content struct {
		Data map[string]string `json:"data"`
	}
	read(t, configMap, &content)
	healths, all := map[string]string{}, map[string]actions{}
	for key, text := range content.Data {
		if kind, ok := strings.CutPrefix(key, "resource.customizations.health.volley.dev_"); ok {
			healths[kind] = text
		} else if kind, ok := strings.CutPrefix(key, "resource.customizations.actions.volley.dev_"); ok {
			var of actions
			if err := yaml.UnmarshalStrict([]byte(text), &of); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			all[kind] = of
		} else {
			t.Errorf("Argo CD does not know the key %s", key)
		}
	}
	return healths, all
}

func TestEveryOutcomeHasItsHealth(t *testing.T) {
	healths, _ := scripts(t)
	for _, example := range examples(t) {
		said, err := healthOf(healths[example.kind()], example.Object)
		if err != nil {
			t.Errorf("%s: %v", example.Name, err)
			continue
		}
		if said.Status != example.Health {
			t.Errorf("%s is %s (%s), it must be %s", example.Name, said.Status, said.Message, example.Health)
		}
		if said.Message == "" {
			t.Errorf("%s: nobody is told why it is %s", example.Name, said.Status)
		}
	}
}

// What waits by kstatus (helm --wait, Flux) and what waits by Argo CD's health must not disagree about a test. A RegionTarget has no
// Stalled: it heals, so kstatus waits for it where Argo CD shows that no run starts there.
func TestHelmAndArgoCDAgree(t *testing.T) {
	equal := map[status.Status]string{
		status.CurrentStatus:    "Healthy",
		status.InProgressStatus: "Progressing",
		status.FailedStatus:     "Degraded",
	}
	for _, example := range examples(t) {
		// JSON numbers are integers for kstatus where they are whole.
		object := &unstructured.Unstructured{}
		text, _ := json.Marshal(example.Object)
		if err := object.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		computed, err := status.Compute(object)
		if err != nil {
			t.Errorf("%s: %v", example.Name, err)
			continue
		}
		expected := example.Health
		if example.kind() == "RegionTarget" {
			expected = map[string]string{"Degraded": "Progressing", "Suspended": "Healthy"}[expected]
			if expected == "" {
				expected = example.Health
			}
		}
		if equal[computed.Status] != expected {
			t.Errorf("%s is %s for kstatus (%s), Argo CD shows %s", example.Name, computed.Status, computed.Message, example.Health)
		}
	}
}

func TestAnObjectWithoutAStatusIsNeverHealthy(t *testing.T) {
	healths, _ := scripts(t)
	for kind, script := range healths {
		for _, text := range []string{"", `{"observedGeneration": 1}`, `{"observedGeneration": 1, "conditions": []}`} {
			object := map[string]any{"kind": kind, "metadata": map[string]any{"name": "x", "generation": 1.0}}
			if text != "" {
				var status any
				if err := json.Unmarshal([]byte(text), &status); err != nil {
					t.Fatal(err)
				}
				object["status"] = status
			}
			if said, err := healthOf(script, object); err != nil || said.Status != "Progressing" {
				t.Errorf("%s with status %s: %v, %v", kind, text, said, err)
			}
		}
	}
}

func find(t *testing.T, name string) map[string]any {
	for _, example := range examples(t) {
		if example.Name == name {
			return example.Object
		}
	}
	t.Fatalf("there is no object %s", name)
	return nil
}

func TestActionsAreOfferedWhereTheyMakeSense(t *testing.T) {
	_, all := scripts(t)
	for name, enabled := range map[string][]string{
		"run/unseen":                      {"stop"},
		"run/under load":                  {"stop"},
		"run/a stop that is not seen yet": {},
		"run/Completed":                   {"run-again"},
		"run/ScriptFailed":                {"run-again"},
		"test/unseen":                     {},
		"test/under load":                 {},
		"test/manual, never run":          {"run"},
		"test/ScriptFailed":               {"run"},
		"test/a contradiction":            {},
	} {
		object := find(t, name)
		of := all[object["kind"].(string)]
		found, err := discover(of.Discovery, object)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		offered := []string{}
		for action, entry := range found {
			of.script(t, action)
			if entry.DisplayName == "" || entry.IconClass == "" {
				t.Errorf("%s has no name or no icon", action)
			}
			if !entry.Disabled {
				offered = append(offered, action)
			}
		}
		sort.Strings(offered)
		if !slices.Equal(offered, enabled) {
			t.Errorf("%s offers %v, it must offer %v", name, offered, enabled)
		}
	}
}

// differences names the fields that differ.
func differences(before, after any, path string) []string {
	one, isMap := before.(map[string]any)
	other, bothMaps := after.(map[string]any)
	if !isMap || !bothMaps {
		if reflect.DeepEqual(before, after) {
			return nil
		}
		return []string{path}
	}
	var found []string
	keys := map[string]bool{}
	for key := range one {
		keys[key] = true
	}
	for key := range other {
		keys[key] = true
	}
	for key := range keys {
		found = append(found, differences(one[key], other[key], path+"."+key)...)
	}
	sort.Strings(found)
	return found
}

func TestStopChangesNothingElse(t *testing.T) {
	_, all := scripts(t)
	before := find(t, "run/under load, with live figures")
	impacts, err := act(all["LoadTestRun"].script(t, "stop"), find(t, "run/under load, with live figures"))
	if err != nil || len(impacts) != 1 || impacts[0].Operation != "patch" {
		t.Fatalf("%v, %v", impacts, err)
	}
	if changed := differences(before, impacts[0].Resource, ""); !slices.Equal(changed, []string{".spec.stop"}) {
		t.Errorf("changed: %v", changed)
	}
	checkCreated(t, "LoadTestRun-stop", impacts[0].Resource["spec"])
}

func TestARunIsCreatedOnceASecond(t *testing.T) {
	_, all := scripts(t)
	for name, object := range map[string]map[string]any{
		"LoadTest/run":          find(t, "test/manual, never run"),
		"LoadTestRun/run-again": find(t, "run/ScriptFailed"),
	} {
		kind, action := filepath.Split(name)
		impacts, err := act(all[strings.Trim(kind, "/")].script(t, action), object)
		if err != nil || len(impacts) != 1 || impacts[0].Operation != "create" {
			t.Fatalf("%s: %v, %v", name, impacts, err)
		}
		checkCreated(t, strings.ReplaceAll(name, "/", "-"), impacts[0].Resource)
	}
}

// checkCreated compares with what is checked in, or writes it.
func checkCreated(t *testing.T, name string, value any) {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(created, fmt.Sprintf("%s.yaml", name))
	if os.Getenv("VOLLEY_WRITE_REFERENCE") != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := os.ReadFile(path)
	if err != nil || string(found) != string(text) {
		t.Errorf("%s is not what the action makes, which is\n%s(VOLLEY_WRITE_REFERENCE=1 writes it) %v", path, text, err)
	}
}
