package onnx

import (
	"bufio"
	"bytes"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// encoder writes messages in two passes: the first (w is nil) notes the sizes of all messages, in the order in which
// they begin, and the second writes. So no message is put together in memory, and weights go straight to the writer.
type encoder struct {
	w        *bufio.Writer
	n        int64 // bytes so far
	sizes    []int64
	next     int                   // of sizes, in the second pass
	external map[*Tensor]placement // tensors whose data goes to another file
	scratch  []byte
	err      error
}

// encode writes m to w.
func (e *encoder) encode(w *bufio.Writer, m message) error {
	e.measure(m)
	e.w, e.n, e.next = w, 0, 0
	m.fields(e)
	if e.err != nil {
		return e.err
	}
	return w.Flush()
}

// measure returns how many bytes m takes.
func (e *encoder) measure(m message) int64 {
	e.w, e.n, e.sizes = nil, 0, e.sizes[:0]
	m.fields(e)
	return e.n
}

// write puts b out.
func (e *encoder) write(b []byte) {
	e.n += int64(len(b))
	if e.w != nil && e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

// head writes a tag, and behind it the varint v where the type begins with one.
func (e *encoder) head(num protowire.Number, typ protowire.Type, v uint64) {
	e.scratch = protowire.AppendTag(e.scratch[:0], num, typ)
	if typ == protowire.VarintType || typ == protowire.BytesType {
		e.scratch = protowire.AppendVarint(e.scratch, v)
	}
	e.write(e.scratch)
}

func (e *encoder) message(num protowire.Number, m message) {
	if e.w != nil {
		size := e.sizes[e.next]
		e.next++
		e.head(num, protowire.BytesType, uint64(size))
		m.fields(e)
		return
	}
	slot, before := len(e.sizes), e.n
	e.sizes = append(e.sizes, 0)
	m.fields(e)
	e.sizes[slot] = e.n - before
	e.head(num, protowire.BytesType, uint64(e.sizes[slot]))
}

func (e *encoder) text(num protowire.Number, _ string, p *string) {
	if *p != "" {
		e.texts(num, "", &[]string{*p})
	}
}

func (e *encoder) texts(num protowire.Number, _ string, p *[]string) {
	for _, s := range *p {
		e.head(num, protowire.BytesType, uint64(len(s)))
		e.write([]byte(s))
	}
}

func (e *encoder) bytes(num protowire.Number, _ string, p *[]byte, always bool) {
	if len(*p) > 0 || always {
		e.head(num, protowire.BytesType, uint64(len(*p)))
		e.write(*p)
	}
}

func (e *encoder) bytesList(num protowire.Number, name string, p *[][]byte) {
	for i := range *p {
		e.bytes(num, name, &(*p)[i], true)
	}
}

func (e *encoder) varint(num protowire.Number, _ string, p *int64, always bool) {
	if *p != 0 || always {
		e.head(num, protowire.VarintType, uint64(*p))
	}
}

func (e *encoder) varints(num protowire.Number, name string, p *[]int64) {
	for i := range *p {
		e.varint(num, name, &(*p)[i], true)
	}
}

func (e *encoder) float(num protowire.Number, _ string, p *float32, always bool) {
	if bits := math.Float32bits(*p); bits != 0 || always {
		e.head(num, protowire.Fixed32Type, 0)
		e.scratch = protowire.AppendFixed32(e.scratch[:0], bits)
		e.write(e.scratch)
	}
}

func (e *encoder) floats(num protowire.Number, name string, p *[]float32) {
	for i := range *p {
		e.float(num, name, &(*p)[i], true)
	}
}

func (e *encoder) packed(num protowire.Number, name string, _ protowire.Type, p *[]byte) {
	e.bytes(num, name, p, false)
}

func (e *encoder) unknown(p *[]byte) { e.write(*p) }

// Marshal returns the tensor as the bytes of a TensorProto, as the files input_0.pb of the ONNX test data hold it.
func (t *Tensor) Marshal() ([]byte, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	var e encoder
	err := e.encode(bufio.NewWriter(&b), e.proto(t))
	return b.Bytes(), err
}
