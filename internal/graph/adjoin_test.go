package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Which values lie in which, and where, for one image and for two, whose parts do not follow each other.
func TestAdjoin(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	const plane = 4 * 6 * 6 // bytes
	conv := func(b *builder, y, x string, c, m int) {
		b.weight("w"+y, random(r, m, c, 1, 1)).node(y + " = Conv(" + x + ", w" + y + ")")
	}
	axis := intAttr("axis", 1)
	for _, c := range []struct {
		name  string
		build func(b *builder)
		want  []string // "value in block at channel"
	}{
		{"branches", func(b *builder) {
			conv(b, "p", "x", 3, 2)
			conv(b, "q", "x", 3, 4)
			b.node("j = Concat(p, q)", axis)
			conv(b, "y", "j", 6, 1)
		}, []string{"p in j at 0", "q in j at 2"}},
		{"dense block", func(b *builder) {
			conv(b, "p", "x", 3, 2)
			conv(b, "q", "p", 2, 3)
			b.node("j = Concat(p, q)", axis)
			conv(b, "s", "j", 5, 4)
			b.node("k = Concat(p, q, s)", axis)
			conv(b, "y", "k", 9, 1)
		}, []string{"p in k at 0", "q in k at 2", "j in k at 0", "s in k at 5"}},
		{"twice, and in another order", func(b *builder) {
			conv(b, "p", "x", 3, 2)
			conv(b, "q", "x", 3, 2)
			b.node("j = Concat(p, p)", axis).node("k = Concat(q, p)", axis).node("l = Add(j, k)")
			conv(b, "y", "l", 4, 1)
		}, []string{"p in j at 0", "q in k at 0"}},
		{"inputs and outputs belong to others", func(b *builder) {
			conv(b, "p", "x", 3, 2)
			b.node("j = Concat(x, p)", axis)
			conv(b, "q", "j", 5, 2)
			b.node("y = Concat(q, p)", axis)
		}, []string{"p in j at 3"}},
		{"pieces", func(b *builder) {
			conv(b, "p", "x", 3, 5)
			b.weight("sizes", i64(2, 3)).node("a, c = Split(p, sizes)", axis)
			conv(b, "q", "a", 2, 3)
			b.node("s = Add(q, c)")
			conv(b, "y", "s", 3, 1)
		}, []string{"a in p at 0", "c in p at 2"}},
	} {
		b := build(13).in("x", onnx.Float, -1, 3, 6, 6)
		c.build(b)
		m := b.out("y")
		p := mustCompile(t, m, Options{NoFuse: true})
		for _, images := range []int{1, 2} {
			x := random(r, images, 3, 6, 6)
			sp, err := p.specFor([]*onnx.Tensor{x})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, k := range sp.kind {
				part := sp.info[i].Shape
				if root := sp.root[i]; k == inArena && root != i && (sp.within[i] > 0 || part[1] < sp.info[root].Shape[1]) {
					got = append(got, fmt.Sprintf("%s in %s at %d", p.names[i], p.names[root], sp.within[i]/plane))
				}
			}
			var want []string
			if images == 1 {
				want = slices.Sorted(slices.Values(c.want))
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s, %d images: %v, want %v", c.name, images, got, want)
			}
			values, err := stepwise(m, x)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				wantFloats(t, mustRun(t, p, map[string]*onnx.Tensor{"x": x})["y"], values["y"].Float32s()...)
			}
		}
	}
}
