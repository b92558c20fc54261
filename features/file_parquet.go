package features

import (
	"encoding/json"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// parquetRow is the schema. One list column instead of a column a feature: 2048 columns make a file's directory larger
// than its data, and pandas, pyarrow and polars turn a list column into a matrix in one step.
type parquetRow struct {
	Path     string    `parquet:"path"`
	Label    int64     `parquet:"label"`
	Class    *string   `parquet:"class,optional"`
	Features []float32 `parquet:"features,list"`
}

// rowGroupBytes is how much is kept in memory before it is written as a row group.
const rowGroupBytes = 16 << 20

type parquetEncoder struct {
	out     io.Writer
	classes []string
	w       *parquet.GenericWriter[parquetRow]
	rows    []parquetRow
	held    int // bytes in the current row group
}

func newParquet(w io.Writer, classes []string) *parquetEncoder {
	return &parquetEncoder{out: w, classes: classes}
}

func (p *parquetEncoder) begin(shape []int) error {
	names := p.classes
	if names == nil {
		names = []string{}
	}
	classes, err := json.Marshal(names)
	if err != nil {
		return err
	}
	dims, err := json.Marshal(shape)
	if err != nil {
		return err
	}
	p.w = parquet.NewGenericWriter[parquetRow](p.out, parquet.Compression(&parquet.Zstd),
		parquet.KeyValueMetadata("onnxcnn.classes", string(classes)), parquet.KeyValueMetadata("onnxcnn.shape", string(dims)))
	return nil
}

func (p *parquetEncoder) write(b *Batch) error {
	p.rows = p.rows[:0]
	for i, it := range b.Items {
		r := parquetRow{Path: it.Path, Label: int64(it.Label), Features: b.Row(i)}
		if name := className(p.classes, it.Label); name != "" {
			r.Class = &name
		}
		p.rows = append(p.rows, r)
	}
	if _, err := p.w.Write(p.rows); err != nil {
		return err
	}
	if p.held += 4 * len(p.rows) * onnx.NumElements(b.Shape); p.held >= rowGroupBytes {
		p.held = 0
		return p.w.Flush()
	}
	return nil
}

func (p *parquetEncoder) end() error { return p.w.Close() }

func (p *parquetEncoder) release() {}
