package op

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "TfIdfVectorizer", Since: 9, MinIn: 1, MaxIn: 1, MaxOut: 1, New: newTfIdf})
}

// tfIdf counts the n-grams of each row that are in its pool. An n-gram's elements may have others between them, up to a
// number of skips, the same between each two. Mode TF gives the counts, IDF the weights of those that are there, TFIDF
// the products of both.
type tfIdf struct {
	typ           onnx.DataType // Int64 or String
	shortest      int
	longest       int
	skips         int
	grams         map[string]gram // by key
	width         int             // columns of the output
	counts, byIDF bool
}

// gram is where an n-gram is counted.
type gram struct {
	column int
	weight float32
}

func newTfIdf(s *Spec) (Op, error) {
	o := tfIdf{shortest: s.Int("min_gram_length", 0), longest: s.Int("max_gram_length", 0), skips: s.Int("max_skip_count", 0), grams: map[string]gram{}}
	if o.shortest < 1 || o.longest < o.shortest || o.skips < 0 {
		return nil, fmt.Errorf("min_gram_length %d, max_gram_length %d, max_skip_count %d: want lengths from 1 on, the smaller first, and no negative skips", o.shortest, o.longest, o.skips)
	}
	switch mode := s.String("mode", ""); mode {
	case "TF":
		o.counts = true
	case "IDF":
		o.byIDF = true
	case "TFIDF":
		o.counts, o.byIDF = true, true
	default:
		return nil, fmt.Errorf("mode %q: want TF, IDF or TFIDF", mode)
	}
	columns, weights, starts := s.Ints("ngram_indexes"), s.Floats("weights"), s.Ints("ngram_counts")
	ints, texts := s.Ints("pool_int64s"), s.Strings("pool_strings")
	if (ints == nil) == (texts == nil) {
		return nil, errors.New("want one of pool_int64s and pool_strings")
	}
	if weights != nil && len(weights) != len(columns) {
		return nil, fmt.Errorf("has %d weights for %d n-grams", len(weights), len(columns))
	}
	o.typ = onnx.Int64
	if texts != nil {
		o.typ = onnx.String
	}
	size := max(len(ints), len(texts))
	if len(starts) < o.longest {
		return nil, fmt.Errorf("ngram_counts has %d elements, want one for each length up to %d", len(starts), o.longest)
	}
	for i, column := range columns {
		if column < 0 || column >= maxElements {
			return nil, fmt.Errorf("ngram_indexes: element %d is %d", i, column)
		}
		o.width = max(o.width, column+1)
	}
	next := 0 // n-grams so far
	for i, from := range starts {
		to := size
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		n := i + 1
		if from < 0 || to < from || to > size || (to-from)%n != 0 {
			return nil, fmt.Errorf("ngram_counts %v do not cut a pool of %d elements into n-grams", starts, size)
		}
		for at := from; at < to; at += n {
			if next == len(columns) {
				return nil, fmt.Errorf("the pool has more than the %d n-grams of ngram_indexes", len(columns))
			}
			g := gram{columns[next], 1}
			if o.byIDF && weights != nil {
				g.weight = weights[next]
			}
			next++
			var key []byte
			for k := at; k < at+n; k++ {
				if texts != nil {
					key = appendText(key, texts[k])
				} else {
					key = appendNumber(key, ints[k])
				}
			}
			if _, twice := o.grams[string(key)]; twice {
				return nil, fmt.Errorf("the pool has its n-gram %d twice", next-1)
			}
			o.grams[string(key)] = g
		}
	}
	return o, nil
}

// appendText and appendNumber write a part of a key, so that keys are equal where all parts are.
func appendText(key []byte, s string) []byte { return append(appendNumber(key, len(s)), s...) }

func appendNumber(key []byte, v int) []byte { return append(strconv.AppendInt(key, int64(v), 10), ',') }

func (o tfIdf) Infer(in []Info) ([]Info, error) {
	if in[0].Type != o.typ && (o.typ != onnx.Int64 || in[0].Type != onnx.Int32) {
		return nil, fmt.Errorf("input of type %v does not fit a pool of %v", in[0].Type, o.typ)
	}
	rank := len(in[0].Shape)
	if rank < 1 || rank > 2 {
		return nil, fmt.Errorf("input of shape %v: want one row or several", in[0].Shape)
	}
	shape := append(slices.Clone(in[0].Shape[:rank-1]), o.width)
	return []Info{{Type: onnx.Float, Shape: shape}}, checkSize(shape)
}

func (o tfIdf) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	var part func(key []byte, i int) []byte
	if o.typ == onnx.String {
		part = func(key []byte, i int) []byte { return appendText(key, in[0].Strings[i]) }
	} else {
		numbers, err := intsOf(in[0])
		if err != nil {
			return err
		}
		part = func(key []byte, i int) []byte { return appendNumber(key, numbers[i]) }
	}
	y := out[0].Float32s()
	clear(y)
	length := in[0].Shape[len(in[0].Shape)-1]
	if length == 0 || o.width == 0 {
		return nil
	}
	rt.Pool.For(len(y)/o.width, 1, func(lo, hi int) {
		var key []byte
		for row := lo; row < hi && rt.Context.Err() == nil; row++ {
			y := y[row*o.width:][:o.width]
			for n := o.shortest; n <= min(o.longest, length); n++ {
				// Skips make no difference to one element.
				for step := 1; step == 1 || n > 1 && step <= o.skips+1 && (n-1)*step < length; step++ {
					for first := 0; first+(n-1)*step < length; first++ {
						key = key[:0]
						for k := range n {
							key = part(key, row*length+first+k*step)
						}
						g, ok := o.grams[string(key)]
						switch {
						case !ok:
						case o.counts:
							y[g.column] += g.weight
						default:
							y[g.column] = g.weight
						}
					}
				}
			}
		}
	})
	return rt.Context.Err()
}
