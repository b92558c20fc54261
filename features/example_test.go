package features_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// square returns a picture of one shade as PNG.
func square(shade uint8) *fstest.MapFile {
	img := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range img.Pix {
		img.Pix[i] = shade
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		log.Fatal(err)
	}
	return &fstest.MapFile{Data: buf.Bytes()}
}

// A folder of classes; an embed.FS, a zip archive or os.DirFS serve as well.
func ExampleFolder() {
	photos := fstest.MapFS{"cat/1.png": square(1), "dog/1.png": square(2), "dog/2.jpg": square(3), "notes.txt": {}}
	d, err := features.Folder(photos)
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range d.Items {
		fmt.Println(it.Path, it.Label, d.Classes[it.Label])
	}
	fmt.Println(d.Notes[0])
	// Output:
	// cat/1.png 0 cat
	// dog/1.png 1 dog
	// dog/2.jpg 1 dog
	// ignored 1 file without the extension of an image, such as notes.txt
}

// Features of a folder, written to a file that NumPy reads.
func Example() {
	m, err := onnx.Open("../testdata/models/tiny_described.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	x, err := features.New(m, features.Options{At: "features", Pool: features.PoolMax})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	d, err := features.Folder(fstest.MapFS{"a/1.png": square(10), "a/broken.png": {}, "b/2.png": square(200)})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f, err := features.Create(filepath.Join(dir, "features.npz"), d.Classes)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Discard() // nothing is left unless Close succeeds
	for batch, err := range x.Batches(context.Background(), d) {
		if err != nil {
			log.Fatal(err)
		}
		for _, s := range batch.Skipped {
			fmt.Println("skipped", s.Item.Path)
		}
		if err := f.Write(batch); err != nil {
			log.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Rows(), "rows of", f.Shape(), "from", x.Layer())
	// Output:
	// skipped a/broken.png
	// 2 rows of [8] from p2
}

// The most probable class of an image.
func ExampleClassifier() {
	m, err := onnx.Open("../testdata/models/tiny.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	recipe, _ := zoo.RecipeByName("unit")
	c, err := features.NewClassifier(m, []string{"circle", "square", "star"}, features.Options{Recipe: &recipe})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	d, err := features.Folder(fstest.MapFS{"white.png": square(255)})
	if err != nil {
		log.Fatal(err)
	}
	for p, err := range c.Predict(context.Background(), d, 1) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s, %.2f\n", p.Item.Path, p.Scores[0].Label, p.Scores[0].Probability)
	}
	// Output:
	// white.png: square, 0.77
}

// Features of images with a class each teach the rule; features of other images are classified by it. In a program
// they are Batch.Features and the items' labels.
func ExampleCentroids() {
	known, labels := []float32{4, 0, 5, 1, 0, 2}, []int{0, 0, 1}
	c, err := features.FitCentroids(known, labels, 2)
	if err != nil {
		log.Fatal(err)
	}
	classes, err := c.Predict([]float32{1, 9, 7, 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(classes)
	// Output:
	// [1 0]
}
