package sheet

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"
)

func plain(w, h int, c color.Color) image.Image {
	m := image.NewRGBA(image.Rect(3, 4, 3+w, 4+h))
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

// dark counts the pixels of a rectangle that are not white.
func dark(m *image.RGBA, r image.Rectangle) (n int) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if m.RGBAAt(x, y) != (color.RGBA{255, 255, 255, 255}) {
				n++
			}
		}
	}
	return n
}

func TestDraw(t *testing.T) {
	red, blue := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}
	m, err := Sheet{Rows: [][]Cell{
		{{Image: plain(40, 30, red)}, {Image: plain(20, 10, blue), Title: "two"}},
		{{Image: plain(40, 30, blue), Title: "three", Text: strings.Repeat("some words ", 3)}, {}},
	}}.Draw()
	if err != nil {
		t.Fatal(err)
	}
	second := gap + 30 + above + gap // y of the second row, but for the line of text between
	s, err := styles()
	if err != nil {
		t.Fatal(err)
	}
	second += s.bold.line
	if w := m.Bounds().Dx(); w != gap+40+gap+20+gap {
		t.Errorf("width %d", w)
	}
	for _, c := range []struct {
		name string
		at   image.Rectangle
		want color.RGBA
	}{
		{"first", image.Rect(gap, gap, gap+40, gap+30), red},
		{"smaller", image.Rect(gap+40+gap, gap+20, gap+40+gap+20, gap+30), blue},
		{"below", image.Rect(gap, second, gap+40, second+30), blue},
		{"above the smaller", image.Rect(gap+40+gap, gap, gap+40+gap+20, gap+20), color.RGBA{255, 255, 255, 255}},
		{"empty", image.Rect(gap+40+gap, second, gap+40+gap+20, m.Bounds().Dy()), color.RGBA{255, 255, 255, 255}},
	} {
		for _, p := range []image.Point{c.at.Min, c.at.Max.Sub(image.Pt(1, 1))} {
			if got := m.RGBAAt(p.X, p.Y); got != c.want {
				t.Errorf("%s: %v at %v, want %v", c.name, got, p, c.want)
			}
		}
	}
	if dark(m, image.Rect(gap, second+30+above, gap+40, m.Bounds().Dy())) < 50 {
		t.Error("nothing is written below the third picture")
	}
	if dark(m, image.Rect(gap, gap+30, gap+40, second)) != 0 {
		t.Error("something is written below the first picture")
	}

	titled, err := Sheet{Title: "a title that is far too long for one line", Rows: [][]Cell{{{Image: plain(100, 10, red)}}}}.Draw()
	if err != nil {
		t.Fatal(err)
	}
	if h := titled.Bounds().Dy(); h < 3*s.head.line || dark(titled, image.Rect(0, gap, 124, gap+2*s.head.line)) < 100 {
		t.Errorf("no title of several lines: height %d", h)
	}
}

func TestTextIsBroken(t *testing.T) {
	s, err := styles()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range s.text.wrap("crop 80 %, rotate +10°, supercalifragilistic, x", 60) {
		if s.text.width(line) > 60 {
			t.Errorf("%q is too wide", line)
		}
	}
	if got := s.text.fit("supercalifragilistic", 60); !strings.HasSuffix(got, "…") || !strings.HasPrefix(got, "super") {
		t.Errorf("cut to %q", got)
	}
	if got := s.text.wrap("", 60); got != nil {
		t.Errorf("nothing is broken into %q", got)
	}
}

func TestRefused(t *testing.T) {
	if _, err := (Sheet{Rows: [][]Cell{{{Title: "no picture"}}}}).Draw(); err == nil || !strings.Contains(err.Error(), "without pictures") {
		t.Errorf("no pictures: %v", err)
	}
	huge := image.NewUniform(color.Black) // without end
	if _, err := (Sheet{Rows: [][]Cell{{{Image: huge}}}}).Draw(); err == nil || !strings.Contains(err.Error(), "million pixels") {
		t.Errorf("too large: %v", err)
	}
	if _, err := newStyle([]byte("no font"), 12); err == nil {
		t.Error("text is taken for a font")
	}
}

// The legend stands at the right of the title where there is room, else below it.
func TestLegend(t *testing.T) {
	red := color.RGBA{255, 0, 0, 255}
	legend := &Legend{Bar: plain(30, 8, red), Low: "0", High: "most"}
	heights := map[string]int{}
	for _, title := range []string{"", "x", "a title that needs all of the width"} {
		m, err := Sheet{Title: title, Legend: legend, Rows: [][]Cell{{{Image: plain(300, 30, color.Black)}}}}.Draw()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := 0; i < len(m.Pix); i += 4 {
			if [4]uint8(m.Pix[i:i+4]) == [4]uint8{255, 0, 0, 255} {
				n++
			}
		}
		if n != 30*8 {
			t.Errorf("title %q: %d pixels of the bar are seen, want %d", title, n, 30*8)
		}
		heights[title] = m.Rect.Dy()
	}
	s, err := styles()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := heights["a title that needs all of the width"]-heights["x"], s.text.line; got != want {
		t.Errorf("a long title makes the sheet %d pixels higher, want %d", got, want)
	}
}

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		text  string
		width int
		drawn bool
	}{
		{"it fits", "-1", 40, true}, {"too wide", "-1.2345678", 40, false}, {"too high", "1", 8, false},
	} {
		img := image.NewGray(image.Rect(0, 0, 80, 40))
		draw.Draw(img, image.Rect(40, 0, 80, 40), image.White, image.Point{}, draw.Src)
		Write(img, []Label{{image.Pt(20, 20), c.text}, {image.Pt(60, 20), "1"}}, c.width)
		brightest, darkest := uint8(0), uint8(255)
		for y := range 40 {
			for x := range 40 {
				brightest, darkest = max(brightest, img.GrayAt(x, y).Y), min(darkest, img.GrayAt(x+40, y).Y)
			}
		}
		if brightest > 200 != c.drawn || darkest < 55 != c.drawn {
			t.Errorf("%s: on black up to %d, on white down to %d", c.name, brightest, darkest)
		}
	}
}
