package pixel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// On photographs image/jpeg and libjpeg differ by the rounding of the inverse DCT only: by 3 of 255 at most, both
// before and after resizing. Were chroma repeated instead of interpolated, it would be 37 and 26 at the edges of
// colours, and ten times as much on average.
func TestPhotographs(t *testing.T) {
	python := reftest.Python(t, "PIL", "torch", "torchvision", "numpy")
	files, _ := filepath.Glob(filepath.Join(reftest.Shared(t, "data/photos/val"), "*", "*"))
	if len(files) == 0 {
		t.Fatal("no photographs")
	}
	if testing.Short() {
		files = files[:4]
	}
	out := filepath.Join(t.TempDir(), "all")
	script := `
import sys
from PIL import Image
from torchvision.transforms import functional as F
with open(sys.argv[1], "wb") as f:
    for name in sys.argv[2:]:
        img = Image.open(name).convert("RGB")
        f.write(F.center_crop(img, [224, 224]).tobytes())
        f.write(F.center_crop(F.resize(img, 256), [224, 224]).tobytes())
`
	if text, err := exec.Command(python, append([]string{"-c", script, out}, files...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	const size = 3 * 224 * 224
	for _, c := range []struct {
		name   string
		g      Geometry
		format string // "" converts as image/color does, for comparison
		most   int    // the largest difference allowed
		mean   float64
	}{
		{"decoded", Geometry{H: 224, W: 224}, "jpeg", 4, 0.1},
		{"resized", Geometry{Rule: Shorter, Side: 256, H: 224, W: 224}, "jpeg", 4, 0.1},
		{"decoded, chroma repeated", Geometry{H: 224, W: 224}, "", 255, 5},
		{"resized, chroma repeated", Geometry{Rule: Shorter, Side: 256, H: 224, W: 224}, "", 255, 5},
	} {
		most, sum := 0, 0
		for i, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Decode(bytes.NewReader(data), Options{IgnoreOrientation: true})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			p.Format = c.format
			got := make([]uint8, size)
			if err := c.g.Render(p, got); err != nil {
				t.Fatal(err)
			}
			w := want[2*size*i:][:size]
			if c.g.Rule == Shorter {
				w = want[2*size*i+size:][:size]
			}
			d, _ := difference(got, w)
			most = max(most, d)
			for j := range got {
				sum += max(int(got[j])-int(w[j]), int(w[j])-int(got[j]))
			}
		}
		mean := float64(sum) / float64(size*len(files))
		t.Logf("%s: %d photographs: largest difference %d, mean %.4f of 255", c.name, len(files), most, mean)
		if most > c.most || mean > c.mean {
			t.Errorf("%s: largest %d, mean %.4f; allowed %d, %.4f", c.name, most, mean, c.most, c.mean)
		}
	}
}
