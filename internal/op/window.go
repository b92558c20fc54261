package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// window holds the attributes that convolutions and pools share. Lists are nil where the node does not give them.
type window struct {
	kernel    []int
	strides   []int
	dilations []int
	pads      []int // begin of every axis, then end of every axis
	autoPad   string
	ceil      bool
}

// window reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode; resolve checks them, once the rank is known.
func (s *Spec) window() window {
	w := window{
		kernel:    s.Ints("kernel_shape"),
		strides:   s.Ints("strides"),
		dilations: s.Ints("dilations"),
		pads:      s.Ints("pads"),
		autoPad:   s.String("auto_pad", "NOTSET"),
		ceil:      s.Bool("ceil_mode", false),
	}
	switch w.autoPad {
	case "":
		w.autoPad = "NOTSET"
	case "NOTSET":
	case "SAME_UPPER", "SAME_LOWER", "VALID":
		for _, p := range w.pads {
			if p != 0 {
				s.Warn("pads %v have no effect, since auto_pad is %s", w.pads, w.autoPad)
				break
			}
		}
	default:
		s.errs = append(s.errs, fmt.Errorf("auto_pad %q: want NOTSET, SAME_UPPER, SAME_LOWER or VALID", w.autoPad))
	}
	return w
}

// steps returns strides and dilations for that many spatial axes, 1 where the node gives none.
func (w window) steps(rank int) (strides, dilations []int) {
	return orOnes(w.strides, rank), orOnes(w.dilations, rank)
}

func orOnes(v []int, rank int) []int {
	if v != nil {
		return v
	}
	v = make([]int, rank)
	for i := range v {
		v[i] = 1
	}
	return v
}

// check reports attributes that do not fit a window of this kernel over that many spatial axes.
func (w window) check(rank int, kernel []int) error {
	if len(kernel) != rank {
		return fmt.Errorf("kernel %v has %d axes, input has %d spatial ones", kernel, len(kernel), rank)
	}
	var errs []error
	list := func(name string, v []int, want, least int) {
		if v == nil {
			return
		}
		if len(v) != want {
			errs = append(errs, fmt.Errorf("%s %v: want %d values, got %d", name, v, want, len(v)))
		}
		for _, x := range v {
			if x < least || x > math.MaxInt32 { // products of two still fit an int64
				errs = append(errs, fmt.Errorf("%s %v: want values of at least %d and below 2^31", name, v, least))
				return
			}
		}
	}
	list("kernel", kernel, rank, 1)
	list("strides", w.strides, rank, 1)
	list("dilations", w.dilations, rank, 1)
	if w.autoPad == "NOTSET" {
		list("pads", w.pads, 2*rank, 0)
	}
	return errors.Join(errs...)
}

// resolve computes the output's spatial size and the padding before and after each axis that the attributes stand for,
// for an input of that spatial size and a kernel of that size (the node's, or the weight's where the node gives none).
//
// With ceil_mode the size is rounded up, but the last window must start inside the input or its leading padding.
func (w window) resolve(spatial, kernel []int) (out, padBegin, padEnd []int, err error) {
	rank := len(spatial)
	if err := w.check(rank, kernel); err != nil {
		return nil, nil, nil, err
	}
	strides, dilations := w.steps(rank)
	out, padBegin, padEnd = make([]int, rank), make([]int, rank), make([]int, rank)
	for i, in := range spatial {
		s, reach := strides[i], (kernel[i]-1)*dilations[i]+1
		if w.autoPad == "SAME_UPPER" || w.autoPad == "SAME_LOWER" {
			out[i] = (in + s - 1) / s
			total := max((out[i]-1)*s+reach-in, 0)
			padBegin[i] = total / 2
			if w.autoPad == "SAME_LOWER" {
				padBegin[i] = total - total/2
			}
			padEnd[i] = total - padBegin[i]
			continue
		}
		if w.autoPad == "NOTSET" && w.pads != nil {
			padBegin[i], padEnd[i] = w.pads[i], w.pads[rank+i]
		}
		room := in + padBegin[i] + padEnd[i] - reach
		if w.ceil && w.autoPad == "NOTSET" && room > -s {
			out[i] = (room+s-1)/s + 1
			if (out[i]-1)*s >= in+padBegin[i] {
				out[i]--
			}
		} else if room >= 0 {
			out[i] = room/s + 1
		} else {
			return nil, nil, nil, fmt.Errorf("axis %d: a window of %d is larger than the input of %d with padding %d and %d",
				i, reach, in, padBegin[i], padEnd[i])
		}
	}
	return out, padBegin, padEnd, nil
}

// Window is how a convolution or pool slides over its spatial axes.
type Window struct {
	Kernel, Stride, Dilation []int
	Pad                      []int // before each axis
}

// WindowOf returns the window of a Conv or pool node for an input of that spatial size. kernel is the weight's spatial
// size; nil takes the node's kernel_shape. Padding that the node leaves to its executor (auto_pad) is worked out.
func WindowOf(n *onnx.Node, opset int, spatial, kernel []int) (Window, error) {
	s := &Spec{Node: n, Opset: opset, used: map[string]bool{}}
	w := s.window()
	if err := errors.Join(s.errs...); err != nil {
		return Window{}, err
	}
	if kernel == nil {
		kernel = w.kernel
	}
	_, begin, _, err := w.resolve(spatial, kernel)
	if err != nil {
		return Window{}, err
	}
	strides, dilations := w.steps(len(kernel))
	return Window{Kernel: kernel, Stride: strides, Dilation: dilations, Pad: begin}, nil
}
