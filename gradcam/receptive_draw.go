package gradcam

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// InputSize returns height and width of a network's input. shapes gives the shapes of inputs by name where they are not
// the declared ones.
func InputSize(m *onnx.Model, shapes map[string][]int) ([2]int, error) {
	in, err := features.ImageInput(m)
	if err != nil {
		return [2]int{}, err
	}
	shape := shapes[in.Name]
	if shape == nil && in.Type != nil {
		for _, d := range in.Type.Shape {
			shape = append(shape, d.Size)
		}
	}
	if len(shape) != 4 {
		return [2]int{}, fmt.Errorf("input %q has shape %v: want images, of rank 4", in.Name, shape)
	}
	h := 2
	if lastChannels(shape) {
		h = 1
	}
	if shape[h] < 1 || shape[h+1] < 1 {
		return [2]int{}, fmt.Errorf("input %q declares no size: give one", in.Name)
	}
	return [2]int{shape[h], shape[h+1]}, nil
}

// lastChannels reports whether a shape of rank 4 is [N,H,W,C]: no image has more than four channels.
func lastChannels(shape []int) bool { return shape[1] > 4 && shape[3] >= 1 && shape[3] <= 4 }

// FindField returns the position of the layer that a number, name or block selects.
func FindField(fields []ReceptiveField, selection string) (int, error) {
	layers := make([]backend.Layer, len(fields))
	for i, f := range fields {
		layers[i] = f.Layer
	}
	l, err := backend.FindLayer(layers, selection)
	if err != nil {
		return 0, err
	}
	for i, f := range fields {
		if f.Layer.Index == l.Index {
			return i, nil
		}
	}
	return 0, fmt.Errorf("there is no field of layer %q", selection)
}

// GrowingFields returns the layers behind which fields are larger than behind all before, at most that many of them, spread
// evenly from the first to the last. What sees the whole image at once is left out.
func GrowingFields(fields []ReceptiveField, most int) []ReceptiveField {
	var grow []ReceptiveField
	largest := 0
	for _, f := range fields {
		if f.Err == nil && f.Stride != [2]int{} && f.Size[0]*f.Size[1] > largest {
			largest = f.Size[0] * f.Size[1]
			grow = append(grow, f)
		}
	}
	if len(grow) <= most || most < 2 {
		return grow
	}
	var out []ReceptiveField
	for i := range most {
		out = append(out, grow[int(math.Round(float64(i)*float64(len(grow)-1)/float64(most-1)))])
	}
	return out
}

// Center returns the first and the last row and column that the middle position of the layer sees.
func (r ReceptiveField) Center() (from, to [2]int) {
	for i := range 2 {
		from[i] = r.Start[i] + (r.Extent[i]-1)/2*r.Stride[i]
		to[i] = from[i] + r.Size[i] - 1
	}
	return from, to
}

// DrawFields draws what the middle position of each layer sees, a picture for each: the ground, which stands for the
// whole input of that height and width, is dark outside the field. What reaches into the padding ends at the border.
func DrawFields(ground image.Image, size [2]int, fields []ReceptiveField, title string) (image.Image, error) {
	b := ground.Bounds()
	scale := [2]float64{float64(b.Dy()) / float64(size[0]), float64(b.Dx()) / float64(size[1])}
	columns := int(math.Ceil(math.Sqrt(float64(len(fields)))))
	s := sheet.Sheet{Title: title}
	for i, f := range fields {
		if f.Err != nil {
			return nil, fmt.Errorf("layer %q: %w", f.Layer.Name, f.Err)
		}
		from, to := f.Center()
		at := func(v, axis int) int { return int(math.Round(float64(v) * scale[axis])) }
		field := image.Rect(at(from[1], 1), at(from[0], 0), at(to[1]+1, 1), at(to[0]+1, 0))
		img := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(img, img.Rect, ground, b.Min, draw.Src)
		outline(img, field)
		if i%columns == 0 {
			s.Rows = append(s.Rows, nil)
		}
		row := &s.Rows[len(s.Rows)-1]
		*row = append(*row, sheet.Cell{Image: img, Title: fmt.Sprintf("%d %s", f.Layer.Index, f.Layer.Name),
			Text: fmt.Sprintf("sees %dx%d, every %dx%d", f.Size[0], f.Size[1], f.Stride[0], f.Stride[1])})
	}
	return s.Draw()
}

// outline darkens what lies outside a field, and draws its border.
func outline(img *image.NRGBA, field image.Rectangle) {
	const line = 2
	inner := field.Inset(line)
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			p := image.Pt(x, y)
			switch {
			case !p.In(field):
				c := img.NRGBAAt(x, y)
				img.SetNRGBA(x, y, color.NRGBA{c.R / 3, c.G / 3, c.B / 3, 255})
			case !p.In(inner):
				img.SetNRGBA(x, y, color.NRGBA{230, 60, 30, 255})
			}
		}
	}
}
