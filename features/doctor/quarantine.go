package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// ManifestName is the name of the file in a quarantine folder that says where everything in it came from.
const ManifestName = "manifest.json"

// DefaultMove are the kinds of findings whose files Quarantine moves if it is not told otherwise: what cannot be read,
// and copies that are certain.
var DefaultMove = []Kind{Unreadable, Truncated, Duplicate, Leak}

// Manifest says what was moved to a quarantine folder.
type Manifest struct {
	Dir   string    `json:"dir"` // absolute path of the folder that was examined
	Time  time.Time `json:"time"`
	Moved []Moved   `json:"moved"`
}

// Moved is one file of a manifest.
type Moved struct {
	Path string `json:"path"` // below Dir, and below the quarantine folder, with slashes
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	// Bytes is the path once more where it is not UTF-8, which JSON cannot hold.
	Bytes []byte `json:"path_bytes,omitempty"`
}

// moved returns the entry for a path.
func moved(p string, f Finding) Moved {
	m := Moved{Path: p, Kind: f.Kind, What: f.What}
	if !utf8.ValidString(p) {
		m.Bytes = []byte(p)
	}
	return m
}

// local returns the path in the system's form.
func (m Moved) local() string {
	if len(m.Bytes) > 0 {
		return filepath.FromSlash(string(m.Bytes))
	}
	return filepath.FromSlash(m.Path)
}

// Movable returns the kinds whose files can be moved, sorted.
func Movable() []Kind {
	list := []Kind{Unreadable, Truncated, Huge, Tiny, WrongExtension, NoExtension, Rotated, CMYK, Deep, Alpha, Palette,
		Animated, Hidden, NotImage, Duplicate, NearDuplicate, Leak}
	slices.Sort(list)
	return list
}

// Quarantine moves the files that findings of the given kinds are about to a folder, which is made and must not exist
// yet: each to the same path below it. Of copies one stays where it is. The manifest is written first, so that [Undo]
// puts things right wherever this was stopped. It returns what was moved; without anything to move there is no folder.
func (r *Report) Quarantine(ctx context.Context, folder string, kinds []Kind) ([]Moved, error) {
	dir, err := filepath.Abs(r.Dir)
	if err != nil {
		return nil, err
	}
	m := Manifest{Dir: dir, Time: time.Now().UTC().Truncate(time.Second), Moved: []Moved{}}
	planned := map[string]bool{}
	for _, f := range r.Findings {
		if !slices.Contains(kinds, f.Kind) {
			continue
		}
		for _, p := range f.move {
			if !planned[p] {
				planned[p] = true
				m.Moved = append(m.Moved, moved(p, f))
			}
		}
	}
	if len(m.Moved) == 0 {
		return nil, nil
	}
	if inside(dir, folder) {
		return nil, fmt.Errorf("%s lies in %s: a quarantine folder inside the data would be taken for a class", folder, r.Dir)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o777); err != nil {
		return nil, err
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return nil, err
	}
	err = atomicfile.Write(filepath.Join(folder, ManifestName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(m)
	})
	if err != nil {
		_ = os.Remove(folder) // nothing is in it, and the next time its name must be free
		return nil, err
	}
	done := []Moved{}
	for _, mv := range m.Moved {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		local := mv.local()
		err := move(filepath.Join(dir, local), filepath.Join(folder, local))
		if errors.Is(err, fs.ErrNotExist) {
			continue // moved by another path already, or removed meanwhile
		}
		if err != nil && len(done) == 0 {
			// Nothing to undo: no folder that looks as if there were.
			_ = os.Remove(filepath.Join(folder, ManifestName))
			removeEmpty(folder)
			return nil, err
		}
		if err != nil {
			return done, fmt.Errorf("%w (what was moved before lies in %s; it can be undone)", err, folder)
		}
		done = append(done, mv)
	}
	return done, nil
}

// inside reports whether a path lies in a folder, or is it.
func inside(dir, p string) bool {
	abs, err := filepath.Abs(p)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(dir, abs)
	return err == nil && filepath.IsLocal(rel)
}

// Undo moves everything that a quarantine folder's manifest names back to where it came from, and then removes the
// manifest and the folders that are empty by then. A file whose place is taken stays, and is part of the error. It
// returns how many were moved.
func Undo(folder string) (int, error) {
	data, err := os.ReadFile(filepath.Join(folder, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s is not a quarantine folder: it has no %s", folder, ManifestName)
	}
	if err != nil {
		return 0, err
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(folder, ManifestName), err)
	}
	var errs []error
	n := 0
	for _, mv := range m.Moved {
		local := mv.local()
		if !filepath.IsLocal(local) {
			errs = append(errs, fmt.Errorf("%s: path %q leads out of the folder", ManifestName, mv.Path))
			continue
		}
		from, to := filepath.Join(folder, local), filepath.Join(m.Dir, local)
		if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			continue // it was not moved before an interruption, or is back already
		}
		if err := move(from, to); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	if len(errs) > 0 {
		return n, errors.Join(errs...)
	}
	if err := os.Remove(filepath.Join(folder, ManifestName)); err != nil {
		return n, err
	}
	removeEmpty(folder)
	return n, nil
}

// removeEmpty removes the empty folders in a folder, and it too if it is empty then.
func removeEmpty(dir string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, d := range list {
		if d.IsDir() {
			removeEmpty(filepath.Join(dir, d.Name()))
		}
	}
	_ = os.Remove(dir) // fails where something is left, which then stays
}

// move gives a file or a folder another place, and makes the folders for it. It does not replace a file; a folder joins one
// that is there, for it may be the rest of one that was moved in part.
func move(from, to string) error {
	if there, err := os.Lstat(to); err == nil {
		here, err := os.Lstat(from)
		if err != nil {
			return err
		}
		if here.IsDir() && there.IsDir() {
			return join(from, to)
		}
		return &fs.PathError{Op: "move", Path: to, Err: fs.ErrExist}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	return carry(from, to)
}

// join moves all that is in a folder to another, and removes it.
func join(from, to string) error {
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range list {
		errs = append(errs, move(filepath.Join(from, d.Name()), filepath.Join(to, d.Name())))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.Remove(from)
}

// carry moves what cannot be renamed, because it goes to another file system: it is copied, and the original goes when the
// copy is on the disk.
func carry(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, to); err != nil {
			return err
		}
	case mode.IsDir():
		list, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		if err := os.Mkdir(to, mode.Perm()|0o700); err != nil {
			return err
		}
		for _, d := range list {
			if err := carry(filepath.Join(from, d.Name()), filepath.Join(to, d.Name())); err != nil {
				return err
			}
		}
	case mode.IsRegular():
		if err := copyFile(from, to, info); err != nil {
			return err
		}
	default:
		return &fs.PathError{Op: "move", Path: from, Err: errors.New("is neither a file nor a folder")}
	}
	return os.Remove(from)
}

// copyFile copies a file with its permissions and its time.
func copyFile(from, to string, info fs.FileInfo) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := atomicfile.Write(to, func(w io.Writer) error { _, err := io.Copy(w, src); return err }); err != nil {
		return err
	}
	if err := os.Chmod(to, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, time.Time{}, info.ModTime())
}
