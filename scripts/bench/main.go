// Command bench measures the networks of a folder, the native engine beside ONNX Runtime, prints the table and writes
// it to docs/benchmarks.md with a description of the machine. It is what "make bench" runs, in the repository's root.
package main

import (
	"bytes"
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
	out := flag.String("o", filepath.Join("docs", "benchmarks.md"), "file to write")
	flag.Parse()
	if err := run(*models, *runs, *threads, *out); err != nil {
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

func run(dir string, runs, threads int, out string) error {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		dir = filepath.Join(cache, "onnxcnn-ref")
	}
	paths, err := networks(dir)
	if err != nil {
		return err
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
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `make bench`: %d threads, medians of %d runs, each after one that is not counted, the two programs taking turns.\n", threads, runs)
	fmt.Fprintf(&b, "Ratios are those of onnxcnn to ONNX Runtime: below 1, onnxcnn is faster or needs less.\n\n%s\n", machine())
	fmt.Fprintf(&b, "| network | batch | onnxcnn ms | ONNX Runtime ms | open and first run, ratio | peak memory, ratio | time, ratio |\n")
	fmt.Fprintf(&b, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	fmt.Print(b.String())
	for _, p := range paths {
		cmd := exec.Command(exe, "bench", "--json", "--batch", "1,8", "--provider", "native,ort",
			"--threads", strconv.Itoa(threads), "--runs", strconv.Itoa(runs), "--", p)
		var said bytes.Buffer
		cmd.Stderr = &said
		data, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", filepath.Base(p), err, strings.TrimSpace(said.String()))
		}
		var all []result
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for i := 0; i+1 < len(all); i += 2 {
			n, o := all[i], all[i+1]
			line := fmt.Sprintf("| %s | %d | %.1f | %.1f | %.2f | %.2f | %.2f |\n", strings.TrimSuffix(filepath.Base(p), ".onnx"), n.Batch,
				n.Median*1e3, o.Median*1e3, (n.Open+n.First)/(o.Open+o.First), n.Peak/o.Peak, n.Median/o.Median)
			fmt.Print(line)
			b.WriteString(line)
		}
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(b.String()), 0o644)
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
	if v := ortVersion(); v != "" {
		fmt.Fprintf(&b, "- ONNX Runtime %s\n", v)
	}
	return b.String()
}

// ortVersion reads the version that scripts/get_ort.sh installs.
func ortVersion() string {
	script, _ := os.ReadFile(filepath.Join("scripts", "get_ort.sh"))
	return string(regexp.MustCompile(`\d+\.\d+\.\d+`).Find(script))
}
