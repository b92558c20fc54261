package finetune_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
)

// closed is a file system with a folder that may not be read.
type closed struct {
	fstest.MapFS
	name string
}

func (c closed) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == c.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.ReadDir(name)
}

// A part that cannot be read is refused where it is needed; a class that cannot be read is for the run to tell.
func TestNewDataOfClosedFolders(t *testing.T) {
	split := fstest.MapFS{}
	for _, name := range []string{"train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png", "test/a/1.png"} {
		split[name] = &fstest.MapFile{}
	}
	open := func(name string) *features.Dataset {
		d, err := features.Folder(closed{split, name})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	whole := open("")
	for _, c := range []struct {
		name        string
		data, val   *features.Dataset
		train, vals int
		err         string
	}{
		{"train", open("train"), nil, 0, 0, "train: the folder cannot be read: permission denied"},
		{"val", open("val"), nil, 0, 0, "val: the folder cannot be read: permission denied"},
		{"val is not needed", open("val"), whole.Split("val"), 2, 2, ""},
		{"in the images for validation", whole, open("val"), 0, 0, "val: the folder cannot be read: permission denied"},
		{"test is not needed", open("test"), nil, 2, 2, ""},
		{"a class", open("val/b"), nil, 2, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := finetune.NewData(c.data, c.val, 0.5, 1)
			if c.err != "" {
				if err == nil || err.Error() != c.err || !errors.Is(err, fs.ErrPermission) {
					t.Errorf("error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Train) != c.train || len(d.Val) != c.vals || strings.Contains(strings.Join(d.Notes, ""), "left out") {
				t.Errorf("%d to train on, %d for validation, notes %q", len(d.Train), len(d.Val), d.Notes)
			}
		})
	}
}
