// Command docs makes the pictures of README.md again: run it from the repository's root, by "make docs".
//
// It trains a small network on pictures that it draws (internal/scenes), and runs on them the commands that README.md
// shows, which it prints.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/scenes"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, "docs")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

// run writes the pictures to a folder.
func run(ctx context.Context, docs string) error {
	docs, err := filepath.Abs(docs)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "onnxcnn-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "onnxcnn")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/onnxcnn")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	if err := inputs(ctx, dir); err != nil {
		return err
	}
	for _, p := range pictures {
		for _, line := range p.lines {
			fmt.Println("$ onnxcnn", line)
			c := exec.CommandContext(ctx, program, strings.Fields(line)...)
			c.Dir, c.Stdout, c.Stderr = dir, os.Stdout, os.Stderr
			if err := c.Run(); err != nil {
				return fmt.Errorf("onnxcnn %s: %w", line, err)
			}
		}
		if p.name == "" {
			continue
		}
		if err := copyFile(filepath.Join(dir, p.name), filepath.Join(docs, p.name)); err != nil {
			return err
		}
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Println("report.png stays as it is: chromium is not installed")
		return nil
	}
	return screenshot(ctx, chromium, filepath.Join(dir, "report.html"), filepath.Join(docs, "report.png"))
}

// pictures are those of README.md, with the commands that make them; the last makes the page that is photographed.
var pictures = []struct {
	name  string
	lines []string
}{
	{"gradcam.png", []string{"gradcam scenes.onnx scenes -o gradcam.png --method gradcam,layercam,occlusion,guided-gradcam,integrated-gradients --window 8 --stride 2 --baseline gray --width 160"}},
	{"classes.png", []string{"gradcam scenes.onnx scenes/bars.png -o classes.png --top 3 --contour 0.5 --fade --width 160"}},
	{"activations.png", []string{"activations scenes.onnx scenes/bars.png -o activations.png --layer relu2 --columns 8 --width 96"}},
	{"filters.png", []string{"filters scenes.onnx -o filters.png --layer relu3 --filters 0-11 --image-size 64 --jitter 2 --decorrelate"}},
	{"bank.png", []string{"kernel rings.png -o bank.png --kernel bank"}},
	{"fields.png", []string{"receptive-field vgg16.onnx -o fields.png --image rings.png"}},
	{"features.png", []string{
		"demo -o tryout --quiet",
		"extract-features tryout/backbone.onnx tryout/images -o tryout.npz",
		"plot-features tryout.npz -o features.png --method tsne",
	}},
	{"", []string{
		"finetune tryout/backbone.onnx tryout/images -o run --unfreeze-from 3 --epochs 12 --lr 0.003 --quiet",
		"report run tryout/images -o report.html",
	}},
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return atomicfile.Write(to, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// inputs writes scenes.onnx and a picture of each class, vgg16.onnx without weights and without classifier, and rings.png.
func inputs(ctx context.Context, dir string) error {
	m, err := scenes.Train(ctx, 1, 150)
	if err != nil {
		return err
	}
	if err := m.Save(filepath.Join(dir, "scenes.onnx"), onnx.SaveOptions{}); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "scenes"), 0o777); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(3, 0))
	for class, name := range scenes.Classes {
		if err := writePNG(filepath.Join(dir, "scenes", name+".png"), scenes.Draw(class, rng).Image); err != nil {
			return err
		}
	}
	if err := writePNG(filepath.Join(dir, "rings.png"), rings(128)); err != nil {
		return err
	}
	vgg, _ := zoo.Lookup("vgg16")
	if m, err = vgg.Build(zoo.BuildOptions{NoTop: true, Blank: true}); err != nil {
		return err
	}
	return m.Save(filepath.Join(dir, "vgg16.onnx"), onnx.SaveOptions{})
}

// rings draws rings that get narrower outwards: waves of all directions and of all lengths down to four pixels.
func rings(side int) image.Image {
	img := image.NewGray(image.Rect(0, 0, side, side))
	middle := float64(side) / 2
	for i := range img.Pix {
		x, y := float64(i%side)+0.5-middle, float64(i/side)+0.5-middle
		// The phase's derivative by the distance is the frequency: 1/4 at the edge.
		phase := math.Pi * (x*x + y*y) / (4 * middle)
		img.Pix[i] = uint8(math.Round(127.5 + 127.5*math.Cos(phase)))
	}
	return img
}

func writePNG(file string, img image.Image) error {
	return atomicfile.Write(file, func(w io.Writer) error { return png.Encode(w, img) })
}

// screenshot photographs the start of a report's page and its mistakes, side by side.
func screenshot(ctx context.Context, chromium, page, file string) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	const width, height = 800, 1000
	both := image.NewNRGBA(image.Rect(0, 0, 2*width, height))
	dir := filepath.Dir(page)
	html, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	for i, hide := range []string{"", "header, .cards, section:not(#mistakes) { display: none }"} {
		part, shot := filepath.Join(dir, "part.html"), filepath.Join(dir, "shot.png")
		if err := os.WriteFile(part, bytes.Replace(html, []byte("</style>"), []byte(hide+"</style>"), 1), 0o666); err != nil {
			return err
		}
		c := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000",
			"--blink-settings=preferredColorScheme=1", "--user-data-dir="+filepath.Join(dir, "chromium"),
			fmt.Sprintf("--window-size=%d,%d", width, height), "--screenshot="+shot, "file://"+part)
		// Its output is not read: children that outlive it would keep the pipe open.
		if err := c.Run(); err != nil {
			return fmt.Errorf("chromium: %w", err)
		}
		f, err := os.Open(shot)
		if err != nil {
			return err
		}
		img, err := png.Decode(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		draw.Draw(both, image.Rect(i*width, 0, (i+1)*width, height), img, img.Bounds().Min, draw.Src)
	}
	return writePNG(file, both)
}
