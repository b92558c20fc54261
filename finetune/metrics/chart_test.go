package metrics_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/finetune/metrics"
)

// many are predictions of k classes, of which every third sample is wrong.
func many(k int) metrics.Predictions {
	var p metrics.Predictions
	for i := range k {
		p.Classes = append(p.Classes, fmt.Sprintf("class number %d %s", i, strings.Repeat("x", i%30)))
	}
	for i := range max(60, 3*k) {
		label, row := i%k, make([]float64, k)
		got := label
		if i%3 == 0 {
			got = (label + 1 + i%5) % k
		}
		row[got] = 0.4 + float64(i%60)/100
		row[(got+1)%k] += 1 - row[got]
		p.Labels = append(p.Labels, label)
		p.Probabilities = append(p.Probabilities, row...)
		p.Paths = append(p.Paths, fmt.Sprintf("photos/%d/%d.png", label, i))
	}
	return p
}

func TestCharts(t *testing.T) {
	for _, k := range []int{1, 5, 20, 21, 300} {
		p := many(k)
		if k == 1 {
			p = metrics.Predictions{Classes: []string{"only"}, Labels: []int{0}, Probabilities: []float64{1}}
		}
		r := compute(t, p, metrics.Options{})
		chart(t, r.WriteROC)
		chart(t, r.WriteCalibration)
		img := chart(t, r.WriteConfusion)
		if w, h := img.Bounds().Dx(), img.Bounds().Dy(); w < 300 || h < 300 || w > 2600 || h > 2600 {
			t.Errorf("%d classes: %dx%d pixels", k, w, h)
		}
	}
}

// Right predictions darken the diagonal, and nothing else is dark there.
func TestConfusionChartColours(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1}, Probabilities: []float64{1, 0, 0, 1}}, metrics.Options{})
	img := chart(t, r.WriteConfusion)
	dark := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, b, _ := img.At(x, y).RGBA(); r>>8 == 0x08 && g>>8 == 0x40 && b>>8 == 0x7e {
				dark++
			}
		}
	}
	if cell := 142 * 142; dark < 2*cell*8/10 || dark > 2*cell+5000 {
		t.Errorf("%d pixels have the colour of 100 %%, want about two cells of %d", dark, cell)
	}
}

func TestChartToBrokenWriter(t *testing.T) {
	r := compute(t, three(), metrics.Options{})
	for i, write := range []func(io.Writer) error{r.WriteConfusion, r.WriteROC, r.WriteCalibration} {
		if err := write(brokenWriter{}); !errors.Is(err, errBroken) {
			t.Errorf("chart %d: error %v", i, err)
		}
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func chart(t *testing.T, write func(io.Writer) error) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
