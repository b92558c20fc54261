package metrics

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/zoo"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"percent": percent,
	"number":  func(v float64) string { return fmt.Sprintf("%.4f", v) },
	"value": func(v Value) string {
		if !v.Defined() {
			return "–"
		}
		return fmt.Sprintf("%.4f", v)
	},
}).Parse(pageText))

// page is what the template shows.
type page struct {
	*Evaluation
	Title  string
	Charts []pageChart
	Matrix bool // the confusion matrix is shown as a table, too
	Worst  []pageMistake
}

// pageChart is a picture for bright and for dark screens.
type pageChart struct {
	Title       string
	Text        string // for those who do not see it
	Note        string
	Light, Dark template.URL
	DarkSet     template.Srcset
	Width       int // as it is meant to be seen
	Height      int
}

type pageMistake struct {
	Mistake
	Image template.URL // "" where the image cannot be read any more
}

// WritePage writes one HTML page with all numbers, the charts and the most confident mistakes. It needs no other file
// and no network connection, and follows the reader's preference for bright or dark.
func (e *Evaluation) WritePage(w io.Writer) error {
	p := page{Evaluation: e, Title: "Evaluation", Matrix: len(e.Classes) <= 20}
	if e.Model != "" {
		p.Title = "Evaluation of " + filepath.Base(e.Model)
	}
	for _, c := range []struct {
		title, text, note string
		draw              func(io.Writer, *theme) error
	}{
		{"Confusion matrix", fmt.Sprintf("Confusion matrix: %d of %d images are on the diagonal.", e.Correct, e.Samples),
			"Rows are the true classes, columns the predictions. Colours are shares of the row.", e.drawConfusion},
		{"ROC curves", "ROC curves: " + e.rocTitle() + ".",
			"How many of a class's images are found against how many others are taken for it, as the threshold falls.", e.drawROC},
		{"Calibration", fmt.Sprintf("Reliability diagram: the expected calibration error is %.4f.", e.CalibrationError),
			"Of predictions with a confidence of 0.8, 80 % should be right: bars above the diagonal mean too little confidence, below too much.", e.drawCalibration},
	} {
		chart := pageChart{Title: c.title, Text: c.text, Note: c.note}
		var err error
		if chart.Light, chart.Width, chart.Height, err = inline(c.draw, &light); err != nil {
			return err
		}
		if chart.Dark, _, _, err = inline(c.draw, &dark); err != nil {
			return err
		}
		chart.DarkSet = template.Srcset(chart.Dark)
		p.Charts = append(p.Charts, chart)
	}
	for _, m := range e.Mistakes {
		worst := pageMistake{Mistake: m}
		if m.Sample < len(e.Items) {
			worst.Image = thumbnail(e.Items[m.Sample])
		}
		p.Worst = append(p.Worst, worst)
	}
	return pageTemplate.Execute(w, p)
}

// inline draws a chart into a data URI. Charts have two pixels to one of the page (see dpi), less what points are
// smaller than pixels.
func inline(draw func(io.Writer, *theme) error, t *theme) (uri template.URL, width, height int, err error) {
	var b bytes.Buffer
	if err := draw(&b, t); err != nil {
		return "", 0, 0, err
	}
	c, err := png.DecodeConfig(bytes.NewReader(b.Bytes()))
	if err != nil {
		return "", 0, 0, err
	}
	return dataURI("image/png", b.Bytes()), c.Width * 96 / dpi, c.Height * 96 / dpi, nil
}

func dataURI(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

// thumbnail returns a small copy of an image, "" where that cannot be read.
func thumbnail(it features.Item) template.URL {
	const side = 224
	f, err := it.Open()
	if err != nil {
		return ""
	}
	defer f.Close()
	picture, err := zoo.Decode(f, zoo.DecodeOptions{})
	if err != nil {
		return ""
	}
	w, h := picture.Size()
	if long := max(w, h); long > side {
		w, h = max(w*side/long, 1), max(h*side/long, 1)
	}
	recipe := zoo.Recipe{Resize: "exact", Size: [2]int{h, w}, Channels: "RGB", Scale: 1, Std: [3]float64{1, 1, 1}, Layout: "NHWC"}
	values := make([]float32, 3*w*h)
	if err := recipe.Render(picture, values); err != nil {
		return ""
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		for c := range 3 {
			img.Pix[4*i+c] = uint8(min(max(values[3*i+c]+0.5, 0), 255))
		}
		img.Pix[4*i+3] = 255
	}
	var b bytes.Buffer
	if w*h <= 64*64 { // too small for what JPEG does to it
		if png.Encode(&b, img) != nil {
			return ""
		}
		return dataURI("image/png", b.Bytes())
	}
	if jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}) != nil {
		return ""
	}
	return dataURI("image/jpeg", b.Bytes())
}
