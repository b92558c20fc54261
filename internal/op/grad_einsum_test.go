package op_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestEinsumGradients(t *testing.T) {
	var cases []gradCase
	for _, c := range []struct {
		equation string
		shapes   [][]int
	}{
		{"ij,jk->ik", [][]int{{2, 3}, {3, 4}}},
		{"bij,bjk->bik", [][]int{{2, 2, 3}, {2, 3, 4}}},
		{"bhqd,bhkd->bhqk", [][]int{{1, 2, 3, 4}, {1, 2, 2, 4}}},
		{"ij->ji", [][]int{{2, 3}}},
		{"ij->i", [][]int{{2, 3}}},
		{"ij->", [][]int{{2, 3}}},
		{"i,i->", [][]int{{3}, {3}}},
		{"i,j->ij", [][]int{{3}, {2}}},
		{"ij,kl->i", [][]int{{2, 3}, {2, 2}}},
		{"ba,bc", [][]int{{2, 3}, {2, 2}}},
		{"...ij,...jk->...ik", [][]int{{2, 2, 3}, {1, 3, 2}}},
		{"...ij,jk->...ik", [][]int{{2, 2, 3}, {3, 2}}},
		{"ij,ij->i", [][]int{{2, 3}, {2, 1}}},
		{"i,ij,jk->k", [][]int{{2}, {2, 3}, {3, 2}}},
	} {
		in := make([]*onnx.Tensor, len(c.shapes))
		for i, s := range c.shapes {
			in[i] = normal64(uint64(i), s...)
		}
		cases = append(cases, gradCase{name: fmt.Sprint(c.equation, c.shapes), node: gradNode("Einsum", op.Attr("equation", c.equation)), in: in})
	}
	checkGradients(t, cases)
}

// A diagonal is refused.
func TestEinsumWithoutGradient(t *testing.T) {
	c := gradCase{node: gradNode("Einsum", op.Attr("equation", "ii->"))}
	m, train := gradModel(c, []*onnx.Tensor{normal64(1, 2, 2)}, true)
	m.Graph.Outputs = []*onnx.Value{{Name: "y0"}}
	_, err := graph.CompileTraining(m, graph.TrainOptions{Train: train, Loss: "y0", Pool: gradPool})
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("error %v", err)
	}
}
