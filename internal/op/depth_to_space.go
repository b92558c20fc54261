package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "DepthToSpace", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		b, err := newBlocks(s)
		return depthToSpace{b}, err
	}})
	register(Def{Type: "SpaceToDepth", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		b, err := newBlocks(s)
		return spaceToDepth{b}, err
	}})
}

// blocks is how a channel number stands for a place in a block of pixels and a channel of the other side: in this order
// (DCR), or the channel first (CRD, as PyTorch's PixelShuffle has it).
type blocks struct {
	block int
	crd   bool
}

func newBlocks(s *Spec) (blocks, error) {
	b := blocks{block: s.Int("blocksize", 0)}
	if b.block < 1 || b.block > 1<<20 {
		return b, fmt.Errorf("blocksize is %d, want 1 or more", b.block)
	}
	switch mode := s.String("mode", "DCR"); mode {
	case "DCR":
	case "CRD":
		b.crd = true
	default:
		return b, fmt.Errorf("mode %q is not known", mode)
	}
	return b, nil
}

// depthToSpace moves channels of an [N,C,H,W] input into blocks of pixels, [N,C/b²,H*b,W*b].
type depthToSpace struct{ blocks }

func (d depthToSpace) Infer(in []Info) ([]Info, error) {
	s, b := in[0].Shape, d.block
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if len(s) != 4 {
		return nil, fmt.Errorf("want rank 4, got shape %v", s)
	}
	if s[1]%(b*b) != 0 {
		return nil, fmt.Errorf("%d channels are not a multiple of the %d pixels of a block", s[1], b*b)
	}
	out := []int{s[0], s[1] / (b * b), mulSat(s[2], b), mulSat(s[3], b)}
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (d depthToSpace) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	s, b := in[0].Shape, d.block
	if d.crd {
		transposeInto(rt, out[0], in[0], []int{s[0], s[1] / (b * b), b, b, s[2], s[3]}, []int{0, 1, 4, 2, 5, 3})
		return nil
	}
	transposeInto(rt, out[0], in[0], []int{s[0], b, b, s[1] / (b * b), s[2], s[3]}, []int{0, 3, 4, 1, 5, 2})
	return nil
}

// spaceToDepth moves blocks of pixels of an [N,C,H,W] input into channels, [N,C*b²,H/b,W/b].
type spaceToDepth struct{ blocks }

func (d spaceToDepth) Infer(in []Info) ([]Info, error) {
	s, b := in[0].Shape, d.block
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if len(s) != 4 {
		return nil, fmt.Errorf("want rank 4, got shape %v", s)
	}
	if s[2]%b != 0 || s[3]%b != 0 {
		return nil, fmt.Errorf("height %d and width %d are not both multiples of the block size %d", s[2], s[3], b)
	}
	out := []int{s[0], mulSat(s[1], b*b), s[2] / b, s[3] / b}
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (d spaceToDepth) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	s, b := in[0].Shape, d.block
	order := []int{0, 3, 5, 1, 2, 4}
	if d.crd {
		order = []int{0, 1, 3, 5, 2, 4}
	}
	transposeInto(rt, out[0], in[0], []int{s[0], s[1], s[2] / b, b, s[3] / b, b}, order)
	return nil
}
