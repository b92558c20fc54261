package pixel

import (
	"bytes"
	"image"
	"image/color"
	"math/rand/v2"
	"strings"
	"testing"
)

func augmented(t *testing.T, spec string, p *Picture, h, w int, seed uint64) []uint8 {
	t.Helper()
	a, err := ParseAugment(spec)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]uint8, 3*h*w)
	if err := a.Render(p, Geometry{Rule: Shorter, Side: max(h, w), H: h, W: w}, dst, seed, nil); err != nil {
		t.Fatal(err)
	}
	return dst
}

// The same seed gives the same bytes, another seed others, whatever else was rendered between.
func TestAugmentIsSeeded(t *testing.T) {
	p := FromImage(picture(50, 40))
	for _, k := range augmentKeys {
		spec := k.name + "=0.5"
		if k.whole {
			spec = k.name + "=4"
		}
		switch k.name {
		case "rotate", "shear", "sheary":
			spec = k.name + "=20"
		case "crop", "zoom", "ratio", "sigma":
			spec = k.name + "=0.5..0.9"
		}
		if of := partOf[k.name]; of == "randaugment" {
			spec = "randaugment=2," + spec
		} else if of != "" {
			spec = of + "=0.5," + spec
		}
		plain := augmented(t, "none", p, 32, 32, 1)
		seen := map[string]bool{}
		for seed := range uint64(20) {
			first := augmented(t, spec, p, 32, 32, seed)
			augmented(t, "standard,jitter=0.3", p, 20, 20, seed+100)
			if !bytes.Equal(first, augmented(t, spec, p, 32, 32, seed)) {
				t.Errorf("%s: seed %d gives two results", spec, seed)
			}
			seen[string(first)] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s: 20 seeds give one result", spec)
		}
		// What happens with a probability also does not happen: one of the views is the plain picture.
		if prob := k.value == "P"; prob && !seen[string(plain)] {
			t.Errorf("%s: no view is plain", spec)
		}
	}
	if ViewSeed(1, "a", 0) == ViewSeed(1, "a", 1) || ViewSeed(1, "a", 0) == ViewSeed(1, "b", 0) || ViewSeed(1, "a", 0) == ViewSeed(2, "a", 0) {
		t.Error("ViewSeed does not tell views apart")
	}
	// Seeds are part of what makes a run repeatable, so they must not change from one version to the next: the first
	// 8 bytes of the SHA-256 of seed, view (both as 8 bytes, little-endian) and identity.
	if s := ViewSeed(7, "a/b.jpg", 3); s != 0x30b5d97eeb1eaaa6 {
		t.Errorf("ViewSeed is %#x", s)
	}
}

// Asking for one more step leaves what the others draw.
func TestAugmentStepsAreIndependent(t *testing.T) {
	p := FromImage(picture(50, 40))
	for seed := range uint64(10) {
		turned := augmented(t, "rotate=30,brightness=0", p, 32, 32, seed)
		flipped := augmented(t, "rotate=30,vflip=0.000001", p, 32, 32, seed)
		if !bytes.Equal(turned, flipped) {
			t.Errorf("seed %d: a flip that does not happen changes the rotation", seed)
		}
	}
}

func TestFlips(t *testing.T) {
	p := FromImage(picture(8, 6))
	plain := augmented(t, "none", p, 6, 8, 3)
	for spec, from := range map[string]func(x, y int) (int, int){
		"hflip=1":         func(x, y int) (int, int) { return 7 - x, y },
		"vflip=1":         func(x, y int) (int, int) { return x, 5 - y },
		"hflip=1,vflip=1": func(x, y int) (int, int) { return 7 - x, 5 - y },
	} {
		got := augmented(t, spec, p, 6, 8, 3)
		for y := range 6 {
			for x := range 8 {
				fx, fy := from(x, y)
				if !bytes.Equal(got[3*(y*8+x):][:3], plain[3*(fy*8+fx):][:3]) {
					t.Fatalf("%s: pixel %d,%d", spec, x, y)
				}
			}
		}
	}
}

// Maps whose result is known: quarter turns, whole shifts, enlarging by two.
func TestAffine(t *testing.T) {
	const n = 5
	src := make([]uint8, 3*n*n)
	for i := range src {
		src[i] = uint8(i * 3)
	}
	at := func(pix []uint8, x, y int) uint8 { return pix[3*(y*n+x)] }
	m := func(turn, dx, zoom float64) projection { return affineMap(n/2.0, n/2.0, turn, dx, 0, zoom, 0, 0) }
	for _, c := range []struct {
		name  string
		m     projection
		black bool
		want  func(x, y int) uint8
	}{
		{"identity", m(0, 0, 1), false, func(x, y int) uint8 { return at(src, x, y) }},
		{"quarter turn", m(90, 0, 1), false, func(x, y int) uint8 { return at(src, y, n-1-x) }},
		{"shift, edge", m(0, 2, 1), false, func(x, y int) uint8 { return at(src, max(x-2, 0), y) }},
		{"shift, black", m(0, 2, 1), true, func(x, y int) uint8 {
			if x < 2 {
				return 0
			}
			return at(src, x-2, y)
		}},
		{"twice as large", m(0, 0, 2), false, func(x, y int) uint8 {
			// Values are linear in x and y, so between pixels they are the average.
			a, b := at(src, (x+2)/2, (y+2)/2), at(src, (x+3)/2, (y+3)/2)
			return uint8((int(a) + int(b)) / 2)
		}},
	} {
		got := bytes.Clone(src)
		c.m.apply(&canvas{pix: got, w: n, h: n, black: c.black})
		for y := range n {
			for x := range n {
				if g, w := int(at(got, x, y)), int(c.want(x, y)); g-w > 1 || w-g > 1 { // sines are not exact, and fractions are cut
					t.Errorf("%s: pixel %d,%d: got %d, want %d", c.name, x, y, g, w)
				}
			}
		}
	}
}

// Colours by hand: the formulas of Pillow's ImageEnhance, and turns of the colour circle with hues of 8 bits.
func TestColours(t *testing.T) {
	pix := []uint8{200, 100, 50}
	for i, v := range pix {
		pix[i] = blend(0, v, 1.5)
	}
	if !bytes.Equal(pix, []uint8{255, 150, 75}) {
		t.Errorf("brightness 1.5: %v", pix)
	}
	pix = []uint8{200, 100, 50}
	saturate(pix, 0)
	if !bytes.Equal(pix, []uint8{124, 124, 124}) { // 59.8 + 58.7 + 5.7
		t.Errorf("without colour: %v", pix)
	}
	pix = []uint8{200, 100, 50}
	saturate(pix, 2)
	if !bytes.Equal(pix, []uint8{255, 76, 0}) {
		t.Errorf("twice the colour: %v", pix)
	}
	for _, c := range []struct {
		by       float64
		in, want [3]uint8
	}{
		{1.0 / 3, [3]uint8{255, 0, 0}, [3]uint8{0, 255, 0}},
		{-1.0 / 3, [3]uint8{255, 0, 0}, [3]uint8{6, 0, 255}},
		{0.5, [3]uint8{255, 0, 0}, [3]uint8{0, 255, 252}},
		{1.0 / 6, [3]uint8{255, 0, 0}, [3]uint8{255, 252, 0}},
		{0.25, [3]uint8{90, 90, 90}, [3]uint8{90, 90, 90}},
	} {
		got := c.in
		turnHue(got[:], c.by)
		if got != c.want {
			t.Errorf("hue of %v by %v: got %v, want %v", c.in, c.by, got, c.want)
		}
	}
	// Contrast keeps the mean and moves values from or to it.
	plain := FromImage(picture(30, 30))
	a := Augment{Contrast: 0.9}
	for seed := range uint64(5) {
		pix := augmented(t, "none", plain, 30, 30, seed)
		before := meanOf(pix)
		a.colour(&canvas{pix: pix, w: 30, h: 30}, rand.New(rand.NewPCG(seed, 1)))
		if d := meanOf(pix) - before; d > 20 || d < -20 {
			t.Errorf("contrast moved the mean by %d", d)
		}
	}
}

func meanOf(pix []uint8) int {
	sum := 0
	for _, v := range pix {
		sum += int(v)
	}
	return sum / len(pix)
}

// A blur keeps a plain image and the sum of a point, and widens the point.
func TestGauss(t *testing.T) {
	pix := bytes.Repeat([]uint8{70, 80, 90}, 8*9)
	gauss(pix, 8, 9, 4, 1.3)
	if !bytes.Equal(pix, bytes.Repeat([]uint8{70, 80, 90}, 8*9)) {
		t.Error("a plain image does not stay plain")
	}
	pix = make([]uint8, 3*21*21)
	pix[3*(10*21+10)] = 255
	gauss(pix, 21, 21, 3, 1)
	// 255 / (2 pi) at the centre, times exp(-1/2) beside it.
	if c, n := pix[3*(10*21+10)], pix[3*(10*21+11)]; c < 40 || c > 42 || n < 24 || n > 26 {
		t.Errorf("centre %d, neighbour %d; want about 40.6 and 24.6", c, n)
	}
	if pix[3*(10*21+10)+1] != 0 {
		t.Error("another channel was touched")
	}
}

// A random crop shows only what lies in the picture, in the asked-for share; without colour changes a picture of one
// colour stays so.
func TestRandomCrop(t *testing.T) {
	a := Augment{Crop: Range{0.2, 0.5}}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		x, y, w, h := a.box(300, 200, r)
		share := float64(w*h) / (300 * 200)
		ratio := float64(w) / float64(h)
		if x < 0 || y < 0 || x+w > 300 || y+h > 200 || share < 0.19 || share > 0.51 || ratio < 0.73 || ratio > 1.37 {
			t.Fatalf("box %d,%d %dx%d: share %.3f, ratio %.3f", x, y, w, h, share, ratio)
		}
	}
	// Where no draw fits: the largest allowed rectangle in the centre.
	a.Crop = Range{1, 1}
	for _, c := range []struct{ w, h, x, y, bw, bh int }{
		{1000, 10, 493, 0, 13, 10},
		{10, 1000, 0, 493, 10, 13},
		{1, 1, 0, 0, 1, 1},
	} {
		x, y, w, h := a.box(c.w, c.h, r)
		if x != c.x || y != c.y || w != c.bw || h != c.bh {
			t.Errorf("%dx%d: box %d,%d %dx%d, want %+v", c.w, c.h, x, y, w, h, c)
		}
	}

	m := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := 0; i < len(m.Pix); i += 4 {
		copy(m.Pix[i:], []uint8{10, 150, 240, 255})
	}
	for seed := range uint64(20) {
		got := augmented(t, "crop=0.1..1,rotate=90,shear=30,zoom=0.5..2,translate=0.4,hflip=0.5,vflip=0.5,blur=0.5,erase=0.5", FromImage(m), 24, 24, seed)
		want := bytes.Repeat([]uint8{10, 150, 240}, 24*24)
		if d, _ := difference(got, want); d > 1 {
			t.Errorf("seed %d: a plain picture changes by %d", seed, d)
		}
	}
	// With black beyond the edges, a turned picture has black corners.
	corners := 0
	for seed := range uint64(20) {
		got := augmented(t, "rotate=90,fill=black", FromImage(m), 24, 24, seed)
		if got[0] == 0 && got[1] == 0 {
			corners++
		}
	}
	if corners < 10 {
		t.Errorf("%d of 20 turned pictures have a black corner", corners)
	}
}

func TestErase(t *testing.T) {
	p := FromImage(func() image.Image {
		m := image.NewGray(image.Rect(0, 0, 40, 40))
		for i := range m.Pix {
			m.Set(i%40, i/40, color.Gray{uint8(255 * (i % 2))})
		}
		return m
	}())
	for seed := range uint64(10) {
		got := augmented(t, "erase=1", p, 40, 40, seed)
		n := 0
		for i := 0; i < len(got); i += 3 {
			if got[i] == 127 {
				n++
			}
		}
		if n < 40*40/60 || n > 40*40*36/100 {
			t.Errorf("seed %d: %d of 1600 pixels erased", seed, n)
		}
	}
}

func TestParseAugment(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"", "none"},
		{" none ", "none"},
		{"standard", "crop=0.8..1,rotate=30,shear=10,hflip=0.5"},
		{"standard, rotate=5 ,hflip=0", "crop=0.8..1,rotate=5,shear=10"},
		{"rotate=15,hflip=0.5,crop=0.8..1,jitter=0.2", "crop=0.8..1,rotate=15,hflip=0.5,brightness=0.2,contrast=0.2,saturation=0.2,hue=0.05"},
		{"crop=0.5", "crop=0.5..1"},
		{"zoom=1.2", "zoom=1..1.2"},
		{"zoom=0.8", "zoom=0.8..1"},
		{"zoom=0.8..1.25,ratio=1..2", "zoom=0.8..1.25"},
		{"crop=0.5..1,ratio=1..2,distort=0.2,perspective=0.5,bits=3,magnitude=5", "crop=0.5..1,ratio=1..2,perspective=0.5,distort=0.2"},
		{"magnitude=5,randaugment=2", "randaugment=2,magnitude=5"},
		{"fill=black", "none"},
		{"rotate=9,fill=black", "rotate=9,fill=black"},
		{"rotate=9,fill=black,fill=edge", "rotate=9"},
		{"vflip=1,gray=.1,blur=.2,erase=.3,translate=.4,hue=.5", "translate=0.4,vflip=1,hue=0.5,gray=0.1,blur=0.2,erase=0.3"},
	} {
		a, err := ParseAugment(c.spec)
		if err != nil {
			t.Errorf("%q: %v", c.spec, err)
			continue
		}
		if a.String() != c.want {
			t.Errorf("%q: got %q, want %q", c.spec, a, c.want)
		}
		again, err := ParseAugment(a.String())
		if err != nil || again.String() != a.String() {
			t.Errorf("%q is read back as %v, %v", a, again, err)
		}
	}
	for _, c := range []struct{ spec, want string }{
		{"rotate", `"rotate" is not key=value`},
		{"hflip=0.5,standard", `"standard" is not key=value`},
		{"rotation=5", "rotation: unknown key; known are jitter, fill, crop"},
		{"rotate=x", `rotate: "x" is not a number (rotate`},
		{"rotate=nan", "not a number"},
		{"rotate=-5", "-5 is not between 0 and 180"},
		{"hflip=1.5", "1.5 is not between 0 and 1 (swap left"},
		{"crop=0..1", "0 is not between 0.01 and 1"},
		{"crop=0.9..0.8", "the first number is the larger"},
		{"crop=0.9..", `"" is not a number`},
		{"bits=2.5", "2.5 is not a whole number (how many bits"},
		{"randaugment=11", "11 is not between 0 and 10"},
		{"jitter=3", "3 is not between 0 and 2"},
		{"fill=red", `"red" is neither "edge" nor "black"`},
	} {
		_, err := ParseAugment(c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want an error with %q", c.spec, err, c.want)
		}
	}
}
