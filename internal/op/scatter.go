package op

import "github.com/onnxcnn/onnxcnn/onnx"

// scatterBlocks writes the blocks of n elements that src holds to the places in dst, in order: the last one wins, or
// all are combined with what is there by the reduction.
func scatterBlocks(dst, src *onnx.Tensor, places []int, n int, reduce string) {
	if n == 0 || len(places) == 0 {
		return
	}
	if reduce == "" || reduce == "none" {
		switch elemSize(dst.Type) {
		case 1:
			scatterWords(words[uint8](dst), words[uint8](src), places, n)
		case 2:
			scatterWords(words[uint16](dst), words[uint16](src), places, n)
		case 4:
			scatterWords(words[uint32](dst), words[uint32](src), places, n)
		case 8:
			scatterWords(words[uint64](dst), words[uint64](src), places, n)
		case 16:
			scatterWords(words[[2]uint64](dst), words[[2]uint64](src), places, n)
		default:
			scatterWords(dst.Strings, src.Strings, places, n)
		}
		return
	}
	blockReducers[dst.Type](dst, src, places, n, reduce)
}

var blockReducers = map[onnx.DataType]func(dst, src *onnx.Tensor, places []int, n int, reduce string){
	onnx.Float: reduceBlocks[float32], onnx.Double: reduceBlocks[float64],
	onnx.Int8: reduceBlocks[int8], onnx.Int16: reduceBlocks[int16], onnx.Int32: reduceBlocks[int32], onnx.Int64: reduceBlocks[int64],
	onnx.Uint8: reduceBlocks[uint8], onnx.Uint16: reduceBlocks[uint16], onnx.Uint32: reduceBlocks[uint32], onnx.Uint64: reduceBlocks[uint64],
	onnx.Float16: reduceHalves(onnx.Float16FromFloat32), onnx.BFloat16: reduceHalves(onnx.BFloat16FromFloat32),
}

func scatterWords[T word](dst, src []T, places []int, n int) {
	if n == 1 {
		for i, p := range places {
			dst[p] = src[i]
		}
		return
	}
	for i, p := range places {
		copy(dst[p:p+n], src[i*n:(i+1)*n])
	}
}

func reduceBlocks[T real](dst, src *onnx.Tensor, places []int, n int, reduce string) {
	to, from := onnx.Data[T](dst), onnx.Data[T](src)
	for i, p := range places {
		combine(to[p:p+n], from[i*n:(i+1)*n], reduce)
	}
}

// combine reduces from into to; max and min pass NaN on.
func combine[T real](to, from []T, reduce string) {
	switch reduce {
	case "add":
		for i, v := range from {
			to[i] += v
		}
	case "mul":
		for i, v := range from {
			to[i] *= v
		}
	case "max":
		for i, v := range from {
			to[i] = max(to[i], v)
		}
	case "min":
		for i, v := range from {
			to[i] = min(to[i], v)
		}
	}
}

func reduceHalves[T interface {
	onnx.Element
	Float32() float32
}](round func(float32) T) func(dst, src *onnx.Tensor, places []int, n int, reduce string) {
	return func(dst, src *onnx.Tensor, places []int, n int, reduce string) {
		to, from := onnx.Data[T](dst), onnx.Data[T](src)
		var a, b [1]float32
		for i, p := range places {
			for j := range n {
				a[0], b[0] = to[p+j].Float32(), from[i*n+j].Float32()
				combine(a[:], b[:], reduce)
				to[p+j] = round(a[0])
			}
		}
	}
}
