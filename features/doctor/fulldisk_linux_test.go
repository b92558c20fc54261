package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/onnxcnn/onnxcnn/features/doctor"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// A quarantine on a disk that is full, wherever that happens, can be undone, or has not begun: no file is lost or cut.
func TestQuarantineOnFullDisk(t *testing.T) {
	dir := sick(t)
	for i := range 3 {
		if err := os.MkdirAll(filepath.Join(dir, "train/a/.thumbs/deep"), 0o777); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"train/a/.thumbs/%d.bin", "train/a/.thumbs/deep/%d.bin"} {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(name, i)), make([]byte, 3000), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := content(t, dir)
	disk := reftest.NewDisk(t, filepath.Join(t.TempDir(), "disk"), 4)
	folder := filepath.Join(disk.Dir, "q")
	r := examine(t, dir, doctor.Options{})
	begun := 0
	for size := 4; ; size += 4 {
		disk.Resize(size)
		_, err := r.Quarantine(context.Background(), folder, doctor.Movable())
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) || size > 1000 {
			t.Fatalf("%d KiB: %v", size, err)
		}
		if left := disk.Temporary(); len(left) > 0 {
			t.Errorf("%d KiB: it left %q", size, left)
		}
		if exists(folder) {
			begun++
			if _, err := doctor.Undo(folder); err != nil {
				t.Errorf("%d KiB: undo: %v", size, err)
			}
		}
		if !same(content(t, dir), before) || len(disk.Files()) > 0 || exists(folder) {
			t.Fatalf("%d KiB: the folder is not what it was, or the quarantine has %v", size, disk.Files())
		}
	}
	if begun == 0 {
		t.Error("it was never full in the midst")
	}
	if _, err := doctor.Undo(folder); err != nil || !same(content(t, dir), before) {
		t.Errorf("after a whole one: %v, or the folder is not what it was", err)
	}
	if len(disk.Files()) > 0 || exists(folder) {
		t.Errorf("left: %v", disk.Files())
	}
	t.Logf("figure: doctor --fix on a full disk: stopped %d times in the midst, and undone each time", begun)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
