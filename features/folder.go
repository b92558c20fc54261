package features

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// maxDepth bounds how deep folders may lie in each other, for file systems whose loops cannot be told.
const maxDepth = 100

// splits are the folder names that make a folder a split, and the names of the parts.
var splits = map[string]string{"train": "train", "val": "val", "validation": "val", "test": "test"}

// walker collects the images of one folder.
type walker struct {
	fsys  fs.FS
	shown func(name string) string // how a name in fsys is shown
	data  *Dataset

	inside []fs.FileInfo // the folders from the root to here
	linked []fs.FileInfo // the linked folders entered for this class
	junk   []string      // files that are no images by name
}

// entry is what a name in a folder stands for, links followed.
type entry struct {
	name string // below the root
	base string
	info fs.FileInfo // nil where a link leads nowhere, or the folder does not let one look
	dir  bool
	link bool
}

func scanFolder(fsys fs.FS, root fs.FileInfo, shown func(string) string) (*Dataset, error) {
	w := &walker{fsys: fsys, shown: shown, data: &Dataset{}, inside: []fs.FileInfo{root}}
	top, err := w.list(".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown("."), err)
	}
	if parts := splitOf(top); parts != nil {
		err = w.split(parts)
	} else {
		err = w.classes(top, "")
	}
	if err != nil {
		return nil, err
	}
	if n := len(w.junk); n > 0 {
		w.note("ignored %s without the extension of an image, such as %s", plural(n, "file"), w.junk[0])
	}
	if len(w.data.Items) == 0 {
		return nil, &EmptyError{Where: shown("."), Notes: w.data.Notes}
	}
	return w.data, nil
}

func (w *walker) note(format string, args ...any) {
	w.data.Notes = append(w.data.Notes, fmt.Sprintf(format, args...))
}

// list returns the entries of a folder that are not hidden, in byte order.
func (w *walker) list(dir string) ([]entry, error) {
	all, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return nil, err
	}
	var list []entry
	for _, d := range all {
		if IsHidden(d.Name()) {
			continue
		}
		e := entry{name: path.Join(dir, d.Name()), base: d.Name(), link: d.Type()&fs.ModeSymlink != 0}
		if e.link {
			e.info, err = fs.Stat(w.fsys, e.name)
		} else {
			e.info, err = d.Info()
		}
		switch {
		case err == nil:
			e.dir = e.info.IsDir()
		case e.link:
			// What it leads to may not be looked at: as a folder, it is one that cannot be read.
			e.info, e.dir = nil, errors.Is(err, fs.ErrPermission) && !IsImage(e.base)
		default:
			e.info, e.dir = nil, d.IsDir()
		}
		list = append(list, e)
	}
	return list, nil
}

// splitOf returns the parts of a split: nil unless the folders are train, val or validation, and perhaps test.
func splitOf(top []entry) []entry {
	var parts []entry
	var have []string
	for _, e := range top {
		if !e.dir {
			continue
		}
		part, ok := splits[e.base]
		if !ok || slices.Contains(have, part) {
			return nil
		}
		parts, have = append(parts, e), append(have, part)
	}
	if !slices.Contains(have, "train") || !slices.Contains(have, "val") {
		return nil
	}
	return parts
}

func (w *walker) split(parts []entry) error {
	whole := w.data
	var sets []*Dataset
	for _, p := range parts {
		w.data = &Dataset{}
		if ok, err := w.enter(p); err != nil {
			return err
		} else if !ok {
			sets = append(sets, w.data) // what it noted
			continue
		}
		if list, err := w.list(p.name); err != nil {
			w.unlisted(p, -1, splits[p.base], err)
		} else if err := w.classes(list, splits[p.base]); err != nil {
			return err
		}
		w.leave()
		sets = append(sets, w.data)
	}
	all := Merge(sets...)
	for _, s := range sets {
		for _, c := range all.Classes {
			if len(s.Classes) > 0 && !slices.Contains(s.Classes, c) {
				all.Notes = append(all.Notes, fmt.Sprintf("class %q has no images in %s", c, s.Items[0].Split))
			}
		}
	}
	all.Notes = append(whole.Notes, all.Notes...)
	w.data = all
	return nil
}

// classes takes every folder of a list for a class and files beside them for images without label.
func (w *walker) classes(list []entry, split string) error {
	loose := 0
	for _, e := range list {
		if !e.dir {
			w.file(e, -1, split)
			loose = len(w.data.Items)
		}
	}
	for _, e := range list {
		if !e.dir {
			continue
		}
		before := len(w.data.Items)
		w.linked = w.linked[:0]
		if err := w.below(e, len(w.data.Classes), split); err != nil {
			return err
		}
		if len(w.data.Items) == before {
			w.data.Empty = append(w.data.Empty, w.shown(e.name))
			w.note("folder %s has no images: it is not a class", w.shown(e.name))
			continue
		}
		w.data.Classes = append(w.data.Classes, e.base)
	}
	if loose > 0 && len(w.data.Classes) > 0 {
		w.note("%s beside the class folders without a label", plural(loose, "image"))
	}
	return nil
}

// below adds every image in a folder and in the folders in it.
func (w *walker) below(dir entry, label int, split string) error {
	if ok, err := w.enter(dir); err != nil || !ok {
		return err
	}
	defer w.leave()
	list, err := w.list(dir.name)
	if err != nil {
		w.unlisted(dir, label, split, err)
	}
	for _, e := range list {
		if !e.dir {
			w.file(e, label, split)
		} else if err := w.below(e, label, split); err != nil {
			return err
		}
	}
	return nil
}

// enter steps into a folder. It returns false where a link leads back to where it has been.
func (w *walker) enter(dir entry) (bool, error) {
	if len(w.inside) >= maxDepth {
		return false, fmt.Errorf("%s: folders lie more than %d deep in each other", w.shown(dir.name), maxDepth)
	}
	if dir.link && dir.info != nil {
		same := func(i fs.FileInfo) bool { return os.SameFile(i, dir.info) }
		if slices.ContainsFunc(w.inside, same) || slices.ContainsFunc(w.linked, same) {
			w.data.Loops = append(w.data.Loops, w.shown(dir.name))
			w.note("link %s leads back to a folder that is already taken: not followed", w.shown(dir.name))
			return false, nil
		}
		w.linked = append(w.linked, dir.info)
	}
	w.inside = append(w.inside, dir.info)
	return true, nil
}

func (w *walker) leave() { w.inside = w.inside[:len(w.inside)-1] }

func (w *walker) file(e entry, label int, split string) {
	switch {
	case !IsImage(e.base):
		w.junk = append(w.junk, w.shown(e.name))
	case e.info != nil && !e.info.Mode().IsRegular():
		w.note("%s is neither a file nor a folder: ignored", w.shown(e.name))
	default:
		// A link that leads nowhere is kept: the user hears of it as of every image that cannot be read.
		w.data.Items = append(w.data.Items, Item{Path: w.shown(e.name), Label: label, Split: split, fsys: w.fsys, name: e.name})
	}
}

// unlisted adds a folder that cannot be read in place of its images.
func (w *walker) unlisted(dir entry, label int, split string, err error) {
	var at *fs.PathError
	if errors.As(err, &at) { // the item names the path
		err = at.Err
	}
	w.data.Items = append(w.data.Items, Item{Path: w.shown(dir.name), Label: label, Split: split, name: dir.name,
		unlisted: fmt.Errorf("the folder cannot be read: %w", err)})
}
