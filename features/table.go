package features

import (
	"bytes"
	"encoding/csv"
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

// OpenTable returns the data set of a table of images and their classes, of which an image may have any number. The images
// lie below the folder dir; Notes say how many lie there that the table does not have. See [ReadTable].
func OpenTable(file, dir string) (*Dataset, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder: the table's paths are those below one", dir)
	}
	fsys, shown := diskFS(dir), func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	d, err := ReadTable(f, fsys, shown)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	listed := map[string]bool{}
	for _, it := range d.Items {
		listed[it.name] = true
	}
	all, err := scanFolder(fsys, info, shown)
	if err != nil {
		return d, nil // that there are no images is said when they are read
	}
	if others := slices.DeleteFunc(all.Items, func(it Item) bool { return listed[it.name] || it.Unlisted() }); len(others) > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("%s below %s not in the table, such as %s", plural(len(others), "image"), dir, others[0].Path))
	}
	return d, nil
}

// ReadTable reads a CSV file (comma, semicolon or tab, as the first line has it) with the names of columns in its first
// line. The first column has the paths of images in fsys. What follows is either a column named "labels", "label", "tags"
// or "classes" with class names, separated by | or ;, or a column for each class, named after it, with 1 or 0 (yes or no,
// true or false; nothing is 0). A column "split" may say train, val or test.
//
// Items have Labels, also those of no class; classes are in byte order. shown says how a name is shown; nil as it is.
// Whether the images exist is not looked at: one that is missing is skipped when its turn comes.
func ReadTable(r io.Reader, fsys fs.FS, shown func(name string) string) (*Dataset, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	c := csv.NewReader(bytes.NewReader(data))
	first, _, _ := bytes.Cut(data, []byte("\n"))
	for _, sep := range []rune{',', ';', '\t'} {
		if bytes.ContainsRune(first, sep) {
			c.Comma = sep
			break
		}
	}
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the table is empty")
	}
	if err != nil {
		return nil, err
	}
	t := &table{fsys: fsys, shown: shown, data: &Dataset{}, lines: map[string]int{}}
	if err := t.columns(header); err != nil {
		return nil, err
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		if err := t.add(row, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	return t.finish()
}

// table is a table that is being read.
type table struct {
	fsys  fs.FS
	shown func(string) string
	data  *Dataset
	lines map[string]int // where each path was

	list  int         // the column of class names, -1 for none
	split int         // the column of splits, -1 for none
	class map[int]int // class by column, of columns that are classes
	names [][]string  // class names of each row, where they are in a list
}

// listColumns are the names of a column that lists class names.
var listColumns = []string{"labels", "label", "tags", "classes"}

// columns says what the columns are.
func (t *table) columns(header []string) error {
	t.list, t.split, t.class = -1, -1, map[int]int{}
	var classes []int
	for i, h := range header {
		header[i] = strings.TrimSpace(h)
		switch name := strings.ToLower(header[i]); {
		case i == 0:
		case name == "split":
			t.split = i
		case slices.Contains(listColumns, name) && t.list < 0:
			t.list = i
		case header[i] == "":
			return fmt.Errorf("column %d has no name", i+1)
		default:
			classes = append(classes, i)
		}
	}
	if t.list >= 0 {
		return nil // others are somebody's notes
	}
	if len(classes) == 0 {
		return errors.New(`the first line names no classes: after the path, either a column "labels" or a column for each class`)
	}
	slices.SortFunc(classes, func(a, b int) int { return strings.Compare(header[a], header[b]) })
	for k, i := range classes {
		if k > 0 && header[i] == header[classes[k-1]] {
			return fmt.Errorf("two columns are named %q", header[i])
		}
		t.class[i] = k
		t.data.Classes = append(t.data.Classes, header[i])
	}
	return nil
}

// add takes in a line.
func (t *table) add(row []string, line int) error {
	name := path.Clean(filepath.ToSlash(strings.TrimSpace(row[0])))
	if row[0] == "" || !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%q is no path below the folder of images", row[0])
	}
	if before, ok := t.lines[name]; ok {
		return fmt.Errorf("%s was in line %d already", name, before)
	}
	t.lines[name] = line
	it := Item{Path: name, Label: -1, Labels: []int{}, fsys: t.fsys, name: name}
	if t.shown != nil {
		it.Path = t.shown(name)
	}
	var listed []string
	for i, v := range row {
		v = strings.TrimSpace(v)
		k, isClass := t.class[i]
		switch {
		case i == t.split && v != "":
			part, ok := splits[strings.ToLower(v)]
			if !ok {
				return fmt.Errorf("split %q is none of train, val, test", v)
			}
			it.Split = part
		case i == t.list:
			for _, n := range strings.FieldsFunc(v, func(r rune) bool { return r == '|' || r == ';' }) {
				if n = strings.TrimSpace(n); n != "" {
					listed = append(listed, n)
				}
			}
		case isClass:
			yes, err := truth(v)
			if err != nil {
				return fmt.Errorf("class %q: %w", t.data.Classes[k], err)
			}
			if yes {
				it.Labels = append(it.Labels, k)
			}
		}
	}
	slices.Sort(it.Labels)
	t.data.Items = append(t.data.Items, it)
	t.names = append(t.names, listed)
	return nil
}

// truth reads a cell of a class's column.
func truth(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "1", "1.0", "true", "yes":
		return true, nil
	case "", "0", "0.0", "false", "no":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither 1 nor 0", v)
}

// finish numbers the classes that were listed by name.
func (t *table) finish() (*Dataset, error) {
	d := t.data
	if len(d.Items) == 0 {
		return nil, errors.New("the table has no lines of images")
	}
	if t.list >= 0 {
		for _, listed := range t.names {
			d.Classes = append(d.Classes, listed...)
		}
		slices.Sort(d.Classes)
		d.Classes = slices.Compact(d.Classes)
		for i, listed := range t.names {
			for _, n := range listed {
				k, _ := slices.BinarySearch(d.Classes, n)
				d.Items[i].Labels = append(d.Items[i].Labels, k)
			}
			slices.Sort(d.Items[i].Labels)
			d.Items[i].Labels = slices.Compact(d.Items[i].Labels)
		}
	}
	if len(d.Classes) == 0 {
		return nil, errors.New("no image has a class")
	}
	return d, nil
}
