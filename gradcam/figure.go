package gradcam

import (
	"fmt"
	"image"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
)

// Explained is an image with maps of it: a row of a [Figure].
type Explained struct {
	Name    string // as it is written below the picture
	Image   *Image
	Maps    []*Map
	Quality []*Quality // of each map; nil where it was not measured
}

// mostColumns is how many pictures stand beside each other: more would be small on any paper.
const mostColumns = 6

// Figure is a grid: each image as the network sees it, and beside it its maps with class, probability and method. Many maps
// of an image go on in further lines.
type Figure struct {
	Title string
	Style Style
	Width int // of a picture in pixels, 0 for about 320
	Rows  []Explained
}

// Draw draws the figure.
func (f Figure) Draw() (*image.RGBA, error) {
	if len(f.Rows) == 0 {
		return nil, fmt.Errorf("a figure without images")
	}
	if err := f.Style.Check(); err != nil {
		return nil, err
	}
	s := sheet.Sheet{Title: f.Title}
	overlays := false
	for _, r := range f.Rows {
		size := r.Image.x.recipe.Size
		width := f.Width
		if width == 0 {
			width = 320
		}
		times := max((width+size[1]/2)/size[1], 1)
		lines := (1 + len(r.Maps) + mostColumns - 1) / mostColumns
		columns := (1 + len(r.Maps) + lines - 1) / lines
		if err := sheet.Fits(len(f.Rows)*lines, columns, times*size[1], times*size[0]); err != nil {
			return nil, err
		}
		view, err := r.Image.View(times)
		if err != nil {
			return nil, err
		}
		best := r.Image.Predicted
		row := []sheet.Cell{{Image: view, Title: r.Name, Text: fmt.Sprintf("predicted: %s, %.1f\u00a0%%", r.Image.Label(best), 100*r.Image.Probability(best))}}
		for i, m := range r.Maps {
			img, err := r.Image.Draw(view, m, f.Style)
			if err != nil {
				return nil, err
			}
			overlays = overlays || m.Signed == nil
			method, err := MethodByName(m.Method)
			if err != nil {
				return nil, err
			}
			text := method.Title
			if m.Layer != "" {
				text += fmt.Sprintf(", %dx%d", m.H, m.W)
			}
			if i < len(r.Quality) && r.Quality[i] != nil {
				q := r.Quality[i]
				text += fmt.Sprintf(" · deletion %.3f, insertion %.3f, ROAD %+.3f", q.Deletion.Area, q.Insertion.Area, q.Road)
			}
			if m.Note != "" {
				text += " · " + m.Note
			}
			row = append(row, sheet.Cell{Image: img, Title: fmt.Sprintf("%s  %.1f\u00a0%%", r.Image.Label(m.Class), 100*r.Image.Probability(m.Class)), Text: text})
		}
		s.Rows = slices.AppendSeq(s.Rows, slices.Chunk(row, columns))
	}
	if overlays {
		s.Legend = &sheet.Legend{Bar: heat.Bar(f.Style.palette("turbo"), 120, 10), Low: "0", High: "most"}
	}
	return s.Draw()
}
