package gradcam

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestGabor(t *testing.T) {
	k, err := Gabor{Frequency: 0.25, Theta: 30, Sigma: 2}.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	if k.W != 13 || k.H != 13 { // ceil(3*2*cos 30°) = 6 on both sides
		t.Fatalf("%dx%d", k.H, k.W)
	}
	at := func(x, y int) float64 { return k.V[(y+k.H/2)*k.W+x+k.W/2] }
	for _, c := range []struct{ x, y int }{{0, 0}, {1, 0}, {0, 1}, {-3, 2}, {6, -6}} {
		u := float64(c.x)*math.Sqrt(3)/2 + float64(c.y)/2
		r2 := float64(c.x*c.x + c.y*c.y)
		want := math.Exp(-r2/8) / (8 * math.Pi) * math.Cos(math.Pi/2*u)
		if got := at(c.x, c.y); math.Abs(got-want) > 1e-12 {
			t.Errorf("at %v: %v, want %v", c, got, want)
		}
	}
	// A wave that runs along the columns is the same in every row but for the bell, and mirrored ones are equal.
	a, _ := Gabor{Frequency: 0.1, Theta: 0, Sigma: 2}.Kernel()
	b, _ := Gabor{Frequency: 0.1, Theta: 180, Sigma: 2}.Kernel()
	for i := range a.V {
		if math.Abs(a.V[i]-b.V[i]) > 1e-12 {
			t.Fatal("half a turn makes another kernel")
		}
	}
	for _, g := range []Gabor{{Frequency: 0.6}, {Frequency: -1}, {Sigma: 0.01}, {Sigma: 1000}, {Theta: math.Inf(1)}, {Frequency: math.NaN()}} {
		if _, err := g.Kernel(); err == nil {
			t.Errorf("%+v was accepted", g)
		}
	}
	bank, err := GaborBank([]float64{0.05, 0.25}, []float64{1, 3}, []float64{0, 45, 90, 135})
	if err != nil || len(bank) != 4 || len(bank[0]) != 4 {
		t.Errorf("bank of %d rows, %v", len(bank), err)
	}
	if _, err := GaborBank([]float64{2}, []float64{1}, []float64{0}); err == nil {
		t.Error("a bank of impossible waves")
	}
}

func TestKernelByName(t *testing.T) {
	sums := map[string]float64{"sharpen": 1, "blur": 1, "gauss": 1, "identity": 1, "emboss": 1}
	for _, name := range KernelNames() {
		k, err := KernelByName(name, Gabor{})
		if err != nil || k.check() != nil {
			t.Fatalf("%s: %v, %v", name, err, k.check())
		}
		sum := 0.0
		for _, v := range k.V {
			sum += v
		}
		if want := sums[name]; name != "gabor" && math.Abs(sum-want) > 1e-9 {
			t.Errorf("%s adds up to %v, want %v", name, sum, want)
		}
		if k.Smooth() != (sums[name] == 1) && name != "gabor" {
			t.Errorf("%s: smooth is %v", name, k.Smooth())
		}
	}
	if _, err := KernelByName("nope", Gabor{}); err == nil || !strings.Contains(err.Error(), "sobel-x") {
		t.Error(err)
	}
	if _, err := KernelByName("gauss", Gabor{Sigma: 100}); err == nil {
		t.Error("a bell that is too wide")
	}
}

func TestParseKernel(t *testing.T) {
	k, err := ParseKernel(" -1 0 1; -2,0,2;\n-1 0 1; ")
	if err != nil || k.H != 3 || k.W != 3 || !slices.Equal(k.V, []float64{-1, 0, 1, -2, 0, 2, -1, 0, 1}) {
		t.Errorf("%+v, %v", k, err)
	}
	for text, want := range map[string]string{
		"": "0 numbers", "1 2": "sides must be odd", "1;2": "sides must be odd", "1 2 3;1 2;1": "row 2", "1 x 3": `"x"`, "1 NaN 3": "no number",
		strings.Repeat("1 ", 203): "too large",
	} {
		if _, err := ParseKernel(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A step from dark to light answers to the kernel of its direction only, and blurring keeps its mean.
func TestApply(t *testing.T) {
	step := image.NewGray(image.Rect(10, 20, 18, 26))
	for y := 20; y < 26; y++ {
		for x := 14; x < 18; x++ {
			step.SetGray(x, y, color.Gray{200})
		}
	}
	at := func(name string, x, y int) uint8 {
		k, err := KernelByName(name, Gabor{Sigma: 1})
		if err != nil {
			t.Fatal(err)
		}
		img, err := k.Apply(step)
		if err != nil {
			t.Fatal(err)
		}
		return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y
	}
	for _, c := range []struct {
		kernel string
		x, y   int
		want   uint8
	}{
		{"sobel-x", 3, 2, 255}, {"sobel-x", 0, 0, 128}, {"sobel-x", 7, 5, 128}, // columns 3 and 4 see the step
		{"sobel-y", 3, 2, 128}, {"identity", 4, 0, 200}, {"identity", 3, 0, 0},
		{"blur", 0, 0, 0}, {"blur", 3, 3, 80}, {"blur", 7, 0, 200}, // two of five columns are light
		{"laplace", 3, 0, 255}, {"laplace", 4, 0, 0},
	} {
		if got := at(c.kernel, c.x, c.y); got != c.want {
			t.Errorf("%s at %d,%d: %d, want %d", c.kernel, c.x, c.y, got, c.want)
		}
	}
	k, _ := KernelByName("sharpen", Gabor{})
	if _, err := k.Apply(image.NewGray(image.Rect(0, 0, 0, 5))); err == nil {
		t.Error("a picture of nothing")
	}
	if _, err := (Kernel{H: 2, W: 2, V: make([]float64, 4)}).Apply(step); err == nil {
		t.Error("a kernel without middle")
	}
	if img, err := DrawKernel(step, k, "title"); err != nil || img.Bounds().Dx() < 24 {
		t.Error(err)
	}
	bank, _ := GaborBank([]float64{0.1}, []float64{1}, []float64{0, 90})
	if img, err := DrawBank(step, bank, ""); err != nil || img.Bounds().Empty() {
		t.Error(err)
	}
	if _, err := DrawBank(step, [][]Kernel{{{}}}, ""); err == nil {
		t.Error("a bank of nothing")
	}
	if b := (Kernel{H: 1, W: 3, V: []float64{1, 2, 3}}).Draw(4).Bounds(); b.Dx() != 12 || b.Dy() != 4 {
		t.Errorf("drawn as %v", b)
	}
	// Squares have rims where there is room, so that a kernel of equal weights is not a white spot on white paper.
	blur, _ := KernelByName("blur", Gabor{})
	for square, want := range map[int]uint8{4: 255, 16: 160} {
		if got := color.GrayModel.Convert(blur.Draw(square).At(square, 1)).(color.Gray).Y; got != want {
			t.Errorf("the rim of a square of %d is %d, want %d", square, got, want)
		}
	}
	// The kernels of a bank share a scale, and the largest one fits.
	if got := square(90, Kernel{W: 9, H: 3}, Kernel{W: 1, H: 30}); got != 3 {
		t.Errorf("squares of %d pixels", got)
	}
	if _, err := DrawBank(step, nil, ""); err == nil {
		t.Error("a bank without kernels")
	}
}
