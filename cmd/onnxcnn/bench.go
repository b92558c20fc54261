package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure time and memory of a model, also of two providers against each other",
		ArgsUsage: "MODEL",
		Description: `Opens the model, runs it once, and then several times on random numbers. Each provider runs in a process
of its own; where there are several they take turns, so that they share whatever else the machine does. In
each turn one run is measured, after one that fills the caches. Compare the ratio of medians: single times depend on the machine's other work.

The columns: seconds to read the file and prepare it (open), to run it for the first time (first), median
and shortest time of the runs after that, images a second at the median, the process's peak memory, and
the first provider's median over this one's (ratio: above 1 means that this one is faster).

With --profile the model runs in this process instead, and the table has the median time of each layer, its
share, the algorithm and the GFLOP/s (two operations a multiply-add), then the sums by operator and algorithm.

With --train a run is a step of training on random images: the network is cut and given a head as finetune does
it, the frozen part runs, and the rest learns. The cached column is a step on activations that the frozen part has
computed before, as finetune takes it from the second epoch on.

With --images the rate of extract-features on these image files is measured, in turns with the network alone on
batches that are ready and with decoding alone; the ratio is that of the first two.

   onnxcnn bench resnet50.onnx --batch 8
   onnxcnn bench resnet50.onnx --batch 8 --profile
   onnxcnn bench resnet50.onnx --images photos/train --recipe torchvision-v1
   onnxcnn bench resnet50.onnx --batch 1,8 --provider native,ort --threads 2 --json
   onnxcnn bench vgg16.onnx --train --unfreeze-from 10 --input-size 150 --batch 16 --head 256,relu --pool flatten --loss bce`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "batch", Usage: "images a run: `N`, or several numbers with commas between. By default what --input or the model says, else 1"},
			&cli.IntFlag{Name: "runs", Value: 7, Usage: "measure `N` runs after the first"},
			inputFlag(),
			&cli.StringFlag{Name: "provider", Value: "native", Category: sharedCategory,
				Usage: "what to measure: `NAMES` with commas between, of native, ort, ..."},
			threadsFlag(), seedFlag(), quietFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "profile", Usage: "print how the engine's own time divides between the layers"},
			&cli.BoolFlag{Name: "worker", Hidden: true},
			&cli.StringSliceFlag{Name: "images", Usage: "measure the extraction of features from the images in `FOLDER`s or files"},
			&cli.StringFlag{Name: "recipe", Usage: "with --images: `NAME` of a recipe or of a JSON file. By default what the model says"},
		}, benchTrainFlags()...),
		Action: runBench,
	}
}

// benchResult is what was measured of one provider at one batch size. Times are in seconds.
type benchResult struct {
	Model    string  `json:"model"`
	Provider string  `json:"provider"`
	Batch    int     `json:"batch"`
	Threads  int     `json:"threads"`
	Runs     int     `json:"runs"`
	Open     float64 `json:"open_s"`
	First    float64 `json:"first_s"`
	Median   float64 `json:"median_s"`
	Min      float64 `json:"min_s"`
	Rate     float64 `json:"images_per_s"`
	Peak     float64 `json:"peak_mb,omitempty"`
	Ratio    float64 `json:"ratio,omitempty"`

	training trainingCost // with --train
}

func runBench(c *cli.Context) error {
	path, err := onlyModelArg(c)
	if err != nil {
		return err
	}
	if c.Int("runs") < 1 {
		return usagef("--runs %d: at least one run", c.Int("runs"))
	}
	images := len(c.StringSlice("images")) > 0
	if images && (c.Bool("train") || c.Bool("profile")) {
		return usagef("--images excludes --train and --profile")
	}
	if err := checkTrainFlags(c); err != nil {
		return err
	}
	batches, err := benchBatches(c, path) // opens the model: a bad file is told once, and before anything is started
	if err != nil {
		return err
	}
	if c.Bool("worker") {
		return benchWorker(c, path, batches[0])
	}
	if images {
		return benchImages(c, path, batches)
	}
	if c.Bool("profile") {
		return benchProfile(c, path, batches)
	}
	providers := splitProviders(c.String("provider"))
	for _, p := range providers {
		name, _, _ := strings.Cut(p, ":")
		if !slices.Contains(backend.Providers(), name) {
			return usagef("there is no provider %q in this program (providers: %s)", name, strings.Join(backend.Providers(), ", "))
		}
	}
	var all []benchResult
	for _, n := range batches {
		res, err := compare(c, path, n, providers)
		if err != nil {
			return err
		}
		all = append(all, res...)
	}
	switch {
	case c.Bool("train"):
		return printTraining(c, all)
	case c.Bool("json"):
		return printJSON(c, all)
	}
	return printBench(c.App.Writer, all)
}

// benchBatches returns the batch sizes to measure. Where --batch does not say: 32 for what reads a folder or trains, else
// the first dimension of the first input, where --input or the model gives it, else 1.
func benchBatches(c *cli.Context, path string) ([]int, error) {
	m, err := openModel(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	switch {
	case c.IsSet("batch"):
		return parseBatches(c.String("batch"))
	case c.Bool("train"), len(c.StringSlice("images")) > 0:
		return []int{32}, nil
	}
	shapes, err := benchShapes(c, m, 0)
	if err != nil {
		return nil, err
	}
	for _, v := range m.Graph.RequiredInputs() {
		if s := shapes[v.Name]; len(s) > 1 && s[0] > 0 {
			return []int{s[0]}, nil
		}
	}
	return []int{1}, nil
}

func parseBatches(s string) ([]int, error) {
	var out []int
	for _, f := range strings.Split(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n < 1 || n > 1<<16 {
			return nil, usagef("--batch %s: want numbers of images from 1 on, with commas between", s)
		}
		out = append(out, n)
	}
	return out, nil
}

// splitProviders splits at commas. A part such as device_id=1 is an option of the provider before it.
func splitProviders(s string) []string {
	var out []string
	for _, p := range strings.Split(s, ",") {
		p = strings.TrimSpace(p)
		if strings.Contains(p, "=") && len(out) > 0 {
			out[len(out)-1] += "," + p
			continue
		}
		out = append(out, p)
	}
	return out
}

// A worker is a process that measures one provider: it says when it is ready, and runs for each line it is sent.
type worker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	said  strings.Builder // its standard error
	times []float64
	ready workerReady
}

// workerReady is the first line of a worker, runs are a number of seconds a line, and workerDone is the last.
type (
	workerReady struct {
		Open    float64 `json:"open_s"`
		First   float64 `json:"first_s"`
		Threads int     `json:"threads"`
	}
	workerDone struct {
		Peak     float64      `json:"peak_mb"`
		Training trainingCost `json:"training"`
	}
)

// settle is how long a provider waits for its turn. Threads of the one before may spin that long in wait of more work
// (ONNX Runtime's do for some 50 ms), and would take processor time from this one.
const settle = 100 * time.Millisecond

// compare measures all providers at one batch size, taking turns.
func compare(c *cli.Context, path string, batch int, providers []string) (all []benchResult, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	var workers []*worker
	defer func() {
		cancel() // ends those that still run
		for _, w := range workers {
			_ = w.cmd.Wait()
		}
		if err != nil && c.Context.Err() != nil {
			err = c.Context.Err() // which is why they ended
		}
	}()
	for _, p := range providers {
		args := []string{"bench", "--worker", "--provider", p, "--batch", strconv.Itoa(batch), "--threads", strconv.Itoa(c.Int("threads")),
			"--seed", strconv.FormatInt(c.Int64("seed"), 10), "--quiet"}
		for _, in := range c.StringSlice("input") {
			args = append(args, "--input", in)
		}
		args = append(args, trainArgs(c)...)
		w := &worker{cmd: exec.CommandContext(ctx, exe, append(args, "--", path)...)}
		w.cmd.Stderr = &w.said
		if w.in, err = w.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		out, err := w.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		w.out = bufio.NewScanner(out)
		if err := w.cmd.Start(); err != nil {
			return nil, err
		}
		workers = append(workers, w)
		if err := w.read(&w.ready); err != nil { // one opens after the other, so that none disturbs it
			return nil, err
		}
	}
	for range c.Int("runs") {
		for _, w := range workers {
			if len(workers) > 1 {
				time.Sleep(settle)
			}
			if _, err := io.WriteString(w.in, "\n"); err != nil {
				return nil, err
			}
			var t float64
			if err := w.read(&t); err != nil {
				return nil, err
			}
			w.times = append(w.times, t)
		}
	}
	for i, w := range workers {
		if err := w.in.Close(); err != nil {
			return nil, err
		}
		var done workerDone
		if err := w.read(&done); err != nil {
			return nil, err
		}
		slices.Sort(w.times)
		r := benchResult{Model: path, Provider: providers[i], Batch: batch, Threads: w.ready.Threads, Runs: len(w.times),
			Open: w.ready.Open, First: w.ready.First, Median: median(w.times), Min: w.times[0], Peak: done.Peak, training: done.Training}
		r.Rate = float64(batch) / r.Median
		all = append(all, r)
		if len(workers) > 1 {
			all[i].Ratio = all[0].Median / r.Median
		}
	}
	return all, nil
}

// read reads the worker's next line. A worker that ends instead has said why on its standard error.
func (w *worker) read(v any) error {
	if w.out.Scan() {
		return json.Unmarshal(w.out.Bytes(), v)
	}
	if err := w.out.Err(); err != nil {
		return err
	}
	err := w.cmd.Wait()
	if said := strings.TrimPrefix(strings.TrimSpace(w.said.String()), "onnxcnn: "); said != "" {
		return errors.New(said)
	}
	return fmt.Errorf("a measuring process ended early: %w", err)
}

// median returns the middle of sorted numbers.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// measured is what a worker measures.
type measured struct {
	run   func() error
	done  func() (trainingCost, error) // what there is to tell at the end; may be nil
	close func() error
}

// benchWorker is the measuring process.
func benchWorker(c *cli.Context, path string, batch int) error {
	out := json.NewEncoder(c.App.Writer)
	start := time.Now()
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	prepare := benchInference
	if c.Bool("train") {
		prepare = benchTraining
	}
	work, err := prepare(c, m, batch)
	if err != nil {
		return err
	}
	defer func() { _ = work.close() }() // of a process that is about to end
	ready := workerReady{Open: time.Since(start).Seconds(), Threads: threadsOf(c.Int("threads"))}
	run := func() (float64, error) {
		start := time.Now()
		err := work.run()
		return time.Since(start).Seconds(), err
	}
	if ready.First, err = run(); err != nil {
		return err
	}
	if err := out.Encode(ready); err != nil {
		return err
	}
	for in := bufio.NewScanner(c.App.Reader); in.Scan(); {
		if _, err := run(); err != nil { // not measured: it finds the caches full of the other's data
			return err
		}
		t, err := run()
		if err != nil {
			return err
		}
		if err := out.Encode(t); err != nil {
			return err
		}
	}
	last := workerDone{Peak: float64(peakMemory()) / (1 << 20)}
	if work.done != nil {
		if last.Training, err = work.done(); err != nil {
			return err
		}
	}
	return out.Encode(last)
}

// benchInference prepares runs of a model on random numbers.
func benchInference(c *cli.Context, m *onnx.Model, batch int) (*measured, error) {
	shapes, err := benchShapes(c, m, batch)
	if err != nil {
		return nil, err
	}
	s, err := backend.Open(m, engineOptions(c))
	if err != nil {
		return nil, err
	}
	inputs := map[string]*onnx.Tensor{}
	r := rand.New(rand.NewPCG(uint64(c.Int64("seed")), 1))
	for _, v := range s.Inputs() {
		inputs[v.Name] = randomTensor(r, v.Type.Elem, shapes[v.Name])
	}
	return &measured{close: s.Close, run: func() error {
		_, err := s.Run(c.Context, inputs)
		return err
	}}, nil
}

// benchShapes returns the shape of every input: what --input says, else what the model declares, with the batch in
// front; 0 leaves it as it is.
func benchShapes(c *cli.Context, m *onnx.Model, batch int) (map[string][]int, error) {
	shapes, err := inputShapes(m, c.StringSlice("input"))
	if err != nil {
		return nil, err
	}
	if shapes == nil {
		shapes = map[string][]int{}
	}
	for _, v := range m.Graph.RequiredInputs() {
		if v.Type == nil || !v.Type.HasShape && shapes[v.Name] == nil {
			return nil, withHint(fmt.Errorf("%s: input %q: the model declares no shape", m.Path(), v.Name), "give it with --input %s=1x3x224x224", v.Name)
		}
		if shapes[v.Name] == nil {
			shape := make([]int, len(v.Type.Shape))
			for i, d := range v.Type.Shape {
				if shape[i] = d.Size; d.Size < 0 && i > 0 {
					return nil, withHint(fmt.Errorf("%s: input %q: dimension %d (%s) has no fixed size", m.Path(), v.Name, i, d.Param), "give the shape with --input")
				}
			}
			shapes[v.Name] = shape
		}
		if batch > 0 && len(shapes[v.Name]) > 1 {
			shapes[v.Name][0] = batch
		}
	}
	return shapes, nil
}

// randomTensor returns standard normal numbers for floats, zeros for everything else.
func randomTensor(r *rand.Rand, typ onnx.DataType, shape []int) *onnx.Tensor {
	t := onnx.New(typ, shape...)
	if typ == onnx.Float {
		for i := range t.Float32s() {
			t.Float32s()[i] = float32(r.NormFloat64())
		}
	}
	return t
}

func printBench(w io.Writer, all []benchResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "provider\tbatch\tthreads\truns\topen s\tfirst s\tmedian s\tmin s\timages/s\tpeak MB\tratio\t")
	for _, r := range all {
		ratio := ""
		if r.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.Ratio)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.3f\t%.3f\t%.4f\t%.4f\t%.1f\t%.0f\t%s\t\n",
			r.Provider, r.Batch, r.Threads, r.Runs, r.Open, r.First, r.Median, r.Min, r.Rate, r.Peak, ratio)
	}
	return t.Flush()
}

// threadsOf returns how many processors --threads stands for.
func threadsOf(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}
