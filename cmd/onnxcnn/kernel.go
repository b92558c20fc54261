package main

import (
	"image"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/gradcam"
)

func kernelCommand() *cli.Command {
	return &cli.Command{
		Name:      "kernel",
		Usage:     "show what a convolution kernel makes of an image",
		ArgsUsage: "IMAGE -o FILE",
		Description: `FILE (.png or .jpg) shows the image, the kernel and the result side by side. KERNEL is one of
  ` + strings.Join(gradcam.KernelNames(), ", ") + `,
or rows of numbers: "-1 0 1; -2 0 2; -1 0 1". It slides as in a convolution layer (without being turned). Kernels whose
weights add up to 1 filter each colour; what others say of the brightness is shown in grey, with 0 as middle grey.

"bank" draws Gabor filters of four directions, two frequencies and two widths, and what each makes of the image.

  onnxcnn kernel cat.jpg -o sobel.png --kernel sobel-x
  onnxcnn kernel cat.jpg -o gabor.png --kernel gabor --frequency 0.2 --theta 45 --sigma 4
  onnxcnn kernel cat.jpg -o bank.png --kernel bank`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the picture to `FILE`: .png or .jpg"},
			&cli.StringFlag{Name: "kernel", Value: "sobel-x", Usage: "`KERNEL`: a name, or numbers"},
			&cli.Float64Flag{Name: "frequency", Value: 0.1, Usage: "of gabor: `F` waves a pixel"},
			&cli.Float64Flag{Name: "theta", Usage: "of gabor: the direction of the wave in `DEGREES`"},
			&cli.Float64Flag{Name: "sigma", Value: 3, Usage: "of gabor and gauss: width `S` of the bell in pixels"},
			&cli.IntFlag{Name: "width", Value: 320, Usage: "reduce the image to `PIXELS` a row; 0 keeps it"},
			quietFlag(),
		},
		Action: showKernel,
	}
}

func showKernel(c *cli.Context) error {
	out := c.String("output")
	switch {
	case c.NArg() != 1:
		return withHint(usagef("which image? Give one"), "%s", seeHelp(c.Command))
	case out == "":
		return withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	case c.Int("width") < 0 || c.Int("width") > 1<<14:
		return usagef("--width %d: want 0 to %d", c.Int("width"), 1<<14)
	}
	if err := checkPicture(out); err != nil {
		return err
	}
	name := c.String("kernel")
	var k gradcam.Kernel
	var err error
	switch {
	case name == "bank":
	case strings.ContainsAny(name, "0123456789"):
		k, err = gradcam.ParseKernel(name)
	default:
		k, err = gradcam.KernelByName(name, gradcam.Gabor{Frequency: c.Float64("frequency"), Theta: c.Float64("theta"), Sigma: c.Float64("sigma")})
	}
	if err != nil {
		return usagef("--kernel: %w", err)
	}
	path := c.Args().First()
	picture, err := plainPicture(path, c.Int("width"))
	if err != nil {
		return err
	}
	var drawn image.Image
	if name == "bank" {
		bank, err := gradcam.GaborBank([]float64{0.1, 0.25}, []float64{2, 4}, []float64{0, 45, 90, 135})
		if err != nil {
			return err
		}
		drawn, err = gradcam.DrawBank(picture, bank, filepath.Base(path)+": Gabor filters")
		if err != nil {
			return err
		}
	} else if drawn, err = gradcam.DrawKernel(picture, k, filepath.Base(path)); err != nil {
		return err
	}
	return writePicture(out, drawn)
}

// plainPicture reads an image and reduces it to a width; 0, or more than it has, leaves it as it is.
func plainPicture(path string, width int) (image.Image, error) {
	p, err := readPicture(path)
	if err != nil {
		return nil, err
	}
	w, h := p.Size()
	if width > 0 && w > width {
		w, h = width, max((h*width+w/2)/w, 1)
	}
	return resizedPicture(p, h, w)
}
