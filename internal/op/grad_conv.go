package op

import "github.com/onnxcnn/onnxcnn/internal/conv"

func init() {
	registerGrad("", "Conv", convGradient)
	registerGrad("", "ConvTranspose", convTransposeGradient)
}

// convGradient is the gradient of Conv, by the internal operators ConvInputGrad, ConvWeightGrad and ChannelSum.
func convGradient(g *Grad) error {
	c, err := newConvolution(g.Spec)
	if err != nil {
		return err
	}
	s, err := c.shape(g.In[0].Shape, g.In[1].Shape)
	if err != nil {
		return err
	}
	if g.Wanted(0) {
		g.Set(0, g.AddInternal("ConvInputGrad", 1, []string{g.Up[0], g.Input(1)}, convGradAttrs(s, g.In[0].Shape)...)[0])
	}
	if g.Wanted(1) {
		g.Set(1, g.AddInternal("ConvWeightGrad", 1, []string{g.Input(0), g.Up[0]}, convGradAttrs(s, g.In[1].Shape)...)[0])
	}
	if g.Wanted(2) {
		g.Set(2, g.AddInternal("ChannelSum", 1, []string{g.Up[0]})[0])
	}
	return nil
}

// convTransposeGradient is the gradient of ConvTranspose, which computes the input's gradient of a convolution of its
// output with the same weight: the gradient of its input is that convolution, and of its weight that convolution's.
func convTransposeGradient(g *Grad) error {
	c, err := newConvTranspose(g.Spec)
	if err != nil {
		return err
	}
	t, shape, err := c.shape(g.In[0].Shape, g.In[1].Shape)
	if err != nil {
		return err
	}
	rank := len(shape) - 2
	s := &conv.Shape{Groups: t.group, Stride: t.stride[3-rank:], Dilation: t.dilation[3-rank:], Pad: t.at[3-rank:]}
	if g.Wanted(0) {
		// The padding after each axis makes the outputs as many as the inputs are; where more fit, the rest is cut off.
		pads := append(append([]int{}, s.Pad...), make([]int, rank)...)
		cut := false
		for i := range rank {
			k := 3 - rank + i
			after := (t.in[k]-1)*t.stride[k] + (t.kernel[k]-1)*t.dilation[k] + 1 - t.out[k] - t.at[k]
			pads[rank+i] = max(after, 0)
			cut = cut || -after >= t.stride[k]
		}
		dx := g.Add("Conv", []string{g.Up[0], g.Input(1)}, Attr("group", t.group), Attr("strides", s.Stride), Attr("dilations", s.Dilation), Attr("pads", pads))
		if cut {
			var axes []int
			for i := range rank {
				axes = append(axes, 2+i)
			}
			dx = g.Add("Slice", []string{dx, g.Ints(make([]int, rank)), g.Ints(g.In[0].Shape[2:]), g.Ints(axes)})
		}
		g.Set(0, dx)
	}
	if g.Wanted(1) {
		g.Set(1, g.AddInternal("ConvWeightGrad", 1, []string{g.Up[0], g.Input(0)}, convGradAttrs(s, g.In[1].Shape)...)[0])
	}
	if g.Wanted(2) {
		g.Set(2, g.AddInternal("ChannelSum", 1, []string{g.Up[0]})[0])
	}
	return nil
}
