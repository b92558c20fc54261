// Command docs makes the pictures of README.md again: run it from the repository's root, by "make docs".
//
// It trains a small network on pictures that it draws (internal/scenes), and runs on them the commands that README.md
// shows, which it prints.
package main

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/scenes"
	"github.com/onnxcnn/onnxcnn/onnx"
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
	for _, line := range []string{
		"gradcam scenes.onnx scenes -o gradcam.png --method gradcam,layercam,occlusion,guided-gradcam,integrated-gradients --window 8 --stride 2 --baseline gray --width 160",
		"gradcam scenes.onnx scenes/bars.png -o classes.png --top 3 --contour 0.5 --fade --width 160",
		"activations scenes.onnx scenes/bars.png -o activations.png --layer relu2 --columns 8 --width 96",
	} {
		fmt.Println("$ onnxcnn", line)
		c := exec.CommandContext(ctx, program, strings.Fields(line)...)
		c.Dir, c.Stdout, c.Stderr = dir, os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("onnxcnn %s: %w", line, err)
		}
	}
	for _, name := range []string{"gradcam.png", "classes.png", "activations.png"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		err = atomicfile.Write(filepath.Join(docs, name), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inputs writes scenes.onnx and a picture of each class.
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
		err := atomicfile.Write(filepath.Join(dir, "scenes", name+".png"), func(w io.Writer) error {
			return png.Encode(w, scenes.Draw(class, rng).Image)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
