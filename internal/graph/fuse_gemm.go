package graph

import "github.com/onnxcnn/onnxcnn/onnx"

// makeGemm makes a Gemm of MatMul(x, w) + b, for a matrix x, a constant matrix w and a constant row b.
func (f *fuser) makeGemm(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Add" || !isONNX(n.Domain) || f.opsets("") < 7 || len(n.Inputs) != 2 {
		return false
	}
	for side := range 2 {
		mul, at := f.made(n.Inputs[side], "MatMul")
		b := f.float(n.Inputs[1-side])
		if mul == nil || b == nil {
			continue
		}
		w, x := f.float(mul.Inputs[1]), f.hints[mul.Inputs[0]]
		if w == nil || len(w.Shape) != 2 || x.Type != onnx.Float || len(x.Shape) != 2 {
			continue
		}
		if _, ok := perChannel(b, 2, w.Shape[1]); !ok {
			continue
		}
		f.replace(i, at, &onnx.Node{Name: mul.Name, OpType: "Gemm", Inputs: []string{mul.Inputs[0], mul.Inputs[1], n.Inputs[1-side]}})
		return true
	}
	return false
}
