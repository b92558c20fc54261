package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	xdraw "golang.org/x/image/draw"

	"github.com/onnxcnn/onnxcnn/features/doctor"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// scene draws a picture of its own for each seed: ellipses in random colours.
func scene(seed uint64, w, h int) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32()), 255}), image.Point{}, draw.Src)
	for range 8 {
		cx, cy, rx, ry := r.Float64()*float64(w), r.Float64()*float64(h), (0.1+r.Float64()*0.3)*float64(w), (0.1+r.Float64()*0.3)*float64(h)
		c := color.RGBA{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32()), 255}
		for y := range h {
			for x := range w {
				dx, dy := (float64(x)-cx)/rx, (float64(y)-cy)/ry
				if dx*dx+dy*dy < 1 {
					img.SetRGBA(x, y, c)
				}
			}
		}
	}
	return img
}

func asPNG(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asJPEG(img image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func half(img image.Image) image.Image {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()/2, b.Dy()/2))
	xdraw.CatmullRom.Scale(out, out.Rect, img, b, draw.Src, nil)
	return out
}

// convert copies an image into another type.
func convert[T draw.Image](to T, img image.Image) T {
	draw.Draw(to, to.Bounds(), img, image.Point{}, draw.Src)
	return to
}

func animated() []byte {
	g := &gif.GIF{}
	for i := range 2 {
		p := image.NewPaletted(image.Rect(0, 0, 40, 40), color.Palette{color.Black, color.White})
		p.Pix[i] = 1
		g.Image, g.Delay = append(g.Image, p), append(g.Delay, 1)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// turned is a JPEG with an EXIF orientation.
func turned(data []byte, orientation byte) []byte {
	exif := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	exif[29] = orientation
	return slices.Concat(data[:2], exif, data[2:])
}

// tree writes files below a new folder.
func tree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		folder := filepath.Dir(p)
		if strings.HasSuffix(name, "/") {
			folder = p
		}
		if err := os.MkdirAll(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		if folder == p {
			continue
		}
		if err := os.WriteFile(p, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// good returns n images of a class with seeds from first on.
func good(files map[string][]byte, dir string, first, n int) {
	for i := range n {
		files[fmt.Sprintf("%s/%02d.png", dir, i)] = asPNG(scene(uint64(first+i), 40, 40))
	}
}

func examine(t *testing.T, dir string, o doctor.Options) *doctor.Report {
	t.Helper()
	r, err := doctor.Examine(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines writes the findings one a line: kind, paths, what.
func lines(r *doctor.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, fmt.Sprintf("%s %s %s: %s", f.Severity, f.Kind, strings.Join(f.Paths, " "), f.What))
	}
	return out
}

func TestExamine(t *testing.T) {
	picture := scene(1000, 64, 48)
	rgba := scene(1001, 40, 40)
	see := convert(image.NewNRGBA(rgba.Rect), rgba)
	see.SetNRGBA(0, 0, color.NRGBA{0, 0, 0, 10})
	jpg := asJPEG(rgba, 90)
	cases := []struct {
		name  string
		files map[string][]byte // beside 10 good images in each of classes a and b
		o     doctor.Options
		want  []string // parts of lines, in order
	}{
		{"nothing", nil, doctor.Options{}, nil},
		{"cut JPEG", map[string][]byte{"a/x.jpg": jpg[:len(jpg)/2]}, doctor.Options{}, []string{"error truncated a/x.jpg: jpeg: the file is cut"}},
		{"JPEG without its end", map[string][]byte{"a/x.jpg": jpg[:len(jpg)-2]}, doctor.Options{}, []string{"error truncated a/x.jpg: jpeg"}},
		{"empty file", map[string][]byte{"a/x.jpg": {}}, doctor.Options{}, []string{"error unreadable a/x.jpg: the file is empty"}},
		{"text by the name of an image", map[string][]byte{"a/x.png": []byte("hello")}, doctor.Options{}, []string{"error unreadable a/x.png: the file is text"}},
		{"huge", map[string][]byte{"a/x.png": asPNG(picture)}, doctor.Options{MaxPixels: 64*48 - 1}, []string{"error huge a/x.png: png: image of 64x48 pixels is over the limit of 3071"}},
		{"tiny", map[string][]byte{"a/x.png": asPNG(scene(700, 31, 100))}, doctor.Options{}, []string{"warning tiny a/x.png: 31x100 pixels"}},
		{"tiny is what is asked for", map[string][]byte{"a/x.png": asPNG(scene(700, 31, 100))}, doctor.Options{MinSide: 16}, nil},
		{"JPEG called PNG", map[string][]byte{"a/x.png": jpg}, doctor.Options{}, []string{"note wrong-extension a/x.png: a JPEG file by the name of .png"}},
		{"upper case is no other extension", map[string][]byte{"a/x.JPG": jpg}, doctor.Options{}, nil},
		{"image without extension", map[string][]byte{"a/x": jpg}, doctor.Options{}, []string{"warning no-extension a/x: JPEG image"}},
		{"other file", map[string][]byte{"a/x.txt": []byte("hello")}, doctor.Options{}, []string{"note not-an-image a/x.txt: not an image"}},
		{"turned", map[string][]byte{"a/x.jpg": turned(jpg, 6)}, doctor.Options{}, []string{"note rotated a/x.jpg: EXIF orientation 6"}},
		{"upright", map[string][]byte{"a/x.jpg": turned(jpg, 1)}, doctor.Options{}, nil},
		{"16 bits", map[string][]byte{"a/x.png": asPNG(convert(image.NewRGBA64(rgba.Rect), rgba))}, doctor.Options{}, []string{"note 16-bit a/x.png"}},
		{"alpha", map[string][]byte{"a/x.png": asPNG(see)}, doctor.Options{}, []string{"note alpha a/x.png: has transparent pixels"}},
		{"palette and frames", map[string][]byte{"a/x.gif": animated()}, doctor.Options{}, []string{"note animated a/x.gif: a GIF with several frames", "note palette a/x.gif"}},
		{"hidden", map[string][]byte{".DS_Store": nil, "a/.x.jpg": jpg, ".ipynb_checkpoints/x.jpg": jpg}, doctor.Options{},
			[]string{"note hidden .DS_Store: hidden file", "note hidden .ipynb_checkpoints: hidden folder", "note hidden a/.x.jpg: hidden file"}},
		{"copy", map[string][]byte{"a/x.jpg": jpg, "a/sub/y.jpg": jpg, "a/z.jpeg": jpg}, doctor.Options{},
			[]string{"warning duplicate a/sub/y.jpg a/x.jpg a/z.jpeg: 3 images that are the same"}},
		{"copy in two classes", map[string][]byte{"a/x.jpg": jpg, "b/x.jpg": jpg}, doctor.Options{},
			[]string{"error conflict a/x.jpg b/x.jpg: 2 images that are the same lie in classes a, b"}},
		{"near copies", map[string][]byte{"a/x.png": asPNG(picture), "a/y.jpg": asJPEG(half(picture), 60)}, doctor.Options{MinSide: 8},
			[]string{"warning near-duplicate a/x.png a/y.jpg: 2 images that look the same"}},
		{"near copies are not looked for", map[string][]byte{"a/x.png": asPNG(picture), "a/y.jpg": asJPEG(half(picture), 60)}, doctor.Options{MinSide: 8, Near: -1}, nil},
		{"near copies in two classes, one of them twice", map[string][]byte{"a/x.png": asPNG(picture), "a/y.png": asPNG(picture), "b/y.jpg": asJPEG(picture, 50)}, doctor.Options{},
			[]string{"error conflict a/x.png b/y.jpg: 2 images that look the same lie in classes a, b", "warning duplicate a/x.png a/y.png"}},
		{"images of one colour are no near copies", map[string][]byte{
			"a/x.png": asPNG(convert(image.NewGray(rgba.Rect), image.NewUniform(color.Gray{200}))),
			"a/y.png": asPNG(convert(image.NewGray(rgba.Rect), image.NewUniform(color.Gray{203})))}, doctor.Options{}, nil},
		{"empty class", map[string][]byte{"c/": nil, "d/x.txt": []byte("?")}, doctor.Options{},
			[]string{"warning empty-class c: a folder without images", "warning empty-class d", "note not-an-image d/x.txt"}},
		{"small class", map[string][]byte{"c/x.jpg": jpg}, doctor.Options{},
			[]string{`warning few-images : class "c" has 1 image`, `warning imbalance : class "a" has 10 images, class "c" has 1`}},
		{"class of nothing that can be read", map[string][]byte{"c/x.jpg": {}}, doctor.Options{},
			[]string{`error missing-class : class "c" has no readable image`, "error unreadable c/x.jpg"}},
		{"image beside the classes", map[string][]byte{"x.jpg": jpg}, doctor.Options{}, []string{"warning no-label : 1 of 21 images have no class"}},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string][]byte{}
			good(files, "a", 0, 10)
			good(files, "b", 100, 10)
			for name, data := range tt.files {
				files[name] = data
			}
			r := examine(t, tree(t, files), tt.o)
			got := lines(r)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			errs := 0
			for i, w := range tt.want {
				if !strings.HasPrefix(got[i], w) {
					t.Errorf("finding %d is %q, want %q", i, got[i], w)
				}
				if r.Findings[i].Remedy == "" {
					t.Errorf("finding %d has no remedy", i)
				}
				if strings.HasPrefix(w, "error ") {
					errs++
				}
			}
			if r.Errors() != errs {
				t.Errorf("%d errors, want %d", r.Errors(), errs)
			}
		})
	}
}

func TestExamineSplit(t *testing.T) {
	files := map[string][]byte{}
	good(files, "train/a", 0, 10)
	good(files, "train/b", 100, 10)
	good(files, "val/a", 200, 2)
	good(files, "val/c", 300, 2)
	same, like := asPNG(scene(400, 40, 40)), scene(401, 60, 60)
	files["train/a/s.png"], files["val/a/s.png"] = same, same
	files["train/a/l.png"], files["val/a/l.jpg"] = asPNG(like), asJPEG(like, 70)
	r := examine(t, tree(t, files), doctor.Options{})
	want := []string{
		"error leak val/a/s.png train/a/s.png: 2 images that are the same lie in train and val",
		"error leak val/a/l.jpg train/a/l.png: 2 images that look the same lie in train and val",
		`error missing-class : class "c" has no readable image in train`,
		`error missing-class : class "b" has no readable image in val`,
	}
	if got := lines(r); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	counts := []doctor.Class{
		{Name: "a", Counts: map[string]int{"train": 12, "val": 4}}, {Name: "b", Counts: map[string]int{"train": 10}}, {Name: "c", Counts: map[string]int{"val": 2}}}
	if fmt.Sprint(r.Classes) != fmt.Sprint(counts) {
		t.Errorf("classes %v, want %v", r.Classes, counts)
	}
}

func TestExamineFolders(t *testing.T) {
	files := map[string][]byte{}
	good(files, "a", 0, 10)
	dir := tree(t, files)
	if got := lines(examine(t, dir, doctor.Options{})); !slices.Equal(got, []string{`error one-class : only one class: "a"`}) {
		t.Error(got)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "a", "loop")); err == nil {
		if got := lines(examine(t, dir, doctor.Options{})); len(got) != 2 || !strings.HasPrefix(got[1], "note loop a/loop: ") {
			t.Error(got)
		}
	}
	flat := map[string][]byte{}
	for name, data := range files {
		flat[filepath.Base(name)] = data
	}
	if got := lines(examine(t, tree(t, flat), doctor.Options{})); !slices.Equal(got, []string{"warning no-label : none of the 10 images lies in the folder of a class"}) {
		t.Error(got)
	}
	if got := lines(examine(t, tree(t, nil), doctor.Options{})); !slices.Equal(got, []string{"error no-images : there are no images here"}) {
		t.Error(got)
	}
	if _, err := doctor.Examine(context.Background(), filepath.Join(dir, "a", "00.png"), doctor.Options{}); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Error(err)
	}
	if _, err := doctor.Examine(context.Background(), filepath.Join(dir, "no"), doctor.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := doctor.Examine(ctx, dir, doctor.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	last := 0
	examine(t, dir, doctor.Options{Progress: func(done, total int) { last = max(last, done*1000+total) }})
	if last != 10010 {
		t.Errorf("progress ended with %d", last)
	}
}

// content returns every file below a folder with its content.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

func names(moved []doctor.Moved) []string {
	var out []string
	for _, m := range moved {
		out = append(out, m.Path)
	}
	slices.Sort(out)
	return out
}

func sick(t *testing.T) string {
	files := map[string][]byte{".DS_Store": []byte("x")}
	good(files, "train/a", 0, 10)
	good(files, "train/b", 100, 10)
	good(files, "val/a", 200, 3)
	good(files, "val/b", 300, 3)
	files["train/a/cut.png"] = files["train/a/00.png"][:50]
	files["train/a/sub/text.png"] = []byte("text")
	files["train/a/again.png"] = files["train/a/01.png"]
	files["val/b/known.png"] = files["train/b/02.png"]
	files["train/b/tiny.png"] = asPNG(scene(500, 9, 9))
	return tree(t, files)
}

func TestQuarantineAndUndo(t *testing.T) {
	ctx := context.Background()
	dir := sick(t)
	before := content(t, dir)
	folder := dir + "-quarantine"
	moved, err := examine(t, dir, doctor.Options{}).Quarantine(ctx, folder, doctor.DefaultMove)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"train/a/again.png", "train/a/cut.png", "train/a/sub/text.png", "train/b/02.png"}
	if got := names(moved); !slices.Equal(got, want) {
		t.Fatalf("moved %v, want %v", got, want)
	}
	for _, p := range want {
		data, err := os.ReadFile(filepath.Join(folder, p))
		if err != nil || string(data) != before[p] {
			t.Errorf("%s is not in quarantine as it was: %v", p, err)
		}
		if _, err := os.Stat(filepath.Join(dir, p)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", p)
		}
	}
	var m doctor.Manifest
	data, err := os.ReadFile(filepath.Join(folder, doctor.ManifestName))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil || len(m.Moved) != 4 || m.Dir != dir || m.Time.IsZero() {
		t.Errorf("manifest %+v, %v", m, err)
	}
	r := examine(t, dir, doctor.Options{})
	if got := lines(r); len(got) != 2 || !strings.HasPrefix(got[0], "warning tiny train/b/tiny.png") || !strings.HasPrefix(got[1], "note hidden .DS_Store") {
		t.Errorf("afterwards: %q", got)
	}
	if moved, err := r.Quarantine(ctx, folder+"-2", doctor.DefaultMove); err != nil || len(moved) != 0 {
		t.Errorf("a second time: %v, %v", moved, err)
	}
	if _, err := os.Stat(folder + "-2"); err == nil {
		t.Error("a folder for nothing")
	}

	n, err := doctor.Undo(folder)
	if err != nil || n != 4 {
		t.Fatalf("%d moved back, %v", n, err)
	}
	if !same(content(t, dir), before) {
		t.Error("the folder is not what it was")
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the quarantine folder is still there")
	}
}

// Wherever moving stops, the manifest is there and what was moved can be put back.
func TestUndoAfterInterruption(t *testing.T) {
	dir := sick(t)
	before := content(t, dir)
	folder := filepath.Join(filepath.Dir(dir), "q", "1")
	ctx, cancel := context.WithCancel(context.Background())
	r := examine(t, dir, doctor.Options{})
	cancel()
	moved, err := r.Quarantine(ctx, folder, doctor.Movable())
	if !errors.Is(err, context.Canceled) || len(moved) != 0 {
		t.Fatalf("%v, %v", moved, err)
	}
	// One of the planned files was moved before.
	if err := os.MkdirAll(filepath.Join(folder, "train/b"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "train/b/tiny.png"), filepath.Join(folder, "train/b/tiny.png")); err != nil {
		t.Fatal(err)
	}
	// Its place is taken: it stays where it is until that is cleared.
	if err := os.WriteFile(filepath.Join(dir, "train/b/tiny.png"), []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	if n, err := doctor.Undo(folder); n != 0 || !errors.Is(err, fs.ErrExist) {
		t.Errorf("%d, %v", n, err)
	}
	if err := os.Remove(filepath.Join(dir, "train/b/tiny.png")); err != nil {
		t.Fatal(err)
	}
	if n, err := doctor.Undo(folder); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if !same(content(t, dir), before) {
		t.Error("the folder is not what it was")
	}
}

// A file that another path among the copies leads to stays; what goes is a link to it, and comes back as it was.
func TestLinksAmongCopies(t *testing.T) {
	files := map[string][]byte{}
	good(files, "a", 0, 10)
	good(files, "b", 100, 10)
	files["b/z/copy.png"] = files["b/01.png"]
	dir := tree(t, files)
	for name, target := range map[string]string{"a/0.png": "05.png", "b/again": "z"} {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			reftest.Missing(t, err.Error())
		}
	}
	r := examine(t, dir, doctor.Options{})
	want := []string{
		"warning duplicate a/05.png a/0.png: 2 images that are the same",
		"warning duplicate b/01.png b/z/copy.png b/again/copy.png: 3 images that are the same",
	}
	if got := lines(r); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	folder := dir + "-aside"
	moved, err := r.Quarantine(context.Background(), folder, []doctor.Kind{doctor.Duplicate})
	if err != nil || !slices.Equal(names(moved), []string{"a/0.png", "b/z/copy.png"}) {
		t.Fatalf("%v, %v", names(moved), err)
	}
	if info, err := os.Lstat(filepath.Join(folder, "a", "0.png")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link has become %v, %v", info, err)
	}
	if n, err := doctor.Undo(folder); err != nil || n != 2 {
		t.Error(n, err)
	}
	if got := lines(examine(t, dir, doctor.Options{})); !slices.Equal(got, want) {
		t.Errorf("after all is back: %q", got)
	}
}

// Names that are not UTF-8, and such that a terminal would obey, are read, moved and brought back like others.
func TestOddNames(t *testing.T) {
	files := map[string][]byte{}
	good(files, "a", 0, 10)
	good(files, "b", 100, 10)
	for _, name := range []string{"b/bad\xff.png", "b/esc\x1b[31m.png", "b/two\nlines.png"} {
		files[name] = []byte("junk")
	}
	files["b/caf\xe9.png"] = asPNG(scene(500, 40, 40))
	dir := tree(t, files)
	before := content(t, dir)
	r := examine(t, dir, doctor.Options{})
	const text = ": the file is text: not an image in a known format"
	if got, want := lines(r), []string{"error unreadable b/bad\xff.png" + text, "error unreadable b/esc\x1b[31m.png" + text, "error unreadable b/two\nlines.png" + text}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	folder := dir + "-aside"
	if moved, err := r.Quarantine(context.Background(), folder, doctor.DefaultMove); err != nil || len(moved) != 3 {
		t.Fatal(moved, err)
	}
	if n, err := doctor.Undo(folder); err != nil || n != 3 {
		t.Error(n, err)
	}
	if !same(before, content(t, dir)) {
		t.Error("not all is back")
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the quarantine folder is still there")
	}
}

func TestQuarantineRefuses(t *testing.T) {
	ctx := context.Background()
	dir := sick(t)
	before := content(t, dir)
	r := examine(t, dir, doctor.Options{})
	if _, err := r.Quarantine(ctx, filepath.Join(dir, "aside"), doctor.DefaultMove); err == nil || !strings.Contains(err.Error(), "inside the data") {
		t.Error(err)
	}
	folder := t.TempDir()
	if _, err := r.Quarantine(ctx, folder, doctor.DefaultMove); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := doctor.Undo(folder); err == nil || !strings.Contains(err.Error(), "is not a quarantine folder") {
		t.Error(err)
	}
	// Where nothing can be moved, no folder is left that looks as if something had been.
	blocked := examine(t, dir, doctor.Options{})
	aside := filepath.Join(t.TempDir(), "aside")
	if os.Getuid() != 0 { // who is not bound by permissions
		modes := func(mode fs.FileMode) {
			err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					err = os.Chmod(p, mode)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		modes(0o555)
		if moved, err := blocked.Quarantine(ctx, aside, doctor.DefaultMove); !errors.Is(err, fs.ErrPermission) || len(moved) > 0 {
			t.Error(moved, err)
		}
		if _, err := os.Lstat(aside); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a quarantine folder is left")
		}
		modes(0o777)
	}
	manifest := filepath.Join(folder, doctor.ManifestName)
	for text, want := range map[string]string{
		"{": "manifest.json: unexpected end",
		`{"dir":"/tmp","moved":[{"path":"../../etc/passwd"}]}`: "leads out of the folder",
		`{"dir":"/tmp","moved":[{"path":"/etc/passwd"}]}`:      "leads out of the folder",
	} {
		if err := os.WriteFile(manifest, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := doctor.Undo(folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if !same(content(t, dir), before) {
		t.Error("something was moved")
	}
}

// Photographs that show different things are no near copies of each other; halved and compressed again, each is one of
// itself.
func TestPhotographs(t *testing.T) {
	source := reftest.Shared(t, "data/photos/val")
	files := map[string][]byte{}
	count := 0
	err := filepath.WalkDir(source, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, p)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)] = data
		if count++; count%4 == 0 {
			img, err := jpeg.Decode(bytes.NewReader(data))
			if err != nil {
				return err
			}
			files[filepath.ToSlash(rel)+".copy.jpg"] = asJPEG(half(img), 50)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, tree(t, files), doctor.Options{})
	found := 0
	for _, f := range r.Findings {
		if f.Kind != doctor.NearDuplicate {
			continue
		}
		found++
		if len(f.Paths) != 2 || f.Paths[0]+".copy.jpg" != f.Paths[1] {
			t.Errorf("taken for copies: %v", f.Paths)
		}
	}
	if found != count/4 {
		t.Errorf("%d of %d copies found", found, count/4)
	}
}
