package zoo

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Load builds the network and puts weights into it. Where o has no number of classes, it is the file's, by the length of
// the last layer's bias. Names that older files have are understood, and parameters that only training uses (see
// Arch.Unused) are not reported as unexpected. What does not fit is a [*convert.FillError], which lists everything.
//
// The model's tensors may lie in the weights' file: it must stay open as long as the model is used.
func (a Arch) Load(w *convert.Weights, o BuildOptions, f convert.FillOptions) (*onnx.Model, convert.Report, error) {
	w, err := a.modernNames(w)
	if err != nil {
		return nil, convert.Report{}, err
	}
	o.Blank = f.NewHead == 0 && !f.AllowMissing // otherwise some weights stay as they begin
	if o.Classes == 0 {
		o.Classes = f.NewHead
	}
	if o.Classes == 0 {
		if o.Classes, err = a.classesOf(w); err != nil {
			return nil, convert.Report{}, err
		}
	}
	m, err := a.Build(o)
	if err != nil {
		return nil, convert.Report{}, err
	}
	report, err := convert.Fill(m, w, f)
	report.Unexpected = slices.DeleteFunc(report.Unexpected, func(name string) bool {
		return slices.ContainsFunc(a.Unused, func(u string) bool { return strings.HasPrefix(name, u) })
	})
	if err != nil {
		return nil, report, err
	}
	return m, report, nil
}

// classesOf returns the length of the last layer's bias in a file, 0 where the file has none or several.
func (a Arch) classesOf(w *convert.Weights) (int, error) {
	m, err := a.Build(BuildOptions{Blank: true})
	if err != nil {
		return 0, err
	}
	bias := m.Graph.Initializers[len(m.Graph.Initializers)-1].Name
	classes := 0
	for _, x := range w.List() {
		if x.Name != bias && !strings.HasSuffix(x.Name, "."+bias) || len(x.Shape) != 1 ||
			slices.ContainsFunc(a.Unused, func(u string) bool { return strings.Contains(x.Name, u) }) {
			continue
		}
		if classes != 0 && classes != x.Shape[0] {
			return 0, nil
		}
		classes = x.Shape[0]
	}
	return classes, nil
}

// oldDense are the names of DenseNet's layers in files made before PyTorch 0.4: denselayer1.norm.1.weight.
var oldDense = regexp.MustCompile(`^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$`)

// modernNames returns the weights under the names that the network has today.
func (a Arch) modernNames(w *convert.Weights) (*convert.Weights, error) {
	if !slices.ContainsFunc(w.List(), func(x *convert.Weight) bool { return oldDense.MatchString(x.Name) }) || !strings.HasPrefix(a.Name, "densenet") {
		return w, nil
	}
	size := int64(0)
	if info, err := os.Stat(w.Path); err == nil {
		size = info.Size()
	}
	renamed := convert.NewWeights(w.Format, w.Path, size)
	renamed.Notes = append(slices.Clone(w.Notes), "the layers have the names of PyTorch before 0.4 (norm.1 is norm1)")
	for _, x := range w.List() {
		c := *x
		c.Name = oldDense.ReplaceAllString(x.Name, "$1$2")
		err := renamed.Add(c, func() ([]byte, error) {
			t, err := x.Load()
			if err != nil {
				return nil, err
			}
			return t.Raw, nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Path, err)
		}
	}
	return renamed, nil
}
