package filemap

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestRelease(t *testing.T) {
	want := bytes.Repeat([]byte("onnxcnn."), 1<<14)
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	data, unmap, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := bytes.Clone(want)
	for _, part := range [][]byte{data, data[1:5], data[5000:100000], data[len(data)-10:], data[:0], nil, elsewhere} {
		Release(part)
		if !bytes.Equal(data, want) || !bytes.Equal(elsewhere, want) {
			t.Fatalf("%d bytes given back: the content is another", len(part))
		}
	}
	if err := unmap(); err != nil {
		t.Fatal(err)
	}
	if len(live.list) != 0 {
		t.Errorf("%d mappings live on", len(live.list))
	}
}
