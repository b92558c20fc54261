package zoo

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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
	switch {
	case strings.HasPrefix(a.Name, "densenet"):
		return renamed(w, "the layers have the names of PyTorch before 0.4 (norm.1 is norm1)", func(name string) string {
			return oldDense.ReplaceAllString(name, "$1$2")
		})
	case a.Source == "keras":
		first := firstNumbers(w)
		return renamed(w, "the layers that Keras numbers begin with another number than here", func(name string) string {
			class, number, rest, ok := numbered(name)
			switch n := number - first[class]; {
			case !ok || first[class] == 0:
				return name
			case n == 0:
				return class + rest
			default:
				return fmt.Sprintf("%s_%d%s", class, n, rest)
			}
		})
	}
	return w, nil
}

// kerasNumbered are names that Keras makes of a layer's class. It counts on from one model to the next, and began with 1
// before version 2.3: the same network has conv2d, conv2d_1, ... in one file and conv2d_95, conv2d_96, ... in another.
var kerasNumbered = regexp.MustCompile(`^(conv2d|batch_normalization)(?:_(\d{1,6}))?(/.*)$`)

// numbered takes such a name apart.
func numbered(name string) (class string, number int, rest string, ok bool) {
	m := kerasNumbered.FindStringSubmatch(name)
	if m == nil {
		return "", 0, "", false
	}
	number, _ = strconv.Atoi(m[2]) // nothing is 0
	return m[1], number, m[3], true
}

// firstNumbers returns the smallest number of each class.
func firstNumbers(w *convert.Weights) map[string]int {
	first := map[string]int{}
	for _, x := range w.List() {
		if class, number, _, ok := numbered(x.Name); ok {
			if f, known := first[class]; !known || number < f {
				first[class] = number
			}
		}
	}
	return first
}

// renamed returns the weights under other names, with a note if there are any.
func renamed(w *convert.Weights, note string, name func(string) string) (*convert.Weights, error) {
	if !slices.ContainsFunc(w.List(), func(x *convert.Weight) bool { return name(x.Name) != x.Name }) {
		return w, nil
	}
	r, err := w.Renamed(name)
	if err == nil {
		r.Notes = append(r.Notes, note)
	}
	return r, err
}
