package gradcam

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// case30 are two maps of 2x2 and gradients with means 0.5 and -0.25.
func case30(sign float32) (a, g Maps) {
	a = Maps{Data: []float32{1, 0, 0, 0, 0, 0, 0, 4}, C: 2, H: 2, W: 2}
	g = Maps{Data: []float32{4, -2, 0, 0, -1, 0, 0, 0}, C: 2, H: 2, W: 2}
	for i := range 4 {
		g.Data[i] *= sign
	}
	return a, g
}

// The formulas, by hand.
func TestCombine(t *testing.T) {
	a, g := case30(1)
	ones := Maps{Data: []float32{2, 2, 2, 2}, C: 1, H: 2, W: 2}
	zero := Maps{Data: make([]float32, 4), C: 1, H: 2, W: 2}
	for _, c := range []struct {
		name string
		f    func(a, g Maps) []float32
		a, g Maps
		want []float32
	}{
		{"case 30: gradcam rectifies the sum, not the gradients", GradCAM, a, g, []float32{0.5, 0, 0, -1}},
		{"cam", CAM, a, g, []float32{2, 0, 0, -4}},
		{"hirescam", HiResCAM, a, g, []float32{4, 0, 0, 0}},
		{"layercam", LayerCAM, a, g, []float32{4, 0, 0, 0}},
		// w1 = (1*4)/1, w2 = 0.
		{"xgradcam", XGradCAM, a, g, []float32{4, 0, 0, 0}},
		// alpha = 16/(32+64*1) = 1/6, w1 = 4/6.
		{"gradcam++", GradCAMPlusPlus, a, g, []float32{2.0 / 3, 0, 0, 0}},
		// The matrix [[1 0] [0 0] [0 0] [0 4]] has its first right-singular vector along the second channel.
		{"eigencam", EigenCAM, a, g, []float32{0, 0, 0, 4}},
		{"eigencam of nothing", EigenCAM, zero, zero, []float32{0, 0, 0, 0}},
		{"eigencam is positive", EigenCAM, Maps{Data: []float32{-1, -2, -3, -4}, C: 1, H: 2, W: 2}, zero, []float32{1, 2, 3, 4}},
		{"case 30: a constant map", GradCAM, ones, ones, []float32{4, 4, 4, 4}},
		{"xgradcam of nothing", XGradCAM, zero, ones, []float32{0, 0, 0, 0}},
		{"gradcam++ without gradient", GradCAMPlusPlus, ones, zero, []float32{0, 0, 0, 0}},
	} {
		got := c.f(c.a, c.g)
		for i, w := range c.want {
			if math.Abs(float64(got[i]-w)) > 1e-6 {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

// Case 30: what is shown lies in 0..1, is zeros where nothing speaks for the class, and is finite.
func TestUnit(t *testing.T) {
	a, g := case30(1)
	m := &Map{H: 2, W: 2, Values: GradCAM(a, g)}
	if got := m.Unit(); !slices.Equal(got, []float32{1, 0, 0, 0}) {
		t.Errorf("case 30: %v", got)
	}
	_, g = case30(-1)
	m = &Map{H: 2, W: 2, Values: GradCAM(a, g)}
	if got := m.Unit(); !slices.Equal(got, []float32{0, 0, 0, 0}) {
		t.Errorf("case 30, negative: %v", got)
	}
	m = &Map{H: 2, W: 2, Values: []float32{3, 3, 3, 3}}
	if got := m.Unit(); !slices.Equal(got, []float32{1, 1, 1, 1}) {
		t.Errorf("case 30, constant: %v", got)
	}
}

func TestMethodByName(t *testing.T) {
	for _, m := range Methods() {
		if got, err := MethodByName(m.Name); err != nil || got.Title != m.Title || m.Paper == "" {
			t.Errorf("%s: %v, %v", m.Name, got.Title, err)
		}
	}
	if _, err := MethodByName("gradcam+"); err == nil || !strings.Contains(err.Error(), "gradcam++") {
		t.Errorf("error %v", err)
	}
}
