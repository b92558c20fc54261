package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestTfIdfVectorizer(t *testing.T) {
	with := func(more attrs) *onnx.Node {
		// The pool: 7, 8, (7 8), (8 8) in columns 1, 0, 2, 4.
		a := attrs{"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 0, "ngram_counts": []int{0, 2}, "ngram_indexes": []int{1, 0, 2, 4}, "pool_int64s": []int{7, 8, 7, 8, 8, 8}}
		for k, v := range more {
			if v == nil {
				delete(a, k)
				continue
			}
			a[k] = v
		}
		return node("TfIdfVectorizer", 1, 1, a)
	}
	words := func(v ...string) *onnx.Tensor {
		return &onnx.Tensor{Type: onnx.String, Shape: []int{len(v)}, Strings: v}
	}
	x := i64([]int{5}, 7, 8, 9, 8, 8)
	weights := []float32{10, 20, 30, 40}
	runCases(t, []opCase{
		{name: "counts", node: with(nil), in: tensors{x}, want: tensors{f32([]int{5}, 3, 1, 1, 0, 1)}},
		{name: "skips", node: with(attrs{"max_skip_count": 1}), in: tensors{x}, want: tensors{f32([]int{5}, 3, 1, 1, 0, 2)}},
		{name: "more skips than elements", node: with(attrs{"max_skip_count": 1 << 40}), in: tensors{x}, want: tensors{f32([]int{5}, 3, 1, 3, 0, 3)}},
		{name: "pairs only", node: with(attrs{"min_gram_length": 2}), in: tensors{x}, want: tensors{f32([]int{5}, 0, 0, 1, 0, 1)}},
		{name: "weights of what is there", node: with(attrs{"mode": "IDF", "weights": weights}), in: tensors{x}, want: tensors{f32([]int{5}, 20, 10, 30, 0, 40)}},
		{name: "counts and weights", node: with(attrs{"mode": "TFIDF", "weights": weights}), in: tensors{x}, want: tensors{f32([]int{5}, 60, 10, 30, 0, 40)}},
		{name: "without weights", node: with(attrs{"mode": "IDF"}), in: tensors{x}, want: tensors{f32([]int{5}, 1, 1, 1, 0, 1)}},
		{name: "rows", node: with(nil), in: tensors{i32([]int{2, 2}, 8, 8, 7, 8)}, want: tensors{f32([]int{2, 5}, 2, 0, 0, 0, 1, 1, 1, 1, 0, 0)}},
		{name: "shorter than a pair", node: with(nil), in: tensors{i64([]int{1}, 7)}, want: tensors{f32([]int{5}, 0, 1, 0, 0, 0)}},
		{name: "nothing", node: with(nil), in: tensors{i64([]int{2, 0})}, want: tensors{f32([]int{2, 5}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)}},
		{name: "words", node: with(attrs{"pool_int64s": nil, "pool_strings": []string{"a", "b", "a", "bc", "ab", "c"}}), in: tensors{words("a", "bc", "ab", "c", "b")}, want: tensors{f32([]int{5}, 1, 1, 1, 0, 1)}},
		{name: "words for numbers", node: with(nil), in: tensors{words("a")}, wantErr: "string does not fit a pool of int64"},
		{name: "rank", node: with(nil), in: tensors{i64(nil, 1)}, wantErr: "want one row or several"},
		{name: "mode", node: with(attrs{"mode": "tf"}), in: tensors{x}, wantErr: `mode "tf"`},
		{name: "lengths", node: with(attrs{"min_gram_length": 3}), in: tensors{x}, wantErr: "min_gram_length 3, max_gram_length 2"},
		{name: "two pools", node: with(attrs{"pool_strings": []string{"a"}}), in: tensors{x}, wantErr: "want one of pool_int64s and pool_strings"},
		{name: "number of weights", node: with(attrs{"weights": []float32{1}}), in: tensors{x}, wantErr: "1 weights for 4 n-grams"},
		{name: "lengths without counts", node: with(attrs{"ngram_counts": []int{0}}), in: tensors{x}, wantErr: "ngram_counts has 1 elements"},
		{name: "counts beyond the pool", node: with(attrs{"ngram_counts": []int{0, 9}}), in: tensors{x}, wantErr: "do not cut a pool of 6 elements"},
		{name: "counts that cut an n-gram", node: with(attrs{"ngram_counts": []int{0, 1}}), in: tensors{x}, wantErr: "do not cut a pool of 6 elements"},
		{name: "too few columns", node: with(attrs{"ngram_indexes": []int{0, 1, 2}}), in: tensors{x}, wantErr: "more than the 3 n-grams"},
		{name: "negative column", node: with(attrs{"ngram_indexes": []int{0, 1, 2, -1}}), in: tensors{x}, wantErr: "element 3 is -1"},
		{name: "twice", node: with(attrs{"pool_int64s": []int{7, 7, 7, 8, 8, 8}}), in: tensors{x}, wantErr: "n-gram 1 twice"},
		{name: "far column", node: with(attrs{"ngram_indexes": []int{0, 1, 2, 1 << 54}}), in: tensors{i64([]int{1 << 4, 1}, make([]int64, 16)...)}, wantErr: "too large"},
	})
	runNodeCases(t, "TfIdfVectorizer", nil)
}
