package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Only a file that is missing itself is said to be, not one that names another file.
func TestMissingFile(t *testing.T) {
	there := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(there, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	err := fmt.Errorf("w.bin belongs to the model: %w", fs.ErrNotExist)
	for file, want := range map[string]string{there: err.Error(), "none.onnx": "none.onnx: there is no such file"} {
		if got := missingFile(file, err); got.Error() != want {
			t.Errorf("%s: %v, want %s", file, got, want)
		}
	}
	if err := missingFile("none.onnx", nil); err != nil {
		t.Error(err)
	}
	for want, names := range map[string][]string{"it has none": nil, "it has a, b": {"a", "b"}} {
		if got := itHas(names); got != want {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
}
