package op

import (
	"errors"
	"strings"
)

func init() { registerGrad("", "Einsum", einsumGradient) }

// einsumGradient is the gradient of Einsum: by an input, the sum of products of the output's gradient with all other
// inputs, over the dimensions that the input does not have. Dimensions that only this input has are stretched; those
// along which it was broadcast are summed.
func einsumGradient(g *Grad) error {
	made, err := newEinsum(g.Spec)
	if err != nil {
		return err
	}
	shapes := make([][]int, len(g.In))
	for i, in := range g.In {
		shapes[i] = in.Shape
	}
	values, out, size, err := made.(einsum).resolve(shapes)
	if err != nil {
		return err
	}
	for i, v := range values {
		if len(v.labels) != len(shapes[i]) {
			return errors.New("a term that names a dimension twice has no gradient")
		}
	}
	letters := map[int]string{} // by label; those of an ellipsis have none of their own
	name := func(labels []int) string {
		var term strings.Builder
		for _, l := range labels {
			if letters[l] == "" {
				const all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				letters[l] = "?" // which Einsum refuses
				if n := len(letters); n <= len(all) {
					letters[l] = all[n-1 : n]
				}
			}
			term.WriteString(letters[l])
		}
		return term.String()
	}
	for i, v := range values {
		if !g.Wanted(i) {
			continue
		}
		inputs, terms := []string{g.Up[0]}, []string{name(out)}
		known := map[int]int{} // size of the dimensions that the product can have
		for k, l := range out {
			known[l] = g.Out[0].Shape[k]
		}
		for j, other := range values {
			if j != i {
				inputs, terms = append(inputs, g.Input(j)), append(terms, name(other.labels))
				for k, l := range other.labels {
					known[l] = max(known[l], shapes[j][k])
				}
			}
		}
		var have, kept, full []int // labels that the product has; its shape with 1 for the others; the whole shape
		for _, l := range v.labels {
			if n, ok := known[l]; ok {
				have = append(have, l)
				kept = append(kept, n)
			} else {
				kept = append(kept, 1)
			}
			full = append(full, size[l])
		}
		d := g.Add("Einsum", inputs, Attr("equation", strings.Join(terms, ",")+"->"+name(have)))
		if len(have) < len(full) {
			d = g.Reshape(d, kept)
		}
		d = g.Add("Expand", []string{d, g.Ints(full)})
		g.Set(i, g.SumTo(d, full, shapes[i]))
	}
	return nil
}
