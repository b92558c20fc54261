package tfevents

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// A file on a full disk ends with a whole record: readers stop at a part of one.
func TestFullDisk(t *testing.T) {
	disk := reftest.NewDisk(t, filepath.Join(t.TempDir(), "disk"), 4)
	w, err := Create(disk.Dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var sizes []int64
	for step := range 1000 {
		if err = w.Write(step, Scalar{Tag: "loss/train", Value: 0.5}); err != nil {
			break
		}
		sizes = append(sizes, w.size)
	}
	info, e := os.Stat(w.f.Name())
	if !errors.Is(err, syscall.ENOSPC) || e != nil || len(sizes) == 0 || info.Size() != sizes[len(sizes)-1] {
		t.Fatalf("after %d records: %v; the file has %v bytes (%v), want %d", len(sizes), err, info, e, w.size)
	}
	disk.Resize(8)
	if err := w.Write(1000, Scalar{Tag: "loss/train", Value: 0.5}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(w.f.Name()); err != nil || info.Size() != w.size {
		t.Errorf("with room: %v bytes, want %d (%v)", info, w.size, err)
	}
}
