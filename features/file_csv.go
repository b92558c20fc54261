package features

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// csvEncoder writes text. Rows are flushed batch by batch, so that a reader of a pipe sees them as they come.
type csvEncoder struct {
	w       *csv.Writer
	classes []string
	record  []string
}

func newCSV(w io.Writer, classes []string) *csvEncoder {
	return &csvEncoder{w: csv.NewWriter(w), classes: classes}
}

func (c *csvEncoder) begin(shape []int) error {
	c.record = append(c.record, "path", "label", "class")
	for i := range onnx.NumElements(shape) {
		c.record = append(c.record, "f"+strconv.Itoa(i))
	}
	return c.w.Write(c.record)
}

func (c *csvEncoder) write(b *Batch) error {
	for i, it := range b.Items {
		c.record = append(c.record[:0], it.Path, strconv.Itoa(it.Label), className(c.classes, it.Label))
		for _, v := range b.Row(i) {
			c.record = append(c.record, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		if err := c.w.Write(c.record); err != nil {
			return err
		}
	}
	c.w.Flush()
	return c.w.Error()
}

func (c *csvEncoder) end() error {
	c.w.Flush()
	return c.w.Error()
}

func (c *csvEncoder) release() {}

// className returns a label's class, "" for none.
func className(classes []string, label int) string {
	if label < 0 || label >= len(classes) {
		return ""
	}
	return classes[label]
}
