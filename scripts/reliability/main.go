// Command reliability runs the tests that kill, starve, fuzz and soak the program, and writes what they measured to
// docs/reliability.md. "make reliability" runs it, in the repository's root; "make fuzz" runs the fuzz targets alone.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// figures are the tests whose lines "figure: WHAT: FIGURE" go into the table.
var figures = []struct{ pkg, run string }{
	{"./internal/conformance", "TestManifest"},
	{"./backend/onnxgo", "TestSuite"},
	{"./cmd/onnxcnn", "TestKilled|TestFull|TestPermissions|TestRevoked|TestSignals|TestStopped"},
	{"./zoo", "Killed|FullDisk|Revoked"},
	{"./features/doctor", "FullDisk"},
	{"./backend", "TestSoak"},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("reliability: ")
	fuzz := flag.String("fuzztime", "60s", "how long each fuzz target runs")
	only := flag.Bool("fuzz", false, "run the fuzz targets alone and write no file")
	out := flag.String("o", filepath.Join("docs", "reliability.md"), "file to write")
	flag.Parse()
	if *only {
		if err := fuzzAll(io.Discard, *fuzz); err != nil {
			log.Fatal(err)
		}
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Reliability\n\nWritten by `make reliability`, on %s with %d processors.\n\n", runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| what | figure |\n| --- | --- |\n")
	for _, f := range figures {
		lines, err := test(f.pkg, f.run)
		if err != nil {
			log.Fatal(err)
		}
		for _, l := range lines {
			what, figure, _ := strings.Cut(l, ": ")
			fmt.Fprintf(&b, "| %s | %s |\n", what, figure)
		}
	}
	if err := fuzzAll(&b, *fuzz); err != nil {
		log.Fatal(err)
	}
	if err := atomicfile.Write(*out, func(w io.Writer) error { _, err := io.WriteString(w, b.String()); return err }); err != nil {
		log.Fatal(err)
	}
	fmt.Print(b.String())
}

// test runs tests and returns their figures.
func test(pkg, run string) ([]string, error) {
	log.Printf("%s %s", pkg, run)
	out, err := exec.Command("go", "test", "-count=1", "-v", "-timeout", "15m", "-run", run, pkg).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if _, figure, ok := strings.Cut(strings.TrimSpace(line), "figure: "); ok {
			lines = append(lines, figure)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s: tests %s tell no figure", pkg, run)
	}
	return lines, nil
}

// target is a fuzz target.
type target struct{ pkg, name string }

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// fuzzTargets finds all of the module.
func fuzzTargets() ([]target, error) {
	var list []target
	err := filepath.WalkDir(".", func(p string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		data, err := os.ReadFile(p)
		for _, m := range fuzzFunc.FindAllSubmatch(data, -1) {
			list = append(list, target{filepath.ToSlash(filepath.Dir(p)), string(m[1])})
		}
		return err
	})
	return list, err
}

// fuzzAll runs every fuzz target of the module, one after the other, and writes a table of what they tried.
func fuzzAll(w io.Writer, duration string) error {
	fmt.Fprintf(w, "\nFuzzing, %s for each target:\n\n| target | inputs tried | MB tried |\n| --- | ---: | ---: |\n", duration)
	targets, err := fuzzTargets()
	if err != nil {
		return err
	}
	for _, t := range targets {
		inputs, bytes, err := t.run(duration)
		if err != nil {
			return err
		}
		mb := "-" // its inputs are sizes
		if bytes > 0 {
			mb = fmt.Sprintf("%.1f", float64(bytes)/1e6)
		}
		log.Printf("%s %s: %d inputs, %s MB", t.pkg, t.name, inputs, mb)
		fmt.Fprintf(w, "| %s `%s` | %d | %s |\n", t.pkg, t.name, inputs, mb)
	}
	return nil
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// run runs the target and returns how many inputs and bytes it tried.
func (t target) run(duration string) (inputs, bytes int, err error) {
	dir, err := os.MkdirTemp("", "reliability")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	count := filepath.Join(dir, "count")
	cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", duration, "-fuzzminimizetime", "10x", "./"+t.pkg)
	cmd.Env = append(os.Environ(), reftest.FuzzCountEnv+"="+count)
	out, err := cmd.CombinedOutput()
	if err != nil && !onlyTimeOver(out) {
		return 0, 0, fmt.Errorf("%s %s: %w\n%s", t.pkg, t.name, err, out)
	}
	for _, m := range execs.FindAllSubmatch(out, -1) {
		inputs, _ = strconv.Atoi(string(m[1]))
	}
	f, err := os.Open(count)
	if err != nil {
		return inputs, 0, nil // nothing was counted
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		n, err := strconv.Atoi(s.Text())
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", count, err)
		}
		bytes += n
	}
	return inputs, bytes, nil
}

var (
	failed   = regexp.MustCompile(`(?m)^ *--- FAIL: .*\n((?: .*\n)*)`)
	timeOver = regexp.MustCompile(`^ +context deadline exceeded\n$`)
)

// onlyTimeOver reports whether all that the output of a failed fuzz target tells is that its time is over. Go before
// 1.27 takes the end of -fuzztime for a failure now and then (go.dev/issue/75804). An input that fails, a panic and a
// worker that dies print more below the target's line, and a package that can't be built has no such line.
func onlyTimeOver(out []byte) bool {
	m := failed.FindAllSubmatch(out, -1)
	return len(m) == 1 && timeOver.Match(m[0][1])
}
