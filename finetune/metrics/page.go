package metrics

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/chart"
	"github.com/onnxcnn/onnxcnn/zoo"
)

//go:embed page.html multi.html parts.html
var pages embed.FS

var pageTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"percent": percent,
	"number":  func(v float64) string { return fmt.Sprintf("%.4f", v) },
	"value": func(v Value) string {
		if !v.Defined() {
			return "–"
		}
		return fmt.Sprintf("%.4f", v)
	},
}).ParseFS(pages, "*.html"))

// Extra is what a page shows beside the evaluation. The zero value adds nothing.
type Extra struct {
	History []Epoch        // of the training: the curves
	Summary string         // the network's table of layers, as text
	Details map[int]Detail // of mistakes, by Mistake.Sample
	Worst   []Mistake      // a second list of mistakes, as [Predictions.Worst] gives it
}

// Detail is what helps to understand a mistake.
type Detail struct {
	Map     image.Image // what spoke for the predicted class, over the picture; nil for none
	MapText string      // what it shows, for those who do not see it
	Nearest []Neighbour
}

// Neighbour is an image of the training data that looks to the network like another image.
type Neighbour struct {
	Item       features.Item
	Class      string
	Similarity float64 // the cosine between the features of both
}

// page is what the template shows.
type page struct {
	*Evaluation
	Title     string
	Curves    *pageChart
	Charts    []pageChart
	Matrix    bool // the confusion matrix is shown as a table, too
	Confident []pageMistake
	Worst     []pageMistake
	Explained bool // mistakes have heat maps
	Compared  bool // and images of the training data
	Summary   string
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
	Short   string       // the image's name below its folder
	Image   template.URL // "" where the image cannot be read any more
	Map     template.URL
	MapText string
	Nearest []pageNeighbour
}

type pageNeighbour struct {
	Neighbour
	Image template.URL
}

// WritePage writes one HTML page with all numbers, the charts and the most confident mistakes. It needs no other file
// and no network connection, and follows the reader's preference for bright or dark.
func (e *Evaluation) WritePage(w io.Writer) error { return e.WritePageWith(w, Extra{}) }

// WritePageWith writes the page of [Evaluation.WritePage] with more on it.
func (e *Evaluation) WritePageWith(w io.Writer, x Extra) error {
	p := page{Evaluation: e, Title: "Evaluation", Matrix: len(e.Classes) <= 20, Summary: x.Summary}
	if e.Model != "" {
		p.Title = "Evaluation of " + filepath.Base(e.Model)
	}
	if len(x.History) > 0 {
		last := x.History[len(x.History)-1]
		curves, err := newPageCharts([]chartSpec{{"Training", fmt.Sprintf("Loss and accuracy over %d epochs: at the end %.4f and %s in training, %.4f and %s in validation.",
			last.Epoch, last.TrainLoss, percent(last.TrainAcc), last.ValLoss, percent(last.ValAcc)),
			"Where training goes on getting better and validation does not, the network learns its images by heart.",
			func(w io.Writer, t *chart.Theme) error { return drawCurves(w, t, x.History) }}})
		if err != nil {
			return err
		}
		p.Curves = &curves[0]
	}
	var err error
	p.Charts, err = newPageCharts([]chartSpec{
		{"Confusion matrix", fmt.Sprintf("Confusion matrix: %d of %d images are on the diagonal.", e.Correct, e.Samples),
			"Rows are the true classes, columns the predictions. Colours are shares of the row.", e.drawConfusion},
		{"ROC curves", "ROC curves: " + rocTitle(e.AUC, len(e.Classes)) + ".", rocNote, e.drawROC},
		{"Calibration", fmt.Sprintf("Reliability diagram: the expected calibration error is %.4f.", e.CalibrationError),
			"Of predictions with a confidence of 0.8, 80 % should be right: bars above the diagonal mean too little confidence, below too much.", e.drawCalibration},
	})
	if err != nil {
		return err
	}
	p.Confident, p.Worst = e.pageMistakes(e.Mistakes, x.Details), e.pageMistakes(x.Worst, x.Details)
	for _, d := range x.Details {
		p.Explained = p.Explained || d.Map != nil
		p.Compared = p.Compared || len(d.Nearest) > 0
	}
	return pageTemplates.ExecuteTemplate(w, "page.html", p)
}

func (e *Evaluation) pageMistakes(list []Mistake, details map[int]Detail) []pageMistake {
	var out []pageMistake
	for _, m := range list {
		p := pageMistake{Mistake: m, Short: m.Path}
		if m.Sample < len(e.Items) {
			p.Short, p.Image = e.Items[m.Sample].Name(), thumbnail(e.Items[m.Sample])
		}
		if d, ok := details[m.Sample]; ok {
			if d.Map != nil {
				p.Map, p.MapText = inlinePicture(d.Map), d.MapText
			}
			for _, n := range d.Nearest {
				p.Nearest = append(p.Nearest, pageNeighbour{n, thumbnail(n.Item)})
			}
		}
		out = append(out, p)
	}
	return out
}

// chartSpec is what a chart on a page is made from.
type chartSpec struct {
	title, text, note string
	draw              func(io.Writer, *chart.Theme) error
}

func newPageCharts(specs []chartSpec) ([]pageChart, error) {
	var all []pageChart
	for _, s := range specs {
		c := pageChart{Title: s.title, Text: s.text, Note: s.note}
		var err error
		if c.Light, c.Width, c.Height, err = inline(s.draw, &chart.Light); err != nil {
			return nil, err
		}
		if c.Dark, _, _, err = inline(s.draw, &chart.Dark); err != nil {
			return nil, err
		}
		c.DarkSet = template.Srcset(c.Dark)
		all = append(all, c)
	}
	return all, nil
}

// inline draws a chart into a data URI. Charts have two pixels to one of the page (see chart.DPI), less what points are
// smaller than pixels.
func inline(draw func(io.Writer, *chart.Theme) error, t *chart.Theme) (uri template.URL, width, height int, err error) {
	var b bytes.Buffer
	if err := draw(&b, t); err != nil {
		return "", 0, 0, err
	}
	c, err := png.DecodeConfig(bytes.NewReader(b.Bytes()))
	if err != nil {
		return "", 0, 0, err
	}
	return dataURI("image/png", b.Bytes()), c.Width * 96 / chart.DPI, c.Height * 96 / chart.DPI, nil
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
	return inlinePicture(img)
}

// inlinePicture encodes a picture into a data URI, "" where that fails.
func inlinePicture(img image.Image) template.URL {
	var b bytes.Buffer
	if size := img.Bounds().Size(); size.X*size.Y <= 64*64 { // too small for what JPEG does to it
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

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
