package finetune_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// backbone returns a small network that was trained on pictures of clothes.
func backbone(t testing.TB) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// picture is a PNG file: noise around a colour.
func picture(seed int, c color.RGBA, size int) []byte {
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	near := func(v uint8) uint8 { return uint8(min(max(int(v)+rng.IntN(41)-20, 0), 255)) }
	for i := range size * size {
		img.SetRGBA(i%size, i/size, color.RGBA{near(c.R), near(c.G), near(c.B), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

var colors = []color.RGBA{{R: 200, G: 60, B: 60}, {R: 60, G: 200, B: 60}, {R: 60, G: 60, B: 200}}

// pictures is a folder of n pictures of each class.
func pictures(n int, classes ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for k, c := range classes {
		for i := range n {
			fsys[fmt.Sprintf("%s/%02d.png", c, i)] = &fstest.MapFile{Data: picture(100*k+i, colors[k%3], 16)}
		}
	}
	return fsys
}

func dataOf(t testing.TB, fsys fstest.MapFS) *finetune.Data {
	t.Helper()
	set, err := features.Folder(fsys)
	if err != nil {
		t.Fatal(err)
	}
	d, err := finetune.NewData(set, nil, 0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// small are options for quick runs.
func small() finetune.Options {
	o := finetune.Options{Epochs: 3, Batch: 4}
	o.LR = 0.01
	return o
}

func train(t testing.TB, d *finetune.Data, dir string, o finetune.Options) *finetune.Result {
	t.Helper()
	res, err := finetune.Run(context.Background(), backbone(t), d, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func open(t testing.TB, file string) *onnx.Model {
	t.Helper()
	m, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// sameWeights fails the test unless two files have the same weights, byte by byte.
func sameWeights(t testing.TB, a, b string) {
	t.Helper()
	x, y := open(t, a), open(t, b)
	if len(x.Graph.Initializers) != len(y.Graph.Initializers) {
		t.Fatalf("%d and %d weights", len(x.Graph.Initializers), len(y.Graph.Initializers))
	}
	for _, w := range x.Graph.Initializers {
		if v := y.Graph.Initializer(w.Name); v == nil || !bytes.Equal(v.Raw, w.Raw) {
			t.Errorf("weight %q differs", w.Name)
		}
	}
}

func augment(t testing.TB, spec string) zoo.Augment {
	t.Helper()
	a, err := zoo.ParseAugment(spec)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func exists(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		if info, err := os.Stat(filepath.Join(dir, n)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty", n)
		}
	}
}
