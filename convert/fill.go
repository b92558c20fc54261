package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// FillOptions says how weights are put into a model. The zero value wants every parameter to be there.
type FillOptions struct {
	// Group chooses the tensors whose names begin with it, of a file that has several copies ("model_ema."). Where it is
	// "" the group with the most parameters of the model is taken, of equal ones the first, averaged ones last.
	Group string
	// NewHead is the number of classes where the last layer is to start anew: exactly that layer keeps nothing of the
	// file. The model has to have that many outputs. 0 takes the last layer from the file.
	NewHead int
	// Unused are beginnings of names of tensors that a file may hold and the model has no use for.
	Unused []string
	// Seed is that of a new last layer's random numbers.
	Seed uint64
	// AllowMissing keeps the model's own values of parameters that the file does not have, or has in another shape.
	AllowMissing bool
}

// Report says what came of putting weights into a model.
type Report struct {
	Format     string      `json:"format"`
	Prefix     string      `json:"prefix"`     // what stands before the parameters' names in the file
	Parameters int         `json:"parameters"` // tensors that the model wants
	Matched    int         `json:"matched"`    // of them, those taken from the file
	Converted  int         `json:"converted"`  // of those, the ones that have another element type in the file
	New        []string    `json:"new"`        // of the last layer that starts anew
	Missing    []Missing   `json:"missing"`    // wanted and not in the file
	Unexpected []string    `json:"unexpected"` // in the file beside the parameters, and not wanted
	Misshapen  []Misshapen `json:"misshapen"`  // of another shape
	Others     []Group     `json:"others"`     // what else the file holds
	Notes      []string    `json:"notes,omitempty"`
}

// Missing is a parameter that a file does not have.
type Missing struct {
	Name    string `json:"name"`
	Shape   []int  `json:"shape"`
	Nearest string `json:"nearest,omitempty"` // a name in the file that may be meant
}

// Misshapen is a parameter that has another shape in the file.
type Misshapen struct {
	Name string `json:"name"`
	Want []int  `json:"want"`
	Got  []int  `json:"got"`
}

// Group is a dictionary of tensors in a file.
type Group struct {
	Name    string `json:"name"`
	Tensors int    `json:"tensors"`
}

// FillError says why weights do not fit a model: everything at once, in Report.
type FillError struct {
	File   string
	Report Report
	Head   string // the hint about the last layer, where it alone has another number of classes
}

// maxListed bounds the names of one kind in a message.
const maxListed = 20

// Error lists what is missing, unexpected and misshapen.
func (e *FillError) Error() string {
	r := &e.Report
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if r.Matched == 0 {
		fmt.Fprintf(&b, "none of the model's %d parameters is in the file: it belongs to another network, or names its tensors otherwise", r.Parameters)
	} else {
		fmt.Fprintf(&b, "the weights do not fit the model: of %d parameters %d fit, %d are missing and %d have another shape; %d tensors are not expected",
			r.Parameters, r.Matched, len(r.Missing), len(r.Misshapen), len(r.Unexpected))
	}
	list(&b, "missing", r.Missing, func(m Missing) string {
		s := fmt.Sprintf("%s %v", m.Name, m.Shape)
		if m.Nearest != "" {
			s += fmt.Sprintf(" (the file has %s)", m.Nearest)
		}
		return s
	})
	list(&b, "another shape", r.Misshapen, func(m Misshapen) string { return fmt.Sprintf("%s: want %v, the file has %v", m.Name, m.Want, m.Got) })
	list(&b, "not expected", r.Unexpected, func(s string) string { return s })
	if e.Head != "" {
		b.WriteString("\n" + e.Head)
	}
	return b.String()
}

func list[T any](b *strings.Builder, what string, items []T, text func(T) string) {
	for i, x := range items {
		if i == maxListed {
			fmt.Fprintf(b, "\n%s: and %d more", what, len(items)-maxListed)
			return
		}
		fmt.Fprintf(b, "\n%s: %s", what, text(x))
	}
}

// Fill puts weights into a model: each parameter takes the tensor of its name, converted to the parameter's type. The
// model's graph and its list of initializers are changed in place; tensors are replaced, not written to, and may lie in the
// weights' file: save the model before [Weights.Close].
//
// Parameters are the initializers of floating-point type with at least one dimension, unless only Resize and the like
// read them; scalars and Constant nodes are the graph's own. What stands before the names in the file (module. of
// DataParallel, model., the dictionaries of a checkpoint) is found by itself and reported.
//
// A parameter that is missing or has another shape is an error (a [*FillError]) unless it is allowed, and so is, always, that
// none is there. Tensors in the file that the model does not want are reported only.
func Fill(m *onnx.Model, w *Weights, o FillOptions) (Report, error) {
	f := &filler{m: m, w: w, o: o}
	f.report = Report{Format: w.Format, Notes: slices.Clone(w.Notes)}
	if err := f.fill(); err != nil {
		var fe *FillError
		if !errors.As(err, &fe) && w.Path != "" {
			err = fmt.Errorf("%s: %w", w.Path, err)
		}
		return f.report, err
	}
	return f.report, nil
}

type filler struct {
	m      *onnx.Model
	w      *Weights
	o      FillOptions
	params []*onnx.Tensor
	head   *head // nil where it is not found
	report Report
}

// graphsOwn are operators whose floating-point constants are no parameters, with the first input that this is true of.
var graphsOwn = map[string]int{"Resize": 1, "Upsample": 1, "Pad": 1, "Clip": 1, "Dropout": 1, "Pow": 1, "QuantizeLinear": 1, "DequantizeLinear": 1}

// parameters returns the initializers that weights go into.
func parameters(g *onnx.Graph) []*onnx.Tensor {
	read := map[string]bool{}
	for _, n := range g.Nodes {
		first, own := graphsOwn[n.OpType]
		for i, in := range n.Inputs {
			if !own || i < first {
				read[in] = true
			}
		}
		for s := range n.Subgraphs() {
			for c := range s.Captures() {
				read[c] = true
			}
		}
	}
	var out []*onnx.Tensor
	for _, t := range g.Initializers {
		if isFloat(t.Type) && len(t.Shape) > 0 && read[t.Name] {
			out = append(out, t)
		}
	}
	return out
}

func isFloat(t onnx.DataType) bool {
	return t == onnx.Float || t == onnx.Double || t.IsHalf()
}

func (f *filler) fill() error {
	f.params = parameters(f.m.Graph)
	f.report.Parameters = len(f.params)
	if len(f.params) == 0 {
		return errors.New("the model has no parameters to put weights into")
	}
	f.head, _ = findHead(f.m.Graph) // its absence matters only where a new one is asked for
	if err := f.checkNewHead(); err != nil {
		return err
	}
	group, prefix, found := f.choose()
	if !found {
		f.allMissing()
		return &FillError{File: f.w.Path, Report: f.report}
	}
	f.report.Prefix = prefix
	f.others(group)
	values, err := f.match(group, prefix)
	if err != nil {
		return err
	}
	bad := len(f.report.Missing) + len(f.report.Misshapen)
	if f.report.Matched == 0 || bad > 0 && !f.o.AllowMissing {
		return &FillError{File: f.w.Path, Report: f.report, Head: f.headHint()}
	}
	if f.o.NewHead > 0 {
		for name, t := range f.head.fresh(f.o.NewHead, f.o.Seed) {
			var err error
			if values[name], err = op.CastTensor(t, f.head.typ); err != nil {
				return err
			}
			f.report.New = append(f.report.New, name)
		}
		slices.Sort(f.report.New)
	}
	for i, t := range f.m.Graph.Initializers {
		if v := values[t.Name]; v != nil {
			f.m.Graph.Initializers[i] = v
		}
	}
	return nil
}

func (f *filler) checkNewHead() error {
	switch {
	case f.o.NewHead < 0:
		return fmt.Errorf("a new head of %d classes", f.o.NewHead)
	case f.o.NewHead == 0:
		return nil
	case f.head == nil:
		_, err := findHead(f.m.Graph)
		return fmt.Errorf("a new head is asked for: %w", err)
	case f.head.classes != f.o.NewHead:
		return fmt.Errorf("a new head of %d classes is asked for, and the model has %d outputs", f.o.NewHead, f.head.classes)
	}
	return nil
}

// averaged reports whether a group holds averages of weights over the training.
func averaged(group string) bool { return strings.Contains(strings.ToLower(group), "ema") }

// choose returns the group and the prefix (the group's name at its beginning) under which the most parameters lie.
func (f *filler) choose() (group, prefix string, found bool) {
	wanted := map[string]bool{}
	for _, p := range f.params {
		wanted[p.Name] = true
	}
	type place struct{ group, prefix string }
	count := map[place]int{}
	var order []place // by first appearance
	for _, x := range f.w.list {
		if f.o.Group != "" && !strings.HasPrefix(x.Name, f.o.Group) {
			continue
		}
		for at := len(x.Group); at >= 0; {
			if wanted[x.Name[at:]] {
				p := place{x.Group, x.Name[:at]}
				if count[p]++; count[p] == 1 {
					order = append(order, p)
				}
			}
			dot := strings.IndexByte(x.Name[at:], '.')
			if dot < 0 {
				break
			}
			at += dot + 1
		}
	}
	best := -1
	for i, p := range order {
		switch {
		case best < 0 || count[p] > count[order[best]],
			count[p] == count[order[best]] && averaged(order[best].group) && !averaged(p.group):
			best = i
		}
	}
	if best < 0 {
		return "", "", false
	}
	return order[best].group, order[best].prefix, true
}

// allMissing reports every parameter as missing and every tensor as unexpected.
func (f *filler) allMissing() {
	var names []string
	for _, x := range f.w.list {
		if !counter(x.Name) {
			names = append(names, x.Name)
		}
	}
	f.report.Unexpected = names
	for _, p := range f.params {
		f.report.Missing = append(f.report.Missing, Missing{Name: p.Name, Shape: p.Shape})
	}
	f.nearest()
}

// nearest fills in the names that may be meant by the missing ones that a message lists.
func (f *filler) nearest() {
	candidates := f.report.Unexpected[:min(len(f.report.Unexpected), 2000)]
	for i := range f.report.Missing[:min(len(f.report.Missing), maxListed)] {
		m := &f.report.Missing[i]
		m.Nearest = near.Name(m.Name, candidates)
	}
}

// others reports the groups that are not used.
func (f *filler) others(used string) {
	place := map[string]int{}
	for _, x := range f.w.list {
		if x.Group == used {
			continue
		}
		name := strings.TrimSuffix(x.Group, ".")
		if top, _, ok := strings.Cut(name, "."); ok {
			name = top // of the optimiser's state, which is a group for each parameter
		}
		if name == "" {
			name = "(top)"
		}
		i, ok := place[name]
		if !ok {
			i = len(f.report.Others)
			place[name] = i
			f.report.Others = append(f.report.Others, Group{Name: name})
		}
		f.report.Others[i].Tensors++
	}
}

// wrappers are what training programs put before the names of a model's tensors.
var wrappers = []string{"module.", "model.", "_orig_mod."}

// stripped returns a name without wrappers before it.
func stripped(name string) string {
	for again := true; again; {
		again = false
		for _, w := range wrappers {
			if rest, ok := strings.CutPrefix(name, w); ok {
				name, again = rest, true
			}
		}
	}
	return name
}

// match loads the tensors of the parameters, and reports what does not fit.
func (f *filler) match(group, prefix string) (map[string]*onnx.Tensor, error) {
	values := map[string]*onnx.Tensor{}
	used := map[string]bool{}
	taken := map[string]string{} // parameter -> tensor
	for _, p := range f.params {
		x := f.w.Find(prefix + p.Name)
		isNew := f.o.NewHead > 0 && f.head.has(p.Name)
		if x != nil {
			used[x.Name] = true
			taken[p.Name] = x.Name
		}
		switch {
		case isNew:
			continue
		case x == nil:
			f.report.Missing = append(f.report.Missing, Missing{Name: p.Name, Shape: p.Shape})
			continue
		case !slices.Equal(x.Shape, p.Shape):
			f.report.Misshapen = append(f.report.Misshapen, Misshapen{Name: p.Name, Want: p.Shape, Got: x.Shape})
			continue
		}
		t, err := x.Load()
		if err != nil {
			return nil, err
		}
		if t.Type != p.Type {
			f.report.Converted++
		}
		t, err = op.CastTensor(t, p.Type)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", x.Name, err)
		}
		t.Name, t.Doc, t.Metadata = p.Name, p.Doc, p.Metadata
		values[p.Name] = t
		f.report.Matched++
	}
	for _, x := range f.w.list {
		name, ok := strings.CutPrefix(x.Name, prefix)
		if !ok && x.Group == group {
			name = x.Name[len(group):]
		}
		if used[x.Name] || x.Group != group || counter(name) || f.unused(name) {
			continue
		}
		if other := taken[stripped(name)]; other != "" {
			return nil, fmt.Errorf("%q and %q are the same parameter: which one counts is not clear", other, x.Name)
		}
		f.report.Unexpected = append(f.report.Unexpected, name)
	}
	f.nearest()
	return values, nil
}

// counter reports whether a tensor counts the batches that a normalisation has seen, which no model needs.
func counter(name string) bool {
	return strings.HasSuffix(strings.ToLower(name), "num_batches_tracked")
}

func (f *filler) unused(name string) bool {
	return slices.ContainsFunc(f.o.Unused, func(u string) bool { return strings.HasPrefix(name, u) })
}

// headHint says what to do where only the last layer has another number of classes.
func (f *filler) headHint() string {
	if f.head == nil || len(f.report.Missing) > 0 || len(f.report.Misshapen) == 0 {
		return ""
	}
	classes := 0
	for _, m := range f.report.Misshapen {
		if !f.head.has(m.Name) || len(m.Got) != len(m.Want) {
			return ""
		}
		if m.Name == f.head.weight {
			classes = m.Got[f.head.axis]
		}
	}
	if classes == 0 {
		return ""
	}
	return fmt.Sprintf("the file is of %d classes, the model of %d: build it with %d, or let the last layer start anew (--new-head %d)",
		classes, f.head.classes, classes, f.head.classes)
}
