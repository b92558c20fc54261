package zoo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// BenchmarkLoad is a photograph from its file's bytes to the input of 150x150, and with decoding left out.
func BenchmarkLoad(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(reftest.Shared(b, "data/photos/val"), "*", "*"))
	var data [][]byte
	for _, f := range files {
		d, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		data = append(data, d)
	}
	r, _ := RecipeByName("torchvision-v1")
	r = r.WithSize(150, 150)
	dst := make([]float32, 3*150*150)
	b.Run("file", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := r.Load(bytes.NewReader(data[i%len(data)]), dst); err != nil {
				b.Fatal(err)
			}
		}
	})
	var pictures []*Picture
	for _, d := range data {
		p, err := Decode(bytes.NewReader(d), DecodeOptions{})
		if err != nil {
			b.Fatal(err)
		}
		pictures = append(pictures, p)
	}
	b.Run("picture", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := r.Render(pictures[i%len(pictures)], dst); err != nil {
				b.Fatal(err)
			}
		}
	})
	a, err := ParseAugment("standard")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("augmented", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := r.RenderAugmented(pictures[i%len(pictures)], dst, a, uint64(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
