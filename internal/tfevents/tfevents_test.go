package tfevents

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// records takes a file apart as the framing has it, and checks both sums of each record.
func records(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for len(data) > 0 {
		if len(data) < 12 {
			t.Fatalf("%d bytes are left over", len(data))
		}
		n := binary.LittleEndian.Uint64(data)
		if got := binary.LittleEndian.Uint32(data[8:]); got != masked(data[:8]) {
			t.Fatalf("sum of the length is %08x", got)
		}
		data = data[12:]
		if uint64(len(data)) < n+4 {
			t.Fatalf("a record of %d bytes in %d", n, len(data))
		}
		if got := binary.LittleEndian.Uint32(data[n:]); got != masked(data[:n]) {
			t.Fatalf("sum of the data is %08x", got)
		}
		all = append(all, data[:n])
		data = data[n+4:]
	}
	return all
}

// text renders a message as field:value pairs, nested ones in braces.
func text(t *testing.T, b []byte, nested string) string {
	t.Helper()
	var parts []string
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("%x is no tag", b)
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(field, typ, b)
		if size < 0 {
			t.Fatalf("field %d is cut", field)
		}
		v := ""
		switch typ {
		case protowire.VarintType:
			x, _ := protowire.ConsumeVarint(b)
			v = fmt.Sprint(x)
		case protowire.Fixed64Type:
			x, _ := protowire.ConsumeFixed64(b)
			v = fmt.Sprint(math.Float64frombits(x))
		case protowire.Fixed32Type:
			x, _ := protowire.ConsumeFixed32(b)
			v = fmt.Sprint(math.Float32frombits(x))
		case protowire.BytesType:
			x, _ := protowire.ConsumeBytes(b)
			if nested != "" && strings.HasPrefix(nested, fmt.Sprint(field)) {
				v = "{" + text(t, x, nested[1:]) + "}"
			} else {
				v = fmt.Sprintf("%q", x)
			}
		}
		parts = append(parts, fmt.Sprint(field, ":", v))
		b = b[size:]
	}
	return strings.Join(parts, " ")
}

func TestWriter(t *testing.T) {
	dir := t.TempDir()
	w, err := create(dir, 3, func() time.Time { return time.Unix(1700000000, 250_000_000) })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(3, Scalar{"loss/train", 0.625}, Scalar{"loss/val", -1.5}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || !regexp.MustCompile(`^events\.out\.tfevents\.1700000000\.`).MatchString(files[0].Name()) {
		t.Fatalf("files %v, %v", files, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`1:1.70000000025e+09 2:0 3:"brain.Event:2"`,
		`1:1.70000000025e+09 2:3 7:"\b\x01"`,
		`1:1.70000000025e+09 2:3 5:{1:{1:"loss/train" 2:0.625} 1:{1:"loss/val" 2:-1.5}}`,
	}
	got := records(t, data)
	if len(got) != len(want) {
		t.Fatalf("%d records", len(got))
	}
	for i, r := range got {
		if s := text(t, r, "51"); s != want[i] {
			t.Errorf("record %d: %s, want %s", i, s, want[i])
		}
	}
	// What the writer of the tensorboard package (2.21, RecordWriter) makes of the last event.
	golden, err := hex.DecodeString("31000000000000009d8383e90900001040fc54d94110032a240a110a0a6c6f73732f747261696e150000203f0a0f0a086c6f73732f76616c150000c0bf198d2e4b")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(data, golden) {
		t.Errorf("the file ends with %x, want %x", data[max(0, len(data)-len(golden)):], golden)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := os.WriteFile(filepath.Join(dir, "history.csv"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "history.csv" {
		t.Errorf("left: %v, %v", left, err)
	}
	none := filepath.Join(dir, "none")
	if _, err := Create(none, 0); err == nil {
		t.Error("a folder that does not exist is taken")
	}
	if Remove(none) == nil {
		t.Error("a folder that does not exist is cleared")
	}
}
