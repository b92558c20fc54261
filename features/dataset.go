package features

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Extensions are the file name extensions that make a file in a folder an image, in lower case.
var Extensions = []string{".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

// Item is one image of a data set.
type Item struct {
	Path  string // as the user gave it, or below the folder that the user gave
	Label int    // index into Dataset.Classes; -1 without one
	Split string // "train", "val" or "test" where the folder is such a split, else ""

	// Labels are the classes of an image that may have any number of them, rising; Label is -1 then. It is nil in data
	// sets whose images have one class each.
	Labels []int

	fsys     fs.FS // nil: the system's files
	name     string
	unlisted error // why the folder that stands here instead of its images cannot be read
}

// NewItem returns the image that lies in a file system under that name, with its label (-1 for none).
func NewItem(fsys fs.FS, name string, label int) Item {
	return Item{Path: name, Label: label, fsys: fsys, name: name}
}

// Name returns the image's name below the folder that it was found in, with slashes: it stays the same wherever that
// folder lies. An image that was named by itself has its path as name.
func (it Item) Name() string { return it.name }

// Unlisted reports whether a folder stands here instead of the images in it, since it cannot be read. Open says why, so
// that it is skipped by name as an image that cannot be read is.
func (it Item) Unlisted() bool { return it.unlisted != nil }

// Open opens the image's file.
func (it Item) Open() (io.ReadCloser, error) {
	if it.unlisted != nil {
		return nil, it.unlisted
	}
	if it.fsys == nil {
		return os.Open(it.name)
	}
	return it.fsys.Open(it.name)
}

// Dataset is a list of images, in the order in which rows of features come.
type Dataset struct {
	Items   []Item
	Classes []string // in byte order; empty without class folders
	Notes   []string // what was left out and why: empty classes, links that lead back, files that are no images
	Empty   []string // folders that would be classes if there were an image in them
	Loops   []string // links that lead back to a folder that is taken already: not followed
}

// Split returns the part of a data set whose folder is a split: name is "train", "val" or "test". The classes, and so
// the labels, are those of the whole.
func (d *Dataset) Split(name string) *Dataset {
	part := &Dataset{Classes: d.Classes}
	for _, it := range d.Items {
		if it.Split == name {
			part.Items = append(part.Items, it)
		}
	}
	return part
}

// Counts returns the number of images of each class.
func (d *Dataset) Counts() []int {
	n := make([]int, len(d.Classes))
	for _, it := range d.Items {
		if it.Label >= 0 && !it.Unlisted() {
			n[it.Label]++
		}
		for _, k := range it.Labels {
			n[k]++
		}
	}
	return n
}

// MultiLabel reports whether images have any number of classes instead of one.
func (d *Dataset) MultiLabel() bool {
	return slices.ContainsFunc(d.Items, func(it Item) bool { return it.Labels != nil })
}

// OneLabel makes a data set whose images may have any number of classes, but have one each, an ordinary one.
func (d *Dataset) OneLabel() error {
	for _, it := range d.Items {
		if it.Labels != nil && len(it.Labels) != 1 {
			return fmt.Errorf("%s has %s, not one", it.Path, plural(len(it.Labels), "class"))
		}
	}
	for i := range d.Items {
		if it := &d.Items[i]; it.Labels != nil {
			it.Label, it.Labels = it.Labels[0], nil
		}
	}
	return nil
}

// EmptyError says that a place holds no image.
type EmptyError struct {
	Where string
	Notes []string // what it holds instead
}

func (e *EmptyError) Error() string {
	s := e.Where + ": no images here (files that end in " + strings.Join(Extensions, " ") + ")"
	for _, n := range e.Notes {
		s += "\n" + n
	}
	return s
}

// Open returns the data set of files and folders, in the given order; what is named twice is in it twice. A file need
// not have the extension of an image. Where several folders have class folders, classes of the same name are one.
// A folder of IDX files is opened as [OpenIDX] does. A path that does not exist, a folder that cannot be read, and one
// without images are errors; folders below it that cannot be read are items (see [Item.Unlisted]).
func Open(paths ...string) (*Dataset, error) {
	var sets []*Dataset
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			sets = append(sets, &Dataset{Items: []Item{{Path: p, Label: -1, name: p}}})
			continue
		}
		if holdsIDX(p) {
			d, err := OpenIDX(p)
			if err != nil {
				return nil, err
			}
			sets = append(sets, d)
			continue
		}
		d, err := scanFolder(diskFS(p), info, func(name string) string { return filepath.Join(p, filepath.FromSlash(name)) })
		if err != nil {
			return nil, err
		}
		sets = append(sets, d)
	}
	return Merge(sets...), nil
}

// Folder returns the data set of a file system: an [embed.FS] (use [fs.Sub] to get to a folder of it), the reader of a
// zip archive, or [os.DirFS]. Paths are names in the file system. A folder without images is an error.
func Folder(fsys fs.FS) (*Dataset, error) {
	info, err := fs.Stat(fsys, ".")
	if err != nil {
		return nil, err
	}
	return scanFolder(fsys, info, func(name string) string { return name })
}

// List returns the data set of a list of files, one a line, or NUL after each, where file names may hold line ends.
// Empty lines are left out. The files are not looked at: one that is missing is skipped when its turn comes.
func List(r io.Reader) (*Dataset, error) {
	data, err := io.ReadAll(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	end := byte('\n')
	if bytes.IndexByte(data, 0) >= 0 {
		end = 0
	}
	d := &Dataset{}
	for line := range bytes.SplitSeq(data, []byte{end}) {
		name := string(line)
		if end == '\n' {
			name = strings.TrimSuffix(name, "\r")
		}
		if name != "" {
			d.Items = append(d.Items, Item{Path: name, Label: -1, name: name})
		}
	}
	if len(d.Items) == 0 {
		return nil, errors.New("the list of images is empty")
	}
	return d, nil
}

// Merge joins data sets one after the other. Classes of the same name become one.
func Merge(sets ...*Dataset) *Dataset {
	if len(sets) == 1 {
		return sets[0]
	}
	m := &Dataset{}
	for _, s := range sets {
		m.Classes = append(m.Classes, s.Classes...)
		m.Notes = append(m.Notes, s.Notes...)
		m.Empty = append(m.Empty, s.Empty...)
		m.Loops = append(m.Loops, s.Loops...)
	}
	slices.Sort(m.Classes)
	m.Classes = slices.Compact(m.Classes)
	for _, s := range sets {
		label := make([]int, len(s.Classes))
		for i, c := range s.Classes {
			label[i], _ = slices.BinarySearch(m.Classes, c)
		}
		for _, it := range s.Items {
			if it.Label >= 0 {
				it.Label = label[it.Label]
			}
			if it.Labels != nil {
				several := make([]int, len(it.Labels))
				for i, k := range it.Labels {
					several[i] = label[k]
				}
				slices.Sort(several)
				it.Labels = several
			}
			m.Items = append(m.Items, it)
		}
	}
	return m
}

// IsImage reports whether a file of that name in a folder is taken for an image.
func IsImage(name string) bool {
	return slices.Contains(Extensions, strings.ToLower(path.Ext(name)))
}

// IsHidden reports whether an entry of a folder is none of the user's: its name starts with a dot, or a system made it.
func IsHidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
