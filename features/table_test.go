package features

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

func TestReadTable(t *testing.T) {
	for _, c := range []struct{ name, csv, classes, items string }{
		{"columns", "path,dog,cat\na.png,1,0\nb.png,0,1\nc/d.png,1,1\ne.png,,0\n", "cat dog", "a.png [1]; b.png [0]; c/d.png [0 1]; e.png []"},
		{"list", "file,labels\na.png,dog\nb.png,cat|dog|cat\nc.png,\n", "cat dog", "a.png [1]; b.png [0 1]; c.png []"},
		{"list, notes, mark, line ends", "\xef\xbb\xbfimage,by whom,Tags\r\na.png,me,x; y\r\nb.png,,y\r\n", "x y", "a.png [0 1]; b.png [1]"},
		{"semicolons", "path;a;b\nx.png;yes;no\n", "a b", "x.png [0]"},
		{"tabs", "path\tsplit\ta\nx.png\tvalidation\ttrue\ny.png\ttrain\tfalse\n", "a", "x.png [0] val; y.png [] train"},
		{"quoted", "path,labels\n\"a,b.png\",\"fish & chips|\"\"x\"\"\"\n", "\"x\" fish & chips", "a,b.png [0 1]"},
		{"numbers in byte order", "path,10,2,1\n./a.png,1.0,0.0,1\n", "1 10 2", "a.png [0 1]"},
	} {
		d, err := ReadTable(strings.NewReader(c.csv), fstest.MapFS{}, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var items []string
		for _, it := range d.Items {
			items = append(items, strings.TrimSpace(fmt.Sprint(it.Name(), " ", it.Labels, " ", it.Split)))
		}
		if got := strings.Join(d.Classes, " "); got != c.classes {
			t.Errorf("%s: classes %s, want %s", c.name, got, c.classes)
		}
		if got := strings.Join(items, "; "); got != c.items {
			t.Errorf("%s: %s, want %s", c.name, got, c.items)
		}
		if !d.MultiLabel() {
			t.Errorf("%s: not of several labels", c.name)
		}
	}
}

func TestReadTableRefuses(t *testing.T) {
	for _, c := range []struct{ name, csv, message string }{
		{"empty", "", "the table is empty"},
		{"no lines", "path,a\n", "no lines of images"},
		{"no classes", "path\na.png\n", "names no classes"},
		{"nobody has a class", "path,labels\na.png,\n", "no image has a class"},
		{"column without name", "path,,b\na.png,1,1\n", "column 2 has no name"},
		{"same name", "path,b,b\na.png,1,1\n", `two columns are named "b"`},
		{"value", "path,b\na.png,1\nc.png,2\n", `line 3: class "b": "2" is neither 1 nor 0`},
		{"outside", "path,b\n../a.png,1\n", `line 2: "../a.png" is no path below`},
		{"absolute", "path,b\n/a.png,1\n", "is no path below"},
		{"no path", "path,b\n,1\n", "is no path below"},
		{"twice", "path,b\na.png,1\n./a.png,0\n", "line 3: a.png was in line 2 already"},
		{"split", "path,split,b\na.png,dev,1\n", `split "dev" is none of`},
		{"short line", "path,a,b\nx.png,1\n", "wrong number of fields"},
		{"quote", "path,a\n\"x.png,1\n", "quote"},
	} {
		if _, err := ReadTable(strings.NewReader(c.csv), fstest.MapFS{}, nil); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
}

func TestOneLabel(t *testing.T) {
	read := func(s string) *Dataset {
		d, err := ReadTable(strings.NewReader(s), fstest.MapFS{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := read("path,label\na.png,x\nb.png,y\n")
	if err := d.OneLabel(); err != nil || d.MultiLabel() || d.Items[0].Label != 0 || d.Items[1].Label != 1 {
		t.Errorf("%v, %+v", err, d.Items)
	}
	d = read("path,label\na.png,x\nb.png,y|x\n")
	if err := d.OneLabel(); err == nil || err.Error() != "b.png has 2 classes, not one" || d.Items[0].Label != -1 {
		t.Errorf("%v, %+v", err, d.Items)
	}
	if got := d.Counts(); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("counts %v", got)
	}
	all := Merge(d, read("path,a,y\nc.png,1,1\n"))
	if got := fmt.Sprint(all.Classes, all.Items[1].Labels, all.Items[2].Labels); got != "[a x y] [1 2] [0 2]" {
		t.Errorf("merged: %s", got)
	}
}

func FuzzReadTable(f *testing.F) {
	for _, s := range []string{"path,a,b\nx.png,1,0\n", "path;labels\nx;a|b\n", "\xef\xbb\xbfp\tsplit\ta\nx\tval\t1\n", "\"", "a,\n,\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		reftest.Fuzzed(len(s))
		d, err := ReadTable(strings.NewReader(s), fstest.MapFS{}, nil)
		if err != nil {
			return
		}
		if !slices.IsSorted(d.Classes) || len(d.Items) == 0 {
			t.Errorf("classes %q of %d images", d.Classes, len(d.Items))
		}
		for _, it := range d.Items {
			for _, k := range it.Labels {
				if k < 0 || k >= len(d.Classes) {
					t.Errorf("label %d of %d classes", k, len(d.Classes))
				}
			}
		}
	})
}
