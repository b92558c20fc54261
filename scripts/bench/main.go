// Command bench measures the networks of a folder, the native engine beside ONNX Runtime, prints the table and writes
// it to docs/benchmarks.md with a description of the machine. With -train it measures steps of training beside PyTorch,
// and writes docs/training.md. "make bench" and "make bench-train" run it, in the repository's root.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	models := flag.String("models", "", "folder with .onnx files; default: the cache of the tests' reference models")
	runs := flag.Int("runs", 9, "runs of each")
	threads := flag.Int("threads", 2, "threads")
	out := flag.String("o", "", "file to write; default: docs/benchmarks.md, with -train docs/training.md")
	train := flag.Bool("train", false, "measure steps of training beside PyTorch")
	t := torch{}
	flag.StringVar(&t.script, "against", filepath.Join("..", "shared", "tools", "torch_bench.py"), "with -train: PyTorch's side")
	flag.StringVar(&t.python, "python", "python3", "with -train: what runs it")
	flag.IntVar(&t.rounds, "rounds", 3, "with -train: turns of each program")
	flag.Parse()
	dir, err := modelFolder(*models)
	switch {
	case err != nil:
	case *train:
		err = write(*out, "training.md", func(b *strings.Builder, exe string) error { return t.measure(b, exe, dir, *runs, *threads) })
	default:
		err = write(*out, "benchmarks.md", func(b *strings.Builder, exe string) error { return inference(b, exe, dir, *runs, *threads) })
	}
	if err != nil {
		log.Fatal("bench: ", err)
	}
}

// result is a line of onnxcnn bench --json.
type result struct {
	Provider string  `json:"provider"`
	Batch    int     `json:"batch"`
	Open     float64 `json:"open_s"`
	First    float64 `json:"first_s"`
	Median   float64 `json:"median_s"`
	Peak     float64 `json:"peak_mb"`
}

// modelFolder returns the folder of the networks.
func modelFolder(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "onnxcnn-ref"), err
}

// write builds onnxcnn, has it measured, and writes what the measuring says, to a file in docs unless another is given.
func write(out, name string, measure func(b *strings.Builder, exe string) error) error {
	if out == "" {
		out = filepath.Join("docs", name)
	}
	tmp, err := os.MkdirTemp("", "onnxcnn-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	exe := filepath.Join(tmp, "onnxcnn")
	build := exec.Command("go", "build", "-o", exe, "./cmd/onnxcnn")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building onnxcnn: %w", err)
	}
	var b strings.Builder
	if err := measure(&b, exe); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(b.String()), 0o644)
}

// say prints a piece of what is written.
func say(b *strings.Builder, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Print(text)
	b.WriteString(text)
}

// inference measures the networks of a folder beside ONNX Runtime.
func inference(b *strings.Builder, exe, dir string, runs, threads int) error {
	paths, err := networks(dir)
	if err != nil {
		return err
	}
	say(b, "# Benchmarks\n\nWritten by `make bench`: %d threads, medians of %d runs, each after one that is not counted, the two programs taking turns.\n", threads, runs)
	say(b, "Ratios are those of onnxcnn to ONNX Runtime%s: below 1, onnxcnn is faster or needs less.\n\n%s\n", ortVersion(), machine())
	say(b, "| network | batch | onnxcnn ms | ONNX Runtime ms | open and first run, ratio | peak memory, ratio | time, ratio |\n")
	say(b, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, p := range paths {
		data, err := output(exe, "bench", "--json", "--batch", "1,8", "--provider", "native,ort",
			"--threads", strconv.Itoa(threads), "--runs", strconv.Itoa(runs), "--", p)
		if err != nil {
			return err
		}
		var all []result
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for i := 0; i+1 < len(all); i += 2 {
			n, o := all[i], all[i+1]
			say(b, "| %s | %d | %.1f | %.1f | %.2f | %.2f | %.2f |\n", strings.TrimSuffix(filepath.Base(p), ".onnx"), n.Batch,
				n.Median*1e3, o.Median*1e3, (n.Open+n.First)/(o.Open+o.First), n.Peak/o.Peak, n.Median/o.Median)
		}
	}
	return nil
}

// networks lists the .onnx files below a folder, one of each name, without those that keep batch normalisation apart.
func networks(dir string) ([]string, error) {
	byName := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		name := filepath.Base(p)
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".onnx") && !strings.HasSuffix(name, ".bn.onnx") {
			byName[name] = p
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, p := range byName {
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no .onnx file; give a folder with MODELS=DIR", dir)
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return all, nil
}

// machine describes what the figures were measured on: nothing that tells whose it is.
func machine() string {
	var b strings.Builder
	info, _ := os.ReadFile("/proc/cpuinfo") // absent on other systems
	field := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `\s*: (.*)$`).FindSubmatch(info)
		if m == nil {
			return ""
		}
		return string(m[1])
	}
	if model := field("model name"); model != "" {
		fmt.Fprintf(&b, "- Processor: %s, %d logical processors\n", model, runtime.NumCPU())
	} else {
		fmt.Fprintf(&b, "- Processor: %s, %d logical processors\n", runtime.GOARCH, runtime.NumCPU())
	}
	var have []string
	for _, f := range strings.Fields(field("flags")) {
		if f == "fma" || strings.HasPrefix(f, "avx") {
			have = append(have, f)
		}
	}
	if len(have) > 0 {
		fmt.Fprintf(&b, "- Vector instructions: %s\n", strings.Join(have, " "))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(&b, "- Load when it began: %s\n", strings.Fields(string(load))[0])
	}
	fmt.Fprintf(&b, "- %s/%s, %s\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	return b.String()
}

// ortVersion reads the version that scripts/get_ort.sh installs.
func ortVersion() string {
	script, _ := os.ReadFile(filepath.Join("scripts", "get_ort.sh"))
	if v := regexp.MustCompile(`\d+\.\d+\.\d+`).Find(script); v != nil {
		return " " + string(v)
	}
	return ""
}
