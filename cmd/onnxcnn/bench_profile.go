package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/urfave/cli/v2"
)

// profileLine is a layer, or all of one kind, in a profile. Times are in seconds.
type profileLine struct {
	Layer  string  `json:"layer,omitempty"`
	Op     string  `json:"op"`
	Kernel string  `json:"kernel,omitempty"`
	Shape  []int   `json:"shape,omitempty"`
	Count  int     `json:"count,omitempty"`
	Time   float64 `json:"time_s"`
	Share  float64 `json:"share"`
	GFlops float64 `json:"gflops,omitempty"`

	multAdds int
}

// profile is where the time of a run goes.
type profile struct {
	Model   string        `json:"model"`
	Batch   int           `json:"batch"`
	Threads int           `json:"threads"`
	Runs    int           `json:"runs"`
	Total   float64       `json:"total_s"` // of the layers
	Layers  []profileLine `json:"layers"`
	Kinds   []profileLine `json:"kinds"`
}

// benchProfile measures the layers of the native engine.
func benchProfile(c *cli.Context, path string, batches []int) error {
	if p := splitProviders(c.String("provider")); len(p) != 1 || p[0] != "native" {
		return usagef("--profile is for --provider native only")
	}
	var all []profile
	for _, n := range batches {
		p, err := profileBatch(c, path, n)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if c.Bool("json") {
		return printJSON(c, all)
	}
	for i := range all {
		if err := all[i].print(c.App.Writer); err != nil {
			return err
		}
	}
	return nil
}

func profileBatch(c *cli.Context, path string, batch int) (profile, error) {
	res := profile{Model: path, Batch: batch, Threads: threadsOf(c.Int("threads")), Runs: c.Int("runs")}
	m, err := openModel(path)
	if err != nil {
		return res, err
	}
	defer m.Close()
	shapes, err := benchShapes(c, m, batch)
	if err != nil {
		return res, err
	}
	var run []backend.Timing
	opts := engineOptions(c)
	opts.Profile = func(t backend.Timing) { run = append(run, t) }
	s, err := backend.Open(m, opts)
	if err != nil {
		return res, err
	}
	defer s.Close()
	inputs := map[string]*onnx.Tensor{}
	r := rand.New(rand.NewPCG(uint64(c.Int64("seed")), 1))
	for _, v := range s.Inputs() {
		inputs[v.Name] = randomTensor(r, v.Type.Elem, shapes[v.Name])
	}
	var runs [][]backend.Timing
	for i := range 1 + res.Runs {
		run = nil
		if _, err := s.Run(c.Context, inputs); err != nil {
			return res, err
		}
		if i > 0 { // the first prepares
			runs = append(runs, run)
		}
	}
	res.sum(runs)
	return res, nil
}

// sum fills in lines and totals. A step that does not occur in all runs (in the branch of an If) counts where it does.
func (p *profile) sum(runs [][]backend.Timing) {
	type layer struct {
		node *onnx.Node
		nth  int // how often it has been before in the run: loops
	}
	times := map[layer][]float64{}
	last := map[layer]backend.Timing{}
	var order []layer
	for _, run := range runs {
		seen := map[*onnx.Node]int{}
		for _, t := range run {
			l := layer{t.Node, seen[t.Node]}
			seen[t.Node]++
			if times[l] == nil {
				order = append(order, l)
			}
			times[l] = append(times[l], t.Time.Seconds())
			last[l] = t
		}
	}
	kinds := map[[2]string]*profileLine{}
	for _, l := range order {
		t := last[l]
		slices.Sort(times[l])
		line := profileLine{Layer: t.Node.Name, Op: t.Node.OpType, Kernel: t.Kernel, Shape: t.Shape, Time: median(times[l]), multAdds: t.MultAdds}
		if line.Layer == "" && len(t.Node.Outputs) > 0 {
			line.Layer = t.Node.Outputs[0]
		}
		p.Total += line.Time
		p.Layers = append(p.Layers, line)
		key := [2]string{line.Op, line.Kernel}
		if kinds[key] == nil {
			kinds[key] = &profileLine{Op: line.Op, Kernel: line.Kernel}
		}
		k := kinds[key]
		k.Count++
		k.Time += line.Time
		k.multAdds += line.multAdds
	}
	for _, k := range kinds {
		p.Kinds = append(p.Kinds, *k)
	}
	slices.SortFunc(p.Kinds, func(a, b profileLine) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Kernel, b.Kernel))
	})
	for _, lines := range [][]profileLine{p.Layers, p.Kinds} {
		for i := range lines {
			l := &lines[i]
			if p.Total > 0 {
				l.Share = l.Time / p.Total
			}
			if l.Time > 0 {
				l.GFlops = 2 * float64(l.multAdds) / l.Time / 1e9
			}
		}
	}
}

func (p *profile) print(w io.Writer) error {
	fmt.Fprintf(w, "batch %d, %d threads, medians of %d runs, %v in all layers\n", p.Batch, p.Threads, p.Runs,
		time.Duration(p.Total*1e9).Round(10*time.Microsecond))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ms\tshare\tGFLOP/s\toperator\tkernel\tshape\tlayer")
	for _, l := range p.Layers {
		fmt.Fprintf(t, "%.3f\t%.1f%%\t%s\t%s\t%s\t%v\t%s\n", l.Time*1e3, l.Share*100, l.rate(), l.Op, l.Kernel, l.Shape, l.Layer)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t, "\nms\tshare\tGFLOP/s\toperator\tkernel\tlayers")
	for _, l := range p.Kinds {
		fmt.Fprintf(t, "%.3f\t%.1f%%\t%s\t%s\t%s\t%d\n", l.Time*1e3, l.Share*100, l.rate(), l.Op, l.Kernel, l.Count)
	}
	return t.Flush()
}

// rate is the GFLOP/s, of layers that multiply matrices.
func (l *profileLine) rate() string {
	if l.multAdds == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", l.GFlops)
}
