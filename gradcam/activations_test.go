package gradcam_test

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// pictures is a data set of the picture in these sizes; 0 is a file that is no image.
func pictures(t testing.TB, sides ...int) *features.Dataset {
	t.Helper()
	fsys := fstest.MapFS{}
	d := &features.Dataset{}
	for i, side := range sides {
		var buf bytes.Buffer
		if side > 0 {
			if err := png.Encode(&buf, picture(side)); err != nil {
				t.Fatal(err)
			}
		}
		name := string(rune('a'+i)) + ".png"
		fsys[name] = &fstest.MapFile{Data: buf.Bytes()}
		d.Items = append(d.Items, features.NewItem(fsys, name, -1))
	}
	return d
}

func activationOptions(at string) features.Options { return features.Options{At: at, Batch: 2} }

func TestActivations(t *testing.T) {
	ctx := context.Background()
	m := tiny(t)
	kill(m, "features.0.weight", "features.0.bias", 2)
	a, err := gradcam.ActivationsOf(ctx, m, pictures(t, 16), activationOptions("r1"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(a.Layer, "/Relu") || a.Index != 1 || a.Maps.C != 4 || a.Maps.H != 16 || a.Maps.W != 16 || !slices.Contains(a.Dead(), 2) || len(a.Dead()) == 4 {
		t.Errorf("layer %d %q, maps %d of %dx%d, dead %v", a.Index, a.Layer, a.Maps.C, a.Maps.H, a.Maps.W, a.Dead())
	}
	// The same maps, channels last.
	add(m, node("Transpose", "r1", "last", perm(0, 2, 3, 1)))
	m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: "last"})
	b, err := gradcam.ActivationsOf(ctx, m, pictures(t, 16), activationOptions("last"))
	if err != nil || !slices.Equal(a.Maps.Data, b.Maps.Data) {
		t.Errorf("channels last: %v", err)
	}
	for _, o := range []gradcam.GridOptions{{}, {Columns: 3, Width: 20, Shared: true, Palette: "inferno", Title: "four"}} {
		img, err := a.Grid(o)
		if err != nil {
			t.Fatal(err)
		}
		if side := img.Rect.Dx(); o.Columns == 0 && side < 2*64 || o.Columns == 3 && side < 3*20 {
			t.Errorf("grid of %v", img.Rect)
		}
	}
	for _, o := range []gradcam.GridOptions{{Palette: "pink"}, {Width: 1 << 20}} {
		if _, err := a.Grid(o); err == nil {
			t.Errorf("%+v draws", o)
		}
	}
	for _, c := range []struct {
		at   string
		data *features.Dataset
		want string
	}{
		{"flat", pictures(t, 16), "want maps"}, {"nope", pictures(t, 16), "no layer"}, {"r1", pictures(t, 0), "a.png"}, {"r1", &features.Dataset{}, "no image"},
	} {
		if _, err := gradcam.ActivationsOf(ctx, m, c.data, activationOptions(c.at)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// kill makes a filter answer -1 to everything.
func kill(m *onnx.Model, weight, bias string, filter int) {
	for i, w := range m.Graph.Initializers {
		if w.Name != weight && w.Name != bias {
			continue
		}
		c := w.Clone()
		n := c.Len() / c.Shape[0]
		v := c.Float32s()[filter*n : (filter+1)*n]
		clear(v)
		if w.Name == bias {
			v[0] = -1
		}
		m.Graph.Initializers[i] = c
	}
}

func TestStatistics(t *testing.T) {
	ctx := context.Background()
	m := tiny(t)
	kill(m, "features.0.weight", "features.0.bias", 2)
	skipped := 0
	all, err := gradcam.StatisticsOf(ctx, m, pictures(t, 16, 20, 0, 31), activationOptions(""), func(*features.Skip) { skipped++ })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range all {
		names = append(names, l.Op)
	}
	if want := "Conv Relu MaxPool Conv Relu MaxPool Gemm Relu Gemm"; strings.Join(names, " ") != want || skipped != 1 {
		t.Errorf("layers %q, want %q; %d skipped", names, want, skipped)
	}
	// Compared with the activations of each image.
	var values []float64
	dead := []int{0, 1, 2, 3}
	for _, side := range []int{16, 20, 31} {
		a, err := gradcam.ActivationsOf(ctx, m, pictures(t, side), activationOptions("r1"))
		if err != nil {
			t.Fatal(err)
		}
		dead = slices.DeleteFunc(dead, func(k int) bool { return slices.Max(a.Maps.Channel(k)) > 0 })
		for _, v := range a.Maps.Data {
			values = append(values, float64(v))
		}
	}
	mean, zeros := 0.0, 0.0
	for _, v := range values {
		mean += v / float64(len(values))
		if v == 0 {
			zeros++
		}
	}
	r := all[1]
	if r.Units != 4 || r.Images != 3 || r.Dead != len(dead) || !slices.Equal(r.DeadUnits, dead) || len(dead) == 4 || math.Abs(r.Mean-mean) > 1e-6 ||
		r.Sparsity != zeros/float64(len(values)) || math.Abs(r.Max-slices.Max(values)) > 1e-5 || r.Min != 0 {
		t.Errorf("%+v, want mean %v and sparsity %v", r, mean, zeros/float64(len(values)))
	}
	variance := 0.0
	for _, v := range values {
		variance += (v - mean) * (v - mean) / float64(len(values))
	}
	if math.Abs(r.Std-math.Sqrt(variance)) > 1e-5 {
		t.Errorf("deviation %v, want %v", r.Std, math.Sqrt(variance))
	}

	// A fixed batch is filled up with images that do not count.
	fixed := tiny(t)
	variants["a fixed batch"].change(fixed)
	plain, err := gradcam.StatisticsOf(ctx, tiny(t), pictures(t, 16, 20, 31), activationOptions("r2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gradcam.StatisticsOf(ctx, fixed, pictures(t, 16, 20, 31), activationOptions("r2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Images != 3 || math.Abs(got[0].Mean-plain[0].Mean) > 1e-6 {
		t.Errorf("fixed batch: %+v, want %+v", got, plain)
	}

	if _, err := gradcam.StatisticsOf(ctx, m, pictures(t, 0), activationOptions(""), nil); !features.IsSkip(err) {
		t.Errorf("error %v", err)
	}
	if _, err := gradcam.StatisticsOf(ctx, m, pictures(t, 16), activationOptions("nope"), nil); err == nil {
		t.Error("a layer that is not there is measured")
	}
	m.Metadata = nil
	if _, err := gradcam.StatisticsOf(ctx, m, pictures(t, 16), activationOptions(""), nil); err == nil {
		t.Error("a model without recipe is measured")
	}
}
