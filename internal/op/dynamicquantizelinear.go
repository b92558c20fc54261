package op

import "github.com/onnxcnn/onnxcnn/onnx"

func init() {
	register(Def{Type: "DynamicQuantizeLinear", Since: 11, MinIn: 1, MaxIn: 1, MaxOut: 3,
		New: func(*Spec) (Op, error) { return dynamicQuantizeLinear{}, nil }})
}

// dynamicQuantizeLinear quantises to uint8 with a scale that lets [min(x,0), max(x,0)] fill [0,255]. Outputs are the
// quantised values, the scale and the zero point. Where all of x is 0 the scale is 1.
type dynamicQuantizeLinear struct{}

func (dynamicQuantizeLinear) Infer(in []Info) ([]Info, error) {
	if in[0].Type != onnx.Float {
		return nil, typeError(0, in[0].Type)
	}
	return []Info{{Type: onnx.Uint8, Shape: in[0].Shape}, {Type: onnx.Float}, {Type: onnx.Uint8}}, nil
}

func (dynamicQuantizeLinear) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	x := in[0].Float32s()
	pieces := (len(x) + cheapGrain - 1) / cheapGrain
	los, his := make([]float32, pieces), make([]float32, pieces)
	rt.Pool.For(pieces, 1, func(from, to int) {
		for p := from; p < to; p++ {
			lo, hi := float32(0), float32(0)
			for _, v := range x[p*cheapGrain : min((p+1)*cheapGrain, len(x))] {
				if v < lo {
					lo = v
				}
				if v > hi {
					hi = v
				}
			}
			los[p], his[p] = lo, hi
		}
	})
	lo, hi := float32(0), float32(0)
	for p := range los {
		lo, hi = min(lo, los[p]), max(hi, his[p])
	}
	scale := (hi - lo) / 255
	if scale == 0 {
		scale = 1
	}
	zero := quantised(-lo/scale, 0, 0, 255)
	if y := out[0]; y != nil {
		ys := onnx.Data[uint8](y)
		rt.Pool.For(len(x), costlyGrain, func(from, to int) {
			for i := from; i < to; i++ {
				ys[i] = uint8(quantised(x[i]/scale, zero, 0, 255))
			}
		})
	}
	if out[1] != nil {
		out[1].Float32s()[0] = scale
	}
	if out[2] != nil {
		onnx.Data[uint8](out[2])[0] = uint8(zero)
	}
	return nil
}
