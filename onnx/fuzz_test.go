package onnx

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// fuzzSeeds are models that have every message, and broken ones.
func fuzzSeeds() [][]byte {
	values := tensorPB("ws", Float, 2).str(4, raw32(5, 7))
	seeds := [][]byte{
		everything(), small(), modelPB(nested(5)), nil, []byte("text"),
		sparsePB(values, tensorPB("", Int64, 2).str(7, ints(1, 5)), 2, 3),
		sparsePB(values, tensorPB("", Int64, 2, 2).str(7, ints(0, 1, 1, 2)), 2, 3),
		modelPB(pb{}.sub(5, tensorPB("w", Float, 4).int(14, 1).sub(13, pb{}.str(1, "location").str(2, "w.bin")))),
	}
	for _, s := range tensorSeeds() {
		seeds = append(seeds, modelPB(pb{}.sub(5, s)))
	}
	return seeds
}

func tensorSeeds() []pb {
	return []pb{
		tensorPB("w", Float, 2).str(4, raw32(1, 2)), tensorPB("w", Float, 2).f32(4, 1).f32(4, 2), tensorPB("w", Int8, 2).str(5, ints(-1, 2)),
		tensorPB("w", Int4, 3).str(5, ints(0x21, 3)), tensorPB("w", Bool, 2).str(9, "\x02\x00"), tensorPB("w", Complex128, 1).str(10, raw64(1, 2)),
		tensorPB("w", Uint64, 1).str(11, ints(-1)), tensorPB("w", String, 2).str(6, "a").str(6, "b"), tensorPB("w", 99, 2).str(5, ints(1)), tensorPB("w", Float),
		tensorPB("w", Int64, 0),
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever the bytes are, there is no panic, memory stays in proportion, and what is read is the same after writing.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		const expanded = 1 << 20
		var m *Model
		var err error
		if n := allocated(func() { m, err = ReadOptions{MaxExpanded: expanded}.Parse(data) }); n > 16*expanded+1000*uint64(len(data)) {
			t.Errorf("%d bytes of data took %d bytes", len(data), n)
		}
		if err != nil {
			return
		}
		var once bytes.Buffer
		if err := m.Write(&once); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := ReadOptions{MaxExpanded: expanded}.Parse(once.Bytes())
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if twice := rewrite(t, again); !bytes.Equal(once.Bytes(), twice) {
			t.Errorf("written once\n% x\ntwice\n% x", once.Bytes(), twice)
		}
		m.Check()
		if _, err := m.Graph.Sort(); err == nil {
			m.Graph.Clone()
		}
		if in, err := m.inlined(expanded); err == nil && len(m.Functions) > 0 {
			rewrite(t, in)
		}
	})
}

func FuzzParseTensor(f *testing.F) {
	for _, s := range tensorSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		var x *Tensor
		var err error
		if n := allocated(func() { x, err = ParseTensor(data) }); n > 1<<20+1000*uint64(len(data)) {
			t.Errorf("%d bytes of data took %d bytes", len(data), n)
		}
		if err != nil {
			return
		}
		if err := x.validate(); err != nil {
			t.Errorf("read, but %v", err)
		}
		once := rewrite(t, model(&Graph{Initializers: []*Tensor{x}}))
		m, err := Parse(once)
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if twice := rewrite(t, m); !bytes.Equal(once, twice) {
			t.Errorf("written once\n% x\ntwice\n% x", once, twice)
		}
	})
}
