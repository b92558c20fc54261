package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/filemap"
)

// folder is where a model's external data lies. Files are opened under it only (os.Root), once each.
type folder struct {
	path  string // "" for none: external data is refused
	model string // file name for messages
	root  *os.Root
	files map[string][]byte
	src   *source // unmaps
}

// placement is where the data of a tensor lies.
type placement struct {
	location string
	offset   int64
	length   int64 // -1: not given
}

func isExternal(err error) bool {
	var e *ExternalDataError
	return errors.As(err, &e)
}

// entries returns p as external_data.
func (p placement) entries() []Entry {
	return []Entry{
		{Key: "location", Value: p.location},
		{Key: "offset", Value: strconv.FormatInt(p.offset, 10)},
		{Key: "length", Value: strconv.FormatInt(p.length, 10)},
	}
}

// parsePlacement reads external_data; keys other than location, offset and length (checksum, basepath) say nothing
// that reading needs.
func parsePlacement(entries []Entry) (placement, error) {
	p := placement{length: -1}
	for _, e := range entries {
		var to *int64
		switch e.Key {
		case "location":
			p.location = e.Value
			continue
		case "offset":
			to = &p.offset
		case "length":
			to = &p.length
		default:
			continue
		}
		v, err := strconv.ParseUint(e.Value, 10, 63)
		if err != nil {
			return p, fmt.Errorf("%s %q is not a number of bytes", e.Key, e.Value)
		}
		*to = int64(v)
	}
	return p, nil
}

// read returns the data of a tensor with n elements.
func (d *folder) read(w *tensorProto, n int) ([]byte, error) {
	p, err := parsePlacement(w.external)
	refuse := func(err error, format string, args ...any) ([]byte, error) {
		return nil, &ExternalDataError{File: d.model, Tensor: w.name, Location: p.location, What: fmt.Sprintf(format, args...), Err: err}
	}
	if err != nil {
		return refuse(nil, "%v", err)
	}
	if why := refuseLocation(p.location); why != "" {
		return refuse(nil, "%s", why)
	}
	if w.typ == String {
		return refuse(nil, "strings cannot lie in another file")
	}
	if d.path == "" {
		return refuse(nil, "the model was read from memory: say in which folder its data lies (ReadOptions.Dir), or open it as a file")
	}
	data, err := d.open(p.location)
	if err != nil {
		at := filepath.Join(d.path, filepath.FromSlash(p.location))
		var pe *fs.PathError
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return refuse(fs.ErrNotExist, "%s belongs to the model and is missing: put it there", at)
		case errors.As(err, &pe) && strings.Contains(pe.Err.Error(), "escapes"): // of [os.Root], which exports no such error
			return refuse(nil, "not read from %s: a link leads out of the model's folder; put the file itself there", at)
		case errors.As(err, &pe):
			err = pe.Err
		}
		return refuse(err, "not read from %s", at)
	}
	size := int64(len(data))
	want := int64(w.typ.Bytes(n))
	switch {
	case p.length < 0 && !w.typ.Known():
		return refuse(nil, "of %v, and no length is given", w.typ)
	case p.length < 0:
		p.length = want
	case w.typ.Known() && p.length != want:
		return refuse(nil, "length is %d, but %v%v takes %d bytes", p.length, w.typ, w.dims, want)
	}
	if p.offset > size || p.length > size-p.offset {
		return refuse(nil, "%d bytes from byte %d on are wanted, and the file has %d", p.length, p.offset, size)
	}
	return data[p.offset : p.offset+p.length : p.offset+p.length], nil
}

// refuseLocation says why a location is not looked for, "" if it may be.
func refuseLocation(location string) string {
	switch parts := strings.Split(location, "/"); {
	case location == "":
		return "no location is given"
	case strings.ContainsRune(location, 0):
		return "the location has a NUL byte"
	case strings.ContainsRune(location, '\\'):
		return "the location has a backslash; folders are separated by /"
	case path.IsAbs(location) || filepath.IsAbs(location):
		return "the location is absolute; only files beside the model are read"
	case slices.Contains(parts, ".."):
		return `the location has ".."; only files beside the model are read`
	case !filepath.IsLocal(filepath.FromSlash(location)):
		return "the location is not that of a file beside the model"
	}
	return ""
}

// open maps a file of the folder.
func (d *folder) open(location string) ([]byte, error) {
	name := path.Clean(location)
	if data, ok := d.files[name]; ok {
		return data, nil
	}
	if d.root == nil {
		root, err := os.OpenRoot(d.path)
		if err != nil {
			return nil, err
		}
		d.root = root
	}
	name = filepath.FromSlash(name)
	// Looked at before it is opened, for opening alone has effects on devices, and again after, for it may have been
	// exchanged in between. Nonblock keeps the open from waiting for a writer then.
	info, err := d.root.Stat(name)
	if err == nil {
		err = usable(info)
	}
	if err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|filemap.Nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil {
		err = usable(info)
	}
	if err != nil {
		return nil, err
	}
	data, unmap, err := filemap.Map(f, info.Size())
	if err != nil {
		return nil, err
	}
	d.src.onClose(unmap)
	d.src.external = append(d.src.external, data)
	d.files[path.Clean(location)] = data
	return data, nil
}

// usable reports a file that is not a plain one. A second hard link may be anybody's file under a name beside the model.
func usable(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a regular file (%v)", info.Mode().Type())
	}
	if n := links(info); n > 1 {
		return fmt.Errorf("the file has %d hard links; make a copy of it", n)
	}
	return nil
}

func (d *folder) close() {
	if d.root != nil {
		_ = d.root.Close() // a folder that was only read
	}
}
