package op

import "github.com/onnxcnn/onnxcnn/onnx"

func init() {
	registerGrad("", "ScatterElements", func(g *Grad) error {
		axis := Attr("axis", g.Int("axis", 0))
		return scatterGrad(g, g.In[1].Shape, g.In[2].Shape, "ScatterElements", "GatherElements", axis)
	})
	registerGrad("", "Scatter", func(g *Grad) error {
		axis := Attr("axis", g.Int("axis", 0))
		return scatterGrad(g, g.In[1].Shape, g.In[2].Shape, "ScatterElements", "GatherElements", axis)
	})
	registerGrad("", "ScatterND", func(g *Grad) error {
		idx := g.In[1].Shape
		ids := append([]int{}, idx[:len(idx)-1]...)
		for len(ids) < len(g.In[2].Shape) {
			ids = append(ids, 1)
		}
		return scatterGrad(g, ids, g.In[2].Shape, "ScatterND", "GatherND")
	})
	registerGrad("", "TopK", topKGrad)
}

// scatterGrad is the gradient of ScatterElements and ScatterND without reduction or with sums: the updates get what
// came to their places, and the data what came to all others (sums: to all). Of several updates for one place only the
// last, which won, gets it. ids is the shape of the updates with one element for each that is scattered as a whole.
func scatterGrad(g *Grad, ids, updates []int, scatter, gather string, attrs ...*onnx.Attribute) error {
	reduction := g.String("reduction", "none")
	up, indices := g.Up[0], g.Input(1)
	switch reduction {
	case "add":
		g.setIfWanted(0, func() string { return up })
		g.setIfWanted(2, func() string { return g.Add(gather, []string{up, indices}, attrs...) })
		return nil
	case "none":
	default:
		return gradientError("reduction " + reduction)
	}
	g.setIfWanted(0, func() string {
		return g.Add(scatter, []string{up, indices, g.Zeros(g.In[0].Type, updates)}, attrs...)
	})
	g.setIfWanted(2, func() string {
		// Scatters the updates' numbers along with them, to see which have won.
		number := onnx.New(onnx.Int64, updates...)
		whole := prod(updates)
		if n := prod(ids); n > 0 {
			whole /= n
		}
		for i := range number.Int64s() {
			number.Int64s()[i] = int64(i / max(whole, 1))
		}
		all := g.Builder.Const(number)
		placed := g.Add(scatter, []string{g.Builder.Const(onnx.New(onnx.Int64, g.In[0].Shape...)), indices, all}, attrs...)
		won := g.Add("Equal", []string{g.Add(gather, []string{placed, indices}, attrs...), all})
		return g.Add("Where", []string{won, g.Add(gather, []string{up, indices}, attrs...), g.Zeros(g.In[0].Type, []int{})})
	})
	return nil
}

// gradientError says what of an operator has no gradient.
type gradientError string

func (e gradientError) Error() string { return string(e) + " has no gradient" }

// topKGrad puts the gradients of the values back to where the values were.
func topKGrad(g *Grad) error {
	if !g.Wanted(0) || g.Up[0] == "" {
		return nil
	}
	axis := g.Int("axis", -1)
	indices := ""
	if len(g.Node.Outputs) > 1 {
		indices = g.Output(1)
	}
	if indices == "" {
		n, err := normAxis(axis, len(g.Out[0].Shape))
		if err != nil {
			return err
		}
		indices = g.Builder.Add(&onnx.Node{OpType: "TopK", Inputs: []string{g.Input(0), g.Ints([]int{g.Out[0].Shape[n]})},
			Attrs: []*onnx.Attribute{Attr("axis", axis), Attr("largest", g.Int("largest", 1))}}, 2)[1]
	}
	g.Set(0, g.Add("ScatterElements", []string{g.Zeros(g.In[0].Type, g.In[0].Shape), indices, g.Up[0]}, Attr("axis", axis)))
	return nil
}
