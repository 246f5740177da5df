package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
)

func read(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnArchiveNamesItsImageAndHoldsItsProgramOnce(t *testing.T) {
	description := Description{Name: "localhost/x:1", Program: "/x", User: "65535:65535"}
	var first, second bytes.Buffer
	if err := errors.Join(Write(&first, description, []byte("program")), Write(&second, description, []byte("program"))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same content gives different bytes")
	}
	files := read(t, first.Bytes())
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("%v: %s", err, files["manifest.json"])
	}
	if !slices.Equal(manifest[0].RepoTags, []string{"localhost/x:1"}) || len(manifest[0].Layers) != 1 {
		t.Errorf("%+v", manifest[0])
	}
	layer := files[manifest[0].Layers[0]]
	var config struct {
		Config struct {
			Entrypoint []string
			User       string
		}
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	if config.Config.User != description.User || !slices.Equal(config.Config.Entrypoint, []string{"/x"}) {
		t.Errorf("%+v", config)
	}
	if !slices.Equal(config.Rootfs.DiffIDs, []string{"sha256:" + digest(layer)}) {
		t.Errorf("the layer's digest is %s, the configuration says %v", digest(layer), config.Rootfs.DiffIDs)
	}
	if program := read(t, layer)["x"]; string(program) != "program" {
		t.Errorf("program %q", program)
	}
}

func TestNamesOfImportedImagesAreReadFromCtr(t *testing.T) {
	output := "unpacking localhost/a:1 (sha256:0123)...done\nunpacking docker.io/library/b:2 (sha256:4567)...done\n"
	if names := importedNames(output); !slices.Equal(names, []string{"localhost/a:1", "docker.io/library/b:2"}) {
		t.Errorf("%v", names)
	}
	if names := importedNames("elapsed: 0.1 s\n"); names != nil {
		t.Errorf("%v", names)
	}
}
