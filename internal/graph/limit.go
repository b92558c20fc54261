package graph

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/sizes"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// defaultLimit bounds the memory of a run, and so of every value in it, in bytes, whatever the machine has: far from where
// sums of sizes overflow.
const defaultLimit = 64 << 30

// machineLimit is the limit on this machine: a share of its memory, so that a model that asks for more gets an error
// instead of having the process killed.
func machineLimit() int {
	if n := bigmem.Available(); n > 0 {
		return min(n/4*3, defaultLimit)
	}
	return defaultLimit
}

// loopShare is the part of the limit that the values of one iteration of a loop may take: those of the iterations before
// are memory, too, until it is collected.
const loopShare = 4

// stringBytes is what a string takes in a tensor besides its characters.
const stringBytes = 16

// tooLarge is the error for a value of more than limit bytes.
func tooLarge(typ onnx.DataType, shape []int, limit int) error {
	return fmt.Errorf("a value of type %v and shape %v takes more than the limit of %d bytes", typ, shape, limit)
}

// sizeOf returns the bytes that a value takes, and an error if that is more than limit.
func sizeOf(typ onnx.DataType, shape []int, limit int) (int, error) {
	if slices.ContainsFunc(shape, func(d int) bool { return d < 0 }) {
		return 0, fmt.Errorf("negative dimension in shape %v", shape)
	}
	width := typ.Bits()
	if typ == onnx.String {
		width = 8 * stringBytes
	}
	n, _ := sizes.Product(shape...)
	bits, fits := sizes.Product(n, width) // n is too large already where it did not fit
	switch {
	case bits == 0:
		return 0, nil
	case !fits || bits/8 > limit:
		return 0, tooLarge(typ, shape, limit)
	}
	return (bits + 7) / 8, nil
}

// bytesOf returns the bytes that a value with a checked shape takes.
func bytesOf(info *op.Info) int { return info.Type.Bytes(onnx.NumElements(info.Shape)) }

// heldBy returns the bytes that a tensor holds.
func heldBy(t *onnx.Tensor) int { return len(t.Raw) + stringBytes*len(t.Strings) }

// checkInfos looks at what an operator says of its outputs: each one that the node names is there, and its size is
// within limit.
func checkInfos(n *onnx.Node, out []op.Info, limit int) error {
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i >= len(out) || out[i].Absent() {
			return fmt.Errorf("has no output %d (%q)", i, name)
		}
		if out[i].Dynamic {
			continue
		}
		if _, err := sizeOf(out[i].Type, out[i].Shape, limit); err != nil {
			return fmt.Errorf("output %q: %w", name, err)
		}
		if v := out[i].Value; v != nil {
			if err := checkTensor(v, limit); err != nil {
				return fmt.Errorf("output %q: internal error of the operator: %w", name, err)
			}
		}
	}
	return nil
}

// checkTensor makes sure that a tensor's memory fits its type and shape.
func checkTensor(t *onnx.Tensor, limit int) error {
	size, err := sizeOf(t.Type, t.Shape, limit)
	if err != nil {
		return err
	}
	switch {
	case t.Type == onnx.String:
		if len(t.Strings) != t.Len() {
			return fmt.Errorf("%v%v has %d strings, got %d", t.Type, t.Shape, t.Len(), len(t.Strings))
		}
	case !t.Type.Known():
		return fmt.Errorf("elements are of type %v", t.Type)
	case len(t.Raw) != size:
		return fmt.Errorf("%v%v takes %d bytes, got %d", t.Type, t.Shape, size, len(t.Raw))
	}
	return nil
}
