package gradcam_test

import (
	"context"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func TestOverlay(t *testing.T) {
	gray := image.NewGray(image.Rect(5, 5, 25, 25))
	m := &gradcam.Map{H: 1, W: 2, Values: []float32{-3, 5}}
	img, err := gradcam.Overlay(gray, m, gradcam.Style{Palette: "inferno", Alpha: 1})
	if err != nil {
		t.Fatal(err)
	}
	if img.Rect != image.Rect(0, 0, 20, 20) || img.NRGBAAt(0, 0) != (color.NRGBA{0, 0, 4, 255}) || img.NRGBAAt(19, 19) != (color.NRGBA{252, 255, 164, 255}) {
		t.Errorf("%v: %v and %v", img.Rect, img.NRGBAAt(0, 0), img.NRGBAAt(19, 19))
	}
	if img, err = gradcam.Overlay(gray, m, gradcam.Style{}); err != nil || img.NRGBAAt(19, 0) != (color.NRGBA{61, 2, 2, 255}) {
		t.Errorf("half of turbo over black: %v, %v", img.NRGBAAt(19, 0), err)
	}
	for _, c := range []struct {
		m    *gradcam.Map
		p    image.Image
		s    gradcam.Style
		want string
	}{
		{m, gray, gradcam.Style{Palette: "diverging"}, "the palettes are jet, viridis"},
		{m, gray, gradcam.Style{Alpha: 2}, "alpha"},
		{m, gray, gradcam.Style{Alpha: math.NaN()}, "alpha"},
		{m, gray, gradcam.Style{Contour: []float64{1}}, "contour"},
		{&gradcam.Map{H: 2, W: 2}, gray, gradcam.Style{}, "numbers"},
		{m, image.NewGray(image.Rect(0, 0, 0, 9)), gradcam.Style{}, "empty"},
	} {
		if _, err := gradcam.Overlay(c.p, c.m, c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// A figure has a column for the image and one for each map; every method can be drawn.
func TestFigure(t *testing.T) {
	ctx := context.Background()
	bgr := tiny(t)
	r, _, err := zoo.RecipeOf(bgr)
	if err != nil {
		t.Fatal(err)
	}
	r.Channels = "BGR"
	r.Resize = "none"
	for name, recipe := range map[string]*zoo.Recipe{"RGB": nil, "BGR, not resized": &r} {
		x, im := opened(t, tiny(t), gradcam.Options{Recipe: recipe, Samples: 2, Steps: 3})
		row := gradcam.Explained{Name: "a.png", Image: im}
		for _, m := range gradcam.Methods() {
			if m.Name == "cam" {
				continue
			}
			out, err := x.Explain(ctx, im, m.Name, 0)
			if err != nil {
				t.Fatal(err)
			}
			row.Maps = append(row.Maps, out)
			var q *gradcam.Quality
			if m.Name == "gradcam" {
				if q, err = x.Measure(ctx, im, out); err != nil {
					t.Fatal(err)
				}
			}
			row.Quality = append(row.Quality, q)
		}
		img, err := gradcam.Figure{Title: "tiny", Width: 64, Style: gradcam.Style{Contour: []float64{0.5}}, Rows: []gradcam.Explained{row, row}}.Draw()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := 12 + 5*(64+12); img.Rect.Dx() != want { // 15 pictures in three lines of each image
			t.Errorf("%s: %d pixels wide, want %d", name, img.Rect.Dx(), want)
		}
		few := gradcam.Explained{Image: im, Maps: row.Maps[:5]}
		line, err := gradcam.Figure{Width: 64, Rows: []gradcam.Explained{few, few}}.Draw()
		if err != nil || line.Rect.Dx() != 12+6*(64+12) || 2*line.Rect.Dy() > img.Rect.Dy() {
			t.Errorf("%s: six pictures of each image make %v, fifteen %v: %v", name, line.Rect, img.Rect, err)
		}
		signed := row.Maps[8]
		drawn, err := im.Draw(image.NewGray(image.Rect(0, 0, 16, 16)), signed, gradcam.Style{})
		if err != nil || signed.Method != "guided-backprop" {
			t.Fatalf("%s: %s, %v", name, signed.Method, err)
		}
		// The first channel of the input is red, or blue.
		for i := range 256 {
			p := drawn.NRGBAAt(i%16, i/16)
			first := p.R
			if name != "RGB" {
				first = p.B
			}
			if v := signed.Signed[i]; v > 0 && first < 128 || v < 0 && first > 128 {
				t.Fatalf("%s: gradient %v is drawn as %v", name, v, p)
			}
		}
		if _, err := im.Draw(image.NewGray(image.Rect(0, 0, 16, 16)), signed, gradcam.Style{Alpha: 3}); err == nil {
			t.Error("a bad style draws")
		}
		if _, err := (gradcam.Figure{Width: 1 << 20, Rows: []gradcam.Explained{row}}).Draw(); err == nil {
			t.Error("a figure without bounds is drawn")
		}
	}
	if _, err := (gradcam.Figure{}).Draw(); err == nil {
		t.Error("a figure of nothing is drawn")
	}
	x, _ := opened(t, tiny(t), gradcam.Options{})
	im, err := x.Input(ctx, make([]float32, 3*16*16))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := im.View(1); err == nil {
		t.Error("an image of numbers has a picture")
	}
	if _, err := (gradcam.Figure{Rows: []gradcam.Explained{{Image: im}}}).Draw(); err == nil {
		t.Error("an image of numbers is drawn")
	}
}

// Where the probability is a known function of how much of one half of the image is left, the curves follow by hand: the
// logit is the mean of the left half of the only channel.
func TestMeasure(t *testing.T) {
	g := &onnx.Graph{
		Inputs:  []*onnx.Value{{Name: "x", Type: shape(-1, 1, 8, 8)}},
		Outputs: []*onnx.Value{{Name: "logit"}},
	}
	w := onnx.New(onnx.Float, 64, 1)
	w.Name = "w"
	for i := range 64 {
		if i%8 < 4 {
			w.Float32s()[i] = 1.0 / 8
		}
	}
	g.Initializers = []*onnx.Tensor{w}
	g.Nodes = []*onnx.Node{node("Relu", "x", "r"), node("Flatten", "r", "flat"), node("MatMul", "flat w", "logit")}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: g}
	recipe := zoo.Recipe{Resize: "none", Size: [2]int{8, 8}, Channels: "GRAY", Scale: 1, Std: [3]float64{1, 1, 1}, Layout: "NCHW"}
	x, err := gradcam.New(m, gradcam.Options{Recipe: &recipe})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ones := make([]float32, 64)
	for i := range ones {
		ones[i] = 1
	}
	im, err := x.Input(context.Background(), ones)
	if err != nil {
		t.Fatal(err)
	}
	if im.Logits[1] != 4 || im.Predicted != 1 {
		t.Fatalf("logits %v", im.Logits)
	}
	measure := func(values []float32) *gradcam.Quality {
		t.Helper()
		q, err := x.Measure(context.Background(), im, &gradcam.Map{Class: 1, H: 8, W: 8, Values: values})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	good, bad := make([]float32, 64), make([]float32, 64)
	for i := range good {
		good[i] = float32(8 - i%8)
		bad[i] = -good[i]
	}
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	q := measure(good)
	// Two pixels a step: the first 16 steps take away 1/8 twice each, the others nothing more.
	for i, p := range q.Deletion.Probability {
		if want := sigmoid(4 - 4*min(float64(i)/16, 1)); math.Abs(p-want) > 1e-5 || q.Deletion.Share[i] != float64(i)/32 {
			t.Errorf("deletion after %v: %v, want %v", q.Deletion.Share[i], p, want)
		}
	}
	if b := measure(bad); !(q.Deletion.Area < b.Deletion.Area) || !(q.Insertion.Area >= b.Insertion.Area-1e-9) {
		t.Errorf("the good map has areas %v and %v, the bad one %v and %v", q.Deletion.Area, q.Insertion.Area, b.Deletion.Area, b.Insertion.Area)
	}
	// On a picture of one shade what is removed is filled in with that shade: no map is better than another.
	if math.Abs(q.Road) > 0.01 {
		t.Errorf("ROAD %v", q.Road)
	}
}
