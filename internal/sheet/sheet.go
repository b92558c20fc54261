// Package sheet puts labelled pictures side by side into one.
package sheet

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Cell is a picture with what is written below it: a line in bold, and text that is broken into lines. A cell without a
// picture is left empty.
type Cell struct {
	Image image.Image
	Title string
	Text  string
}

// Sheet is a grid of cells, row by row: each as wide as the widest picture of its column, and as high as the highest one of
// its row. Lower ones stand on the text below them.
type Sheet struct {
	Title  string  // above everything; may be empty
	Legend *Legend // at the right of the title, below it where it finds no room there; may be nil
	Rows   [][]Cell
}

// Legend is a scale of colours with what its ends mean.
type Legend struct {
	Bar       image.Image
	Low, High string
}

// maxPixels bounds a sheet: beyond it no viewer is of use.
const maxPixels = 200_000_000

const (
	gap   = 12 // between cells and around the sheet
	above = 4  // between a picture and the text below it
)

// style is a font at a size.
type style struct {
	face   font.Face
	ascent int
	line   int // height of a line
}

// newStyle makes a style of one of the fonts that come with Go.
func newStyle(ttf []byte, pixels float64) (style, error) {
	f, err := opentype.Parse(ttf)
	if err != nil {
		return style{}, fmt.Errorf("font: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: pixels, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return style{}, fmt.Errorf("font: %w", err)
	}
	m := face.Metrics()
	return style{face, m.Ascent.Ceil(), m.Height.Ceil()}, nil
}

// wrap breaks text at spaces, but for those that do not break, into lines of at most width pixels. A longer word is cut.
func (s style) wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		longer := strings.TrimSpace(line + " " + word)
		if s.width(longer) <= width {
			line = longer
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = s.fit(word, width)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// fit cuts text to so many pixels, with dots at its end where something is missing.
func (s style) fit(text string, width int) string {
	if s.width(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && s.width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

func (s style) width(text string) int { return font.MeasureString(s.face, text).Ceil() }

// write writes a line whose upper edge is at y.
func (s style) write(dst draw.Image, x, y int, text string, c color.Color) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: s.face, Dot: fixed.P(x, y+s.ascent)}
	d.DrawString(text)
}

// drawing serialises the use of faces, which are not safe for concurrent use.
var drawing sync.Mutex

var styles = sync.OnceValues(func() (s struct{ head, bold, text style }, err error) {
	for _, f := range []struct {
		to     *style
		ttf    []byte
		pixels float64
	}{{&s.head, gobold.TTF, 18}, {&s.bold, gobold.TTF, 13}, {&s.text, goregular.TTF, 12}} {
		if *f.to, err = newStyle(f.ttf, f.pixels); err != nil {
			return s, err
		}
	}
	return s, nil
})

// Fits reports whether a sheet of pictures of that size can be drawn, for those who would make the pictures first.
func Fits(rows, columns, w, h int) error {
	if float64(rows)*float64(h+gap)*float64(columns)*float64(w+gap) > maxPixels {
		return fmt.Errorf("a sheet of %d rows and %d columns of %dx%d pixels would have more than %d million pixels", rows, columns, w, h, maxPixels/1_000_000)
	}
	return nil
}

// Draw draws the sheet, black on white.
func (s Sheet) Draw() (*image.RGBA, error) {
	use, err := styles()
	if err != nil {
		return nil, err
	}
	drawing.Lock()
	defer drawing.Unlock()
	var columns []int // widths
	heights := make([]int, len(s.Rows))
	var largest image.Point
	for i, row := range s.Rows {
		for j, c := range row {
			if j == len(columns) {
				columns = append(columns, 0)
			}
			if c.Image != nil {
				size := c.Image.Bounds().Size()
				columns[j], heights[i] = max(columns[j], size.X), max(heights[i], size.Y)
				largest.X, largest.Y = max(largest.X, size.X), max(largest.Y, size.Y)
			}
		}
	}
	if largest.X == 0 || largest.Y == 0 {
		return nil, fmt.Errorf("a sheet without pictures")
	}
	if err := Fits(len(s.Rows), len(columns), largest.X, largest.Y); err != nil {
		return nil, err
	}
	width := gap
	for _, w := range columns {
		width += w + gap
	}

	// The text of a row decides on its height.
	type placed struct {
		y     int
		title []string
		lines [][]string
	}
	rows := make([]placed, len(s.Rows))
	y := gap
	head := use.head.wrap(s.Title, width-2*gap)
	y += len(head) * use.head.line
	legend := image.Pt(0, gap)
	if l := s.Legend; l != nil {
		legend.X = width - gap - l.Bar.Bounds().Dx() - 2*above - use.text.width(l.Low) - use.text.width(l.High)
		if last := len(head) - 1; last < 0 || gap+use.head.width(head[last])+2*gap > legend.X {
			legend.Y = y
			y += use.text.line
		} else {
			legend.Y = gap + last*use.head.line + use.head.ascent - use.text.ascent
		}
	}
	if y > gap {
		y += gap
	}
	for i, row := range s.Rows {
		p := placed{y: y}
		text := 0
		for j, c := range row {
			p.title = append(p.title, use.bold.fit(c.Title, columns[j]))
			lines := use.text.wrap(c.Text, columns[j])
			p.lines = append(p.lines, lines)
			height := len(lines) * use.text.line
			if c.Title != "" {
				height += use.bold.line
			}
			text = max(text, height)
		}
		rows[i] = p
		y += heights[i] + above + text + gap
	}
	dst := image.NewRGBA(image.Rect(0, 0, width, y))
	draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src)
	for i, line := range head {
		use.head.write(dst, gap, gap+i*use.head.line, line, color.Black)
	}
	if l := s.Legend; l != nil {
		l.draw(dst, legend, use.text)
	}
	for i, row := range s.Rows {
		x := gap
		for j, c := range row {
			y := rows[i].y
			if c.Image != nil {
				b := c.Image.Bounds()
				draw.Draw(dst, image.Rect(x, y+heights[i]-b.Dy(), x+b.Dx(), y+heights[i]), c.Image, b.Min, draw.Over)
			}
			y += heights[i] + above
			if c.Title != "" {
				use.bold.write(dst, x, y, rows[i].title[j], color.Black)
				y += use.bold.line
			}
			for _, line := range rows[i].lines[j] {
				use.text.write(dst, x, y, line, color.Gray{70})
				y += use.text.line
			}
			x += columns[j] + gap
		}
	}
	return dst, nil
}

// Label is text in a picture, around a point.
type Label struct {
	At   image.Point
	Text string
}

// Write writes labels into a picture, white on dark places and black on others. Where one of them needs more than
// width pixels, or a line is higher, it writes none.
func Write(dst draw.Image, labels []Label, width int) {
	use, err := styles()
	if err != nil {
		return
	}
	drawing.Lock()
	defer drawing.Unlock()
	for _, l := range labels {
		if use.text.width(l.Text) > width || use.text.line > width {
			return
		}
	}
	for _, l := range labels {
		ink := color.Gray{0}
		if color.GrayModel.Convert(dst.At(l.At.X, l.At.Y)).(color.Gray).Y < 120 {
			ink = color.Gray{255}
		}
		use.text.write(dst, l.At.X-use.text.width(l.Text)/2, l.At.Y-use.text.line/2, l.Text, ink)
	}
}

// draw draws the legend from its upper left corner on.
func (l *Legend) draw(dst draw.Image, at image.Point, s style) {
	s.write(dst, at.X, at.Y, l.Low, color.Gray{70})
	x := at.X + s.width(l.Low) + above
	b := l.Bar.Bounds()
	y := at.Y + (s.line-b.Dy())/2
	draw.Draw(dst, image.Rect(x, y, x+b.Dx(), y+b.Dy()), l.Bar, b.Min, draw.Src)
	s.write(dst, x+b.Dx()+above, at.Y, l.High, color.Gray{70})
}
