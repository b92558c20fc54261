package hdf5

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Object is a group or a dataset.
type Object struct {
	f    *File
	h    *header
	path string
}

// Root returns the root group.
func (f *File) Root() (*Object, error) { return f.object(f.root, "/") }

func (f *File) object(addr uint64, path string) (*Object, error) {
	h, err := f.header(addr)
	if err != nil {
		return nil, fmt.Errorf("HDF5: %q: %w", path, err)
	}
	return &Object{f, h, path}, nil
}

// Path returns the name by which the object was opened, from the root: "/model_weights/conv1".
func (o *Object) Path() string { return o.path }

func (o *Object) errorf(format string, a ...any) error {
	return fmt.Errorf("HDF5: %q: %w", o.path, fmt.Errorf(format, a...))
}

// IsDataset reports whether the object is a dataset.
func (o *Object) IsDataset() bool {
	_, ok := o.h.find(msgLayout)
	return ok
}

// IsGroup reports whether the object is a group.
func (o *Object) IsGroup() bool {
	_, symbols := o.h.find(msgSymbolTable)
	_, info := o.h.find(msgLinkInfo)
	_, links := o.h.find(msgLink)
	return symbols || info || links
}

// Names returns the names of what is in a group, in byte order; nil for a dataset.
func (o *Object) Names() ([]string, error) {
	if !o.IsGroup() {
		return nil, nil
	}
	links, err := o.f.links(o.h)
	if err != nil {
		return nil, o.errorf("%w", err)
	}
	return slices.Sorted(maps.Keys(links)), nil
}

// ErrNotFound is wrapped by errors of [Object.Open] and [Object.Attr] for what is not there.
var ErrNotFound = errors.New("there is no such object or attribute")

// Open opens what is in a group, by a path such as "conv1/kernel:0"; one that begins with "/" counts from the root. Soft links
// are followed.
func (o *Object) Open(name string) (*Object, error) { return o.open(name, 0) }

func (o *Object) open(name string, depth int) (*Object, error) {
	if depth > maxDepth {
		return nil, o.errorf("%q: more than %d soft links one behind the other: they form a cycle", name, maxDepth)
	}
	at := o
	if strings.HasPrefix(name, "/") {
		var err error
		if at, err = o.f.Root(); err != nil {
			return nil, err
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." {
			continue
		}
		next, err := at.child(part, depth)
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

func (o *Object) child(name string, depth int) (*Object, error) {
	if !o.IsGroup() {
		return nil, o.errorf("%q: %w: this is a dataset", name, ErrNotFound)
	}
	links, err := o.f.links(o.h)
	if err != nil {
		return nil, o.errorf("%w", err)
	}
	l, ok := links[name]
	full := path.Join(o.path, name)
	switch {
	case !ok:
		return nil, o.errorf("%q: %w", name, ErrNotFound)
	case l.refused != "":
		return nil, fmt.Errorf("HDF5: %q: %s: refused", full, l.refused)
	case l.soft != "":
		to, err := o.open(l.soft, depth+1)
		if err != nil {
			return nil, err
		}
		return &Object{o.f, to.h, full}, nil
	}
	return o.f.object(l.addr, full)
}

// Attrs returns the names of an object's attributes, in byte order.
func (o *Object) Attrs() ([]string, error) {
	all, err := o.f.attributes(o.h)
	if err != nil {
		return nil, o.errorf("%w", err)
	}
	var names []string
	for _, a := range all {
		names = append(names, a.name)
	}
	slices.Sort(names)
	return names, nil
}

// Attr reads an attribute.
func (o *Object) Attr(name string) (Data, error) {
	all, err := o.f.attributes(o.h)
	if err != nil {
		return Data{}, o.errorf("%w", err)
	}
	for _, a := range all {
		if a.name == name {
			d, err := o.f.value(a)
			if err != nil {
				return Data{}, o.errorf("attribute %q: %w", name, err)
			}
			return d, nil
		}
	}
	return Data{}, o.errorf("attribute %q: %w", name, ErrNotFound)
}

// Walk calls visit for each dataset in the group and in groups below it, in the byte order of their paths. An error of visit
// ends it and is returned. External links are an error, and so are links in a circle.
func (o *Object) Walk(visit func(*Object) error) error {
	left := 1 << 20
	return o.walk(visit, maxLevels, &left)
}

func (o *Object) walk(visit func(*Object) error, levels int, left *int) error {
	if *left--; *left < 0 {
		return o.errorf("more than %d objects, or links in a circle: refused", 1<<20)
	}
	if o.IsDataset() {
		return visit(o)
	}
	names, err := o.Names()
	if err != nil {
		return err
	}
	if levels == 0 && len(names) > 0 {
		return o.errorf("groups lie more than %d deep in each other, or links form a circle: refused", maxLevels)
	}
	for _, n := range names {
		in, err := o.child(n, 0)
		if err != nil {
			return err
		}
		if err := in.walk(visit, levels-1, left); err != nil {
			return err
		}
	}
	return nil
}
