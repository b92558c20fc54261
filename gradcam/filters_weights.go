package gradcam

import (
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// inSingle returns a model without functions, and in single precision where it is in half.
func inSingle(m *onnx.Model) (*onnx.Model, error) {
	if convert.IsHalf(m) {
		return convert.Float32(m)
	}
	return m.Inlined()
}

// WeightImages draws the filters of the first convolution as images: with three channels in colour, each filter scaled to
// its own largest weight around middle grey; with another number of channels their mean in grey.
func WeightImages(m *onnx.Model, recipe zoo.Recipe, side int) ([]image.Image, error) {
	m, err := inSingle(m)
	if err != nil {
		return nil, err
	}
	sorted, err := m.Graph.Sort()
	if err != nil {
		return nil, err
	}
	for _, n := range sorted {
		if n.OpType != "Conv" || len(n.Inputs) < 2 {
			continue
		}
		w := m.Graph.Initializer(n.Inputs[1])
		if w == nil || len(w.Shape) != 4 || w.Type != onnx.Float {
			return nil, fmt.Errorf("%s: its weights are not an initializer of float32", n)
		}
		var out []image.Image
		channels, h, width := w.Shape[1], w.Shape[2], w.Shape[3]
		times := max((side+width-1)/width, 1)
		for f := range w.Shape[0] {
			v := w.Float32s()[f*channels*h*width:][:channels*h*width]
			largest := float32(1e-12)
			for _, x := range v {
				largest = max(largest, x, -x)
			}
			img := image.NewNRGBA(image.Rect(0, 0, times*width, times*h))
			for i := range img.Pix {
				c, x, y := i%4, i/4%img.Rect.Dx()/times, i/4/img.Rect.Dx()/times
				img.Pix[i] = 255
				if c == 3 {
					continue
				}
				at := y*width + x
				value := float32(0)
				switch {
				case channels == 3 && recipe.Channels == "BGR":
					value = v[(2-c)*h*width+at]
				case channels == 3:
					value = v[c*h*width+at]
				default:
					for k := range channels {
						value += v[k*h*width+at] / float32(channels)
					}
				}
				img.Pix[i] = uint8(math.Round(float64(value/largest)*127 + 128))
			}
			out = append(out, img)
		}
		return out, nil
	}
	return nil, errors.New("the network has no convolution")
}
