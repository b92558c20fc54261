package zoo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Every entry of the catalogue is complete and agrees with itself.
func TestPretraineds(t *testing.T) {
	defaults := map[string]int{}
	seen := map[string]string{}
	for _, p := range Pretraineds() {
		a, ok := Lookup(p.Arch)
		if !ok {
			t.Errorf("%s: no architecture %q", p.Name, p.Arch)
		}
		if p.Default {
			defaults[p.Arch]++
		}
		r, ok := RecipeByName(p.Recipe)
		if !ok || r.Size != a.Size {
			t.Errorf("%s: recipe %q of %v, the network of %v", p.Name, p.Recipe, r.Size, a.Size)
		}
		if _, err := hex.DecodeString(p.SHA256); err != nil || len(p.SHA256) != 64 && len(p.SHA256) != 8 {
			t.Errorf("%s: checksum %q", p.Name, p.SHA256)
		}
		// The name of the file has the beginning of its checksum.
		if !strings.HasSuffix(p.File(), "-"+p.SHA256[:8]+".pth") {
			t.Errorf("%s: file %q, checksum %q", p.Name, p.File(), p.SHA256)
		}
		if p.Bytes > 0 && p.MiB > 0 {
			rounded := p
			if rounded.Bytes = 0; rounded.checkSize(p.Bytes) != nil {
				t.Errorf("%s: %v", p.Name, rounded.checkSize(p.Bytes))
			}
		}
		// A file holds 2 or 4 bytes a parameter, and little else.
		if p.MiB > 0 {
			if perParam := p.MiB * (1 << 20) / float64(a.Params); perParam < 1.9 || perParam > 5 {
				t.Errorf("%s: %.2f bytes a parameter", p.Name, perParam)
			}
		}
		if p.Licence == "" || p.Source == "" || p.Top5 < p.Top1 || p.Size() == "" {
			t.Errorf("%s: %+v", p.Name, p)
		}
		for _, n := range []string{plainName(p.Name), p.File()} {
			if other := seen[n]; other != "" {
				t.Errorf("%s and %s share %s", p.Name, other, n)
			}
			seen[n] = p.Name
		}
		if got, ok := LookupPretrained(strings.ToUpper(p.Name)); !ok || got.Name != p.Name {
			t.Errorf("%s is found as %q", p.Name, got.Name)
		}
	}
	for arch, n := range defaults {
		if n != 1 {
			t.Errorf("%s has %d defaults", arch, n)
		}
	}
	if p, _ := LookupPretrained("ResNet50"); p.Name != "resnet50_v2" {
		t.Errorf("resnet50 stands for %q", p.Name)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Setenv(HomeVariable, t.TempDir())
	var unknown *UnknownNameError
	var absent *NotPulledError
	if _, err := Open("nothing"); !errors.As(err, &unknown) || err.Error() != `there is no network named "nothing"` {
		t.Error(err)
	}
	if _, err := Open("cats_dogs"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "no pretrained weights") {
		t.Error(err)
	}
	if _, err := Open("vgg16"); !errors.As(err, &absent) || !strings.Contains(err.Error(), "vgg16_v1") {
		t.Error(err)
	}
	if _, err := Pull(t.Context(), "nothing", PullOptions{}); !errors.As(err, &unknown) {
		t.Error(err)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv(HomeVariable, filepath.FromSlash("/some/where"))
	if d, err := CacheDir(); err != nil || d != filepath.FromSlash("/some/where/zoo") {
		t.Error(d, err)
	}
	t.Setenv(HomeVariable, "")
	t.Setenv("XDG_CACHE_HOME", filepath.FromSlash("/cache"))
	t.Setenv("HOME", filepath.FromSlash("/home/me"))
	if d, err := CacheDir(); err != nil || !strings.HasSuffix(d, filepath.Join("onnxcnn", "zoo")) {
		t.Error(d, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	t.Setenv("LocalAppData", "")
	if _, err := CacheDir(); err == nil || !strings.Contains(err.Error(), HomeVariable) {
		t.Error(err)
	}
	p, _ := LookupPretrained("vgg16")
	if p.Cached() {
		t.Error("something is cached nowhere")
	}
	if _, err := Open("vgg16"); err == nil {
		t.Error("a network is opened without a cache")
	}
}

// Load finds out the number of classes, understands old names, and does not report what only training uses.
func TestLoadWeights(t *testing.T) {
	for _, c := range []struct {
		name, arch string
		rename     func(string) string
		extra      map[string]int // more tensors, with a length
		classes    int
		note       string
		unexpected []string
	}{
		{"plain", "mnist_cnn", same, nil, 4, "", nil},
		{"wrapped", "squeezenet1_1", func(s string) string { return "module." + s }, nil, 3, "", nil},
		{"old names of DenseNet", "densenet121", func(s string) string {
			for _, l := range []string{"norm1", "norm2", "conv1", "conv2"} {
				if strings.Contains(s, "denselayer") {
					s = strings.Replace(s, "."+l+".", "."+l[:4]+"."+l[4:]+".", 1)
				}
			}
			return s
		}, nil, 2, "before 0.4", nil},
		{"auxiliary classifier", "inception_v3", same, map[string]int{"AuxLogits.fc.bias": 9, "other.bias": 2}, 5, "", []string{"other.bias"}},
		{"Keras, numbered from 1", "keras_inception_v3", func(s string) string {
			if class, number, rest, ok := numbered(s); ok {
				s = fmt.Sprintf("%s_%d%s", class, number+1, rest)
			}
			return s
		}, nil, 3, "begin with another number", nil},
		{"Keras, numbered from 95", "keras_inception_v3", func(s string) string {
			if class, number, rest, ok := numbered(s); ok {
				s = fmt.Sprintf("%s_%d%s", class, number+95, rest)
			}
			return s
		}, nil, 3, "begin with another number", nil},
		{"Keras, numbered from 0", "keras_inception_v3", same, nil, 3, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _ := Lookup(c.arch)
			m, err := a.Build(BuildOptions{Classes: c.classes, Blank: true})
			if err != nil {
				t.Fatal(err)
			}
			w := convert.NewWeights("test", "", 1<<27)
			for _, p := range m.Graph.Initializers {
				x := *p
				x.Name = c.rename(p.Name)
				if err := w.AddTensor(&x); err != nil {
					t.Fatal(err)
				}
			}
			for name, n := range c.extra {
				x := onnx.New(onnx.Float, n)
				x.Name = name
				if err := w.AddTensor(x); err != nil {
					t.Fatal(err)
				}
			}
			got, report, err := a.Load(w, BuildOptions{}, convert.FillOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if n := shapeOf(got.Graph.Outputs[0])[1]; n != c.classes {
				t.Errorf("%d classes, want %d", n, c.classes)
			}
			if !slices.Equal(report.Unexpected, c.unexpected) {
				t.Errorf("unexpected: %q, want %q", report.Unexpected, c.unexpected)
			}
			if report.Matched != len(m.Graph.Initializers) || !strings.Contains(strings.Join(report.Notes, "; "), c.note) {
				t.Errorf("%d of %d matched; %q", report.Matched, len(m.Graph.Initializers), report.Notes)
			}
			// A new head has the number of classes that is asked for, and begins at random.
			if got, _, err = a.Load(w, BuildOptions{}, convert.FillOptions{NewHead: 6}); err != nil {
				t.Fatal(err)
			} else if n := shapeOf(got.Graph.Outputs[0])[1]; n != 6 {
				t.Errorf("the new head has %d classes", n)
			}
		})
	}
	a, _ := Lookup("mnist_cnn")
	if _, _, err := a.Load(convert.NewWeights("test", "", 0), BuildOptions{}, convert.FillOptions{}); err == nil {
		t.Error("no weights at all are enough")
	}
	if _, _, err := (Arch{}).Load(convert.NewWeights("test", "", 0), BuildOptions{Classes: 1}, convert.FillOptions{}); err == nil {
		t.Error("no architecture is loaded")
	}
	if _, _, err := (Arch{}).Load(convert.NewWeights("test", "", 0), BuildOptions{}, convert.FillOptions{}); err == nil {
		t.Error("no architecture is loaded")
	}
}
