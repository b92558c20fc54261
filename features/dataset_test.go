package features

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// listing shows a data set's images as "path label split".
func listing(d *Dataset) []string {
	var out []string
	for _, it := range d.Items {
		class := "-"
		if it.Label >= 0 {
			class = d.Classes[it.Label]
		}
		out = append(out, strings.TrimRight(filepath.ToSlash(it.Path)+" "+class+" "+it.Split, " "))
	}
	return out
}

func files(names ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, n := range names {
		if dir, ok := strings.CutSuffix(n, "/"); ok {
			m[dir] = &fstest.MapFile{Mode: fs.ModeDir}
			continue
		}
		m[n] = &fstest.MapFile{Data: []byte("x")}
	}
	return m
}

func TestFolder(t *testing.T) {
	for _, c := range []struct {
		name    string
		in      fstest.MapFS
		classes []string
		want    []string
		notes   []string // parts of notes, in order
	}{
		{"flat", files("b.jpg", "a.PNG", "B.webp", "notes.txt"), nil, []string{"B.webp -", "a.PNG -", "b.jpg -"},
			[]string{"ignored 1 file without the extension of an image, such as notes.txt"}},
		{"case 25: byte order", files("10/x.jpg", "2/x.jpg", "1/x.jpg", "a/x.jpg", "B/x.jpg"), []string{"1", "10", "2", "B", "a"},
			[]string{"1/x.jpg 1", "10/x.jpg 10", "2/x.jpg 2", "B/x.jpg B", "a/x.jpg a"}, nil},
		{"case 23: junk", files(".ipynb_checkpoints/x.jpg", ".DS_Store", "Thumbs.db", "c/", "__MACOSX/a/._1.jpg", "a/zero.jpg", "a/UP.JPG", "a/text.png",
			"a/dir.jpg/", "a/with, \"quotes\"\n.jpg", "b/.hidden.jpg", "b/1.tiff"), []string{"a", "b"},
			[]string{"a/UP.JPG a", "a/text.png a", "a/with, \"quotes\"\n.jpg a", "a/zero.jpg a", "b/1.tiff b"},
			[]string{"folder c has no images", "ignored 1 file without"}},
		{"folders in a class", files("cat/x/y/1.jpg", "cat/2.jpg", "cat/x.jpg"), []string{"cat"},
			[]string{"cat/2.jpg cat", "cat/x/y/1.jpg cat", "cat/x.jpg cat"}, nil},
		{"images beside classes", files("z.jpg", "a/1.jpg"), []string{"a"}, []string{"z.jpg -", "a/1.jpg a"},
			[]string{"1 image beside the class folders"}},
		{"split", files("train/b/1.jpg", "train/a/1.jpg", "val/b/2.jpg", "val/c/2.jpg", "test/9.jpg", "readme.md"), []string{"a", "b", "c"},
			[]string{"test/9.jpg - test", "train/a/1.jpg a train", "train/b/1.jpg b train", "val/b/2.jpg b val", "val/c/2.jpg c val"},
			[]string{`class "c" has no images in train`, `class "a" has no images in val`}},
		{"split named validation", files("train/a/1.jpg", "validation/a/2.jpg"), []string{"a"},
			[]string{"train/a/1.jpg a train", "validation/a/2.jpg a val"}, nil},
		{"no split: another folder beside", files("train/1.jpg", "val/1.jpg", "dog/1.jpg"), []string{"dog", "train", "val"},
			[]string{"dog/1.jpg dog", "train/1.jpg train", "val/1.jpg val"}, nil},
		{"no split: no val", files("train/1.jpg", "test/1.jpg"), []string{"test", "train"}, []string{"test/1.jpg test", "train/1.jpg train"}, nil},
		{"no split: val twice", files("train/1.jpg", "val/1.jpg", "validation/1.jpg"), []string{"train", "val", "validation"},
			[]string{"train/1.jpg train", "val/1.jpg val", "validation/1.jpg validation"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Folder(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.classes, d.Classes); diff != "" {
				t.Errorf("classes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, listing(d)); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			if len(d.Notes) != len(c.notes) {
				t.Fatalf("notes %q, want %q", d.Notes, c.notes)
			}
			for i, n := range c.notes {
				if !strings.Contains(d.Notes[i], n) {
					t.Errorf("note %q, want %q", d.Notes[i], n)
				}
			}
		})
	}
}

func TestSplitAndCounts(t *testing.T) {
	d, err := Folder(files("train/a/1.jpg", "train/b/1.jpg", "train/b/2.jpg", "val/b/3.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Counts(); !cmp.Equal(got, []int{1, 3}) {
		t.Errorf("counts %v", got)
	}
	val := d.Split("val")
	if got := listing(val); !cmp.Equal(got, []string{"val/b/3.jpg b val"}) {
		t.Errorf("val is %v", got)
	}
	if got := val.Counts(); !cmp.Equal(got, []int{0, 1}) {
		t.Errorf("counts of val %v", got)
	}
}

func TestEmptyFolders(t *testing.T) {
	for _, c := range []struct {
		in   fstest.MapFS
		want string
	}{
		{fstest.MapFS{}, "no images here"},
		{files("a/", "readme.md"), "folder a has no images"},
		{files("train/", "val/"), "no images here"},
		{files(".hidden.jpg"), "no images here"},
	} {
		_, err := Folder(c.in)
		var empty *EmptyError
		if !errors.As(err, &empty) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got error %v, want one with %q", c.in, err, c.want)
		}
	}
}

func TestFolderErrors(t *testing.T) {
	deep := strings.Repeat("d/", maxDepth+1) + "x.jpg"
	if _, err := Folder(files(deep)); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("got error %v, want one about depth", err)
	}
	if _, err := Folder(fstest.MapFS{".": &fstest.MapFile{}}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// closed is a file system with folders that may not be read, and links whose targets may not be looked at.
type closed struct {
	fstest.MapFS
	names []string
}

func (c closed) ReadDir(name string) ([]fs.DirEntry, error) {
	if slices.Contains(c.names, name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.ReadDir(name)
}

func (c closed) Stat(name string) (fs.FileInfo, error) {
	if slices.Contains(c.names, name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.Stat(name)
}

// A folder that cannot be read is an item, which says why when its turn comes; the rest is read.
func TestUnlisted(t *testing.T) {
	links := files("a/1.jpg")
	for _, name := range []string{"b", "a/2.jpg"} {
		links[name] = &fstest.MapFile{Data: []byte("elsewhere"), Mode: fs.ModeSymlink}
	}
	for _, c := range []struct {
		name     string
		in       fstest.MapFS
		closed   []string
		want     []string
		unlisted []string
		counts   []int
	}{
		{"a class", files("a/1.jpg", "b/1.jpg", "c/1.jpg"), []string{"b"}, []string{"a/1.jpg a", "b b", "c/1.jpg c"}, []string{"b"}, []int{1, 0, 1}},
		{"a folder in a class", files("a/1.jpg", "a/x/2.jpg", "a/y/3.jpg"), []string{"a/x"}, []string{"a/1.jpg a", "a/x a", "a/y/3.jpg a"}, []string{"a/x"}, []int{2}},
		{"all classes", files("a/1.jpg", "b/1.jpg"), []string{"a", "b"}, []string{"a a", "b b"}, []string{"a", "b"}, []int{0, 0}},
		{"a part", files("train/a/1.jpg", "val/a/1.jpg"), []string{"val"}, []string{"train/a/1.jpg a train", "val - val"}, []string{"val"}, []int{1}},
		{"a class of a part", files("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"), []string{"val/b"},
			[]string{"train/a/1.jpg a train", "train/b/1.jpg b train", "val/a/1.jpg a val", "val/b b val"}, []string{"val/b"}, []int{2, 1}},
		{"links", links, []string{"b", "a/2.jpg"}, []string{"a/1.jpg a", "a/2.jpg a", "b b"}, []string{"b"}, []int{2, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Folder(closed{c.in, c.closed})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, listing(d)); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.counts, d.Counts()); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			var unlisted []string
			for _, it := range d.Items {
				if !it.Unlisted() {
					continue
				}
				unlisted = append(unlisted, it.Name())
				if _, err := it.Open(); !errors.Is(err, fs.ErrPermission) || err.Error() != "the folder cannot be read: permission denied" {
					t.Errorf("%s: error %v", it.Name(), err)
				}
			}
			if diff := cmp.Diff(c.unlisted, unlisted); diff != "" {
				t.Errorf("unlisted (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Folder(closed{files("a/1.jpg"), []string{"."}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the folder itself: error %v", err)
	}
}

// write makes files in a folder of the system.
func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		p := filepath.Join(dir, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func link(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Symlink(to, from); err != nil {
		reftest.Missing(t, "a file system with links: "+err.Error())
	}
}

// TestLinks is case 23's loop, and others.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "photos/a/1.jpg", "photos/b/2.jpg", "elsewhere/3.jpg")
	in := func(p string) string { return filepath.Join(dir, "photos", p) }
	link(t, "link.jpg", in("a/link.jpg"))      // to itself
	link(t, "nowhere.jpg", in("a/broken.jpg")) // to nothing
	link(t, "1.jpg", in("a/again.jpg"))        // to a file
	link(t, "..", in("a/up"))                  // to a folder above
	link(t, "../../elsewhere", in("b/there"))  // to a folder elsewhere
	link(t, "../../elsewhere", in("b/zzz"))    // and once more
	link(t, "../elsewhere", in("c"))           // as a class
	d, err := Open(in("."))
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Items {
		d.Items[i].Path, err = filepath.Rel(in("."), d.Items[i].Path)
		if err != nil {
			t.Fatal(err)
		}
	}
	// a/up leads to photos, where the walk already is.
	want := []string{"a/1.jpg a", "a/again.jpg a", "a/broken.jpg a", "a/link.jpg a", "b/2.jpg b", "b/there/3.jpg b", "c/3.jpg c"}
	if diff := cmp.Diff(want, listing(d)); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if len(d.Notes) != 2 || !strings.Contains(d.Notes[0], "up leads back") || !strings.Contains(d.Notes[1], "zzz leads back") {
		t.Errorf("notes %q", d.Notes)
	}
	for _, it := range d.Items {
		f, err := it.Open()
		broken := strings.HasSuffix(it.Path, "link.jpg") || strings.HasSuffix(it.Path, "broken.jpg")
		if (err != nil) != broken {
			t.Errorf("%s: error %v", it.Path, err)
		}
		if err == nil {
			f.Close()
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "one/b/1.jpg", "one/c/1.jpg", "two/a/2.jpg", "two/c/2.jpg", "single.dat", "flat/9.png")
	at := func(p string) string { return filepath.Join(dir, p) }
	d, err := Open(at("one"), at("single.dat"), at("two"), at("flat"), at("single.dat"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range []string{"one/b/1.jpg b", "one/c/1.jpg c", "single.dat -", "two/a/2.jpg a", "two/c/2.jpg c", "flat/9.png -", "single.dat -"} {
		want = append(want, filepath.ToSlash(at(s)))
	}
	if diff := cmp.Diff(want, listing(d)); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if !cmp.Equal(d.Classes, []string{"a", "b", "c"}) {
		t.Errorf("classes %v", d.Classes)
	}
	if _, err := Open(at("one"), at("nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want one about a missing folder", err)
	}
	if err := os.Mkdir(at("empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(at("empty")); err == nil || !strings.Contains(err.Error(), at("empty")) {
		t.Errorf("got error %v, want one that names the empty folder", err)
	}
}

// Names that are not UTF-8 are read as any; a name from a table does not lead out of the folder.
func TestDiskFS(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/caf\xe9.jpg", "d\xe9/x.jpg")
	d, err := Open(dir)
	if err != nil || len(d.Items) != 2 {
		t.Fatal(d, err)
	}
	for _, it := range d.Items {
		f, err := it.Open()
		if err != nil {
			t.Errorf("%q: %v", it.Path, err)
			continue
		}
		f.Close()
	}
	for _, name := range []string{"../x.jpg", "/etc/hostname", "a/../../x", ""} {
		if _, err := diskFS(dir).Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("open %q: %v", name, err)
		}
		if _, err := diskFS(dir).ReadDir(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("read %q: %v", name, err)
		}
		if _, err := diskFS(dir).Stat(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("stat %q: %v", name, err)
		}
	}
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"a.jpg\n\nb c.jpg\r\na.jpg", []string{"a.jpg -", "b c.jpg -", "a.jpg -"}},
		{"a\nb.jpg\x00c.jpg\x00", []string{"a\nb.jpg -", "c.jpg -"}},
	} {
		d, err := List(strings.NewReader(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, listing(d)); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
	}
	if _, err := List(strings.NewReader("\n\n")); err == nil {
		t.Error("an empty list is no error")
	}
}

func TestZip(t *testing.T) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range []string{"photos/b/1.jpg", "photos/a/1.jpg", "__MACOSX/photos/a/._1.jpg"} {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	photos, err := fs.Sub(r, "photos")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Folder(photos)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a/1.jpg a", "b/1.jpg b"}, listing(d)); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}
