// Package image makes container images from static binaries and loads image
// archives into a cluster's containerd.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

// Description is an image that holds a single program.
type Description struct {
	// Name is the image's full name, such as localhost/volley-pause:1.
	Name string
	// Program is the path of the program within the image, such as /pause.
	Program string
	// User is the numeric user and group, such as 65535:65535.
	User string
}

// Write writes the image as a docker archive, the format of `docker save`. The
// same content gives the same bytes.
// Format: https://github.com/moby/docker-image-spec/blob/main/spec.md
func Write(output io.Writer, description Description, program []byte) error {
	describe := func(err error) error { return fmt.Errorf("image %s: %w", description.Name, err) }
	layer, err := archive([]entry{{description.Program[1:], 0o755, program}})
	if err != nil {
		return describe(err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{description.Program}, "User": description.User},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
		"history":      []map[string]any{{"created_by": "volley dev/cluster"}},
	})
	if err != nil {
		return describe(err)
	}
	configName, layerName := digest(config)+".json", digest(layer)+"/layer.tar"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configName, "RepoTags": []string{description.Name}, "Layers": []string{layerName},
	}})
	if err != nil {
		return describe(err)
	}
	whole, err := archive([]entry{
		{configName, 0o644, config}, {layerName, 0o644, layer}, {"manifest.json", 0o644, manifest},
	})
	if err != nil {
		return describe(err)
	}
	if _, err := output.Write(whole); err != nil {
		return describe(err)
	}
	return nil
}

type entry struct {
	name    string
	mode    int64
	content []byte
}

func archive(entries []entry) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, entry := range entries {
		header := &tar.Header{Name: entry.name, Mode: entry.mode, Size: int64(len(entry.content)), Typeflag: tar.TypeReg}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(entry.content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
