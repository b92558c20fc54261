package onnx

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// sparseProto is a SparseTensorProto.
type sparseProto struct {
	values  *Tensor
	indices *Tensor
	dims    []int64
	unknown []byte
}

func (w *sparseProto) fields(c codec) {
	tensor(c, 1, "values", &w.values)
	tensor(c, 2, "indices", &w.indices)
	c.varints(3, "dims", &w.dims)
	c.unknown(&w.unknown)
}

// sparseTensors reads a repeated SparseTensorProto as dense tensors.
func sparseTensors(d *decoder, num protowire.Number, name string, p *[]*Tensor) {
	each(d, num, name, p, decodeSparse, nil)
}

// sparseAttribute is the sparse tensors of an attribute, which is dense in memory and sparse in files.
func sparseAttribute(c codec, a *Attribute) {
	if _, reading := c.(*decoder); reading || a.Type == AttrSparseTensor {
		one(c, 22, "sparse_tensor", &a.Tensor, decodeSparse, encodeSparse)
	}
	if _, reading := c.(*decoder); reading || a.Type == AttrSparseTensors {
		each(c, 23, "sparse_tensors", &a.Tensors, decodeSparse, encodeSparse)
	}
}

func decodeSparse(d *decoder) *Tensor {
	start := d.f.start
	var w sparseProto
	d.message(&w)
	if d.err != nil {
		return nil
	}
	t, err := w.dense(&d.budget)
	if err != nil {
		d.fail(start, "%v", err)
	}
	return t
}

// dense expands the tensor, as long as the budget has the bytes that it takes.
func (w *sparseProto) dense(budget *int64) (*Tensor, error) {
	if w.values == nil || w.indices == nil {
		return nil, fmt.Errorf("a sparse tensor without values or indices")
	}
	n, err := elements(w.dims)
	if err != nil {
		return nil, err
	}
	typ, nnz := w.values.Type, w.values.Len()
	if !typ.Known() || w.indices.Type != Int64 || len(w.values.Shape) != 1 {
		return nil, fmt.Errorf("sparse tensor %q: want values of one dimension and int64 indices, have %v%v and %v%v",
			w.values.Name, typ, w.values.Shape, w.indices.Type, w.indices.Shape)
	}
	linear, err := w.linear(n, nnz)
	if err != nil {
		return nil, fmt.Errorf("sparse tensor %q: %w", w.values.Name, err)
	}
	size := int64(typ.Bytes(n))
	if typ == String {
		size = int64(n) * 16
	}
	if size > *budget {
		return nil, fmt.Errorf("sparse tensor %q: %v%v would expand to %d bytes, %d are allowed", w.values.Name, typ, w.dims, size, *budget)
	}
	*budget -= size
	shape := make([]int, len(w.dims))
	for i, v := range w.dims {
		shape[i] = int(v)
	}
	t := New(typ, shape...)
	t.Name, t.Doc, t.Metadata, t.unknown = w.values.Name, w.values.Doc, w.values.Metadata, w.values.unknown
	if typ == String {
		for i, at := range linear {
			t.Strings[at] = w.values.Strings[i]
		}
		return t, nil
	}
	for i, at := range linear {
		copyElement(typ.Bits(), t.Raw, at, w.values.Raw, i)
	}
	return t, nil
}

// copyElement copies element j of src to place i of dst.
func copyElement(bits int, dst []byte, i int, src []byte, j int) {
	if bits >= 8 {
		size := bits / 8
		copy(dst[i*size:(i+1)*size], src[j*size:])
		return
	}
	for k := range bits { // those of 6 bits lie across bytes
		from, to := j*bits+k, i*bits+k
		bit := src[from/8] >> (from % 8) & 1
		dst[to/8] = dst[to/8]&^(1<<(to%8)) | bit<<(to%8)
	}
}

// linear returns the places of the values in row-major order. Indices are such places, or one coordinate for every
// dimension.
func (w *sparseProto) linear(n, nnz int) ([]int, error) {
	at := make([]int, nnz)
	index := w.indices.Int64s()
	rank := len(w.dims)
	switch s := w.indices.Shape; {
	case len(s) == 1 && s[0] == nnz:
		for i, v := range index {
			if v < 0 || v >= int64(n) {
				return nil, fmt.Errorf("index %d is outside of 0..%d", v, n-1)
			}
			at[i] = int(v)
		}
	case len(s) == 2 && s[0] == nnz && s[1] == rank:
		for i := range at {
			for k, size := range w.dims {
				v := index[i*rank+k]
				if v < 0 || v >= size {
					return nil, fmt.Errorf("index %v is outside of %v", index[i*rank:(i+1)*rank], w.dims)
				}
				at[i] = at[i]*int(size) + int(v)
			}
		}
	default:
		return nil, fmt.Errorf("indices of shape %v do not fit %d values of rank %d", s, nnz, rank)
	}
	sorted := at
	if !slices.IsSorted(at) {
		sorted = slices.Sorted(slices.Values(at))
	}
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return nil, fmt.Errorf("two values for place %d", sorted[i])
		}
	}
	return at, nil
}

func encodeSparse(e *encoder, num protowire.Number, t *Tensor) {
	if err := t.validate(); err != nil {
		e.err = err
		return
	}
	e.message(num, sparse(t))
}

// sparse lists the elements of t that are not zero (all bits), with their places in row-major order.
func sparse(t *Tensor) *sparseProto {
	w := &sparseProto{values: &Tensor{Name: t.Name, Type: t.Type, Doc: t.Doc, Metadata: t.Metadata, unknown: t.unknown}}
	for _, d := range t.Shape {
		w.dims = append(w.dims, int64(d))
	}
	var at []int64
	var one [16]byte
	bits := t.Type.Bits()
	for i := range t.Len() {
		if t.Type == String {
			if t.Strings[i] != "" {
				at = append(at, int64(i))
				w.values.Strings = append(w.values.Strings, t.Strings[i])
			}
			continue
		}
		one = [16]byte{}
		if copyElement(bits, one[:], 0, t.Raw, i); one == [16]byte{} {
			continue
		}
		k := len(at)
		at = append(at, int64(i))
		for len(w.values.Raw) < t.Type.Bytes(k+1) {
			w.values.Raw = append(w.values.Raw, 0)
		}
		copyElement(bits, w.values.Raw, k, one[:], 0)
	}
	w.values.Shape = []int{len(at)}
	w.indices = Of(w.values.Shape, at)
	return w
}
