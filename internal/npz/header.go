package npz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

const magic = "\x93NUMPY"

// maxHeader bounds the header of format 2 and 3, whose length field would allow 4 GiB. NumPy itself asks for a switch
// above 10000 bytes.
const maxHeader = 1 << 20

// header is the dictionary at the start of an npy file.
type header struct {
	descr   string // as written: "<f4"
	fortran bool
	shape   []int
}

// WriteHeader writes the start of an npy file that holds elements of type descr ("<f4", "<i8", "<U12") in row-major
// order; the elements themselves are to follow. It writes what NumPy writes for the same array, byte for byte.
func WriteHeader(w io.Writer, descr string, shape []int) error {
	var dims strings.Builder
	for i, d := range shape {
		if i > 0 {
			dims.WriteString(", ")
		}
		dims.WriteString(strconv.Itoa(d))
	}
	if len(shape) == 1 {
		dims.WriteByte(',')
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims.String())
	const prefix = len(magic) + 4
	total := (prefix + len(dict) + 1 + 63) &^ 63
	b := make([]byte, 0, total)
	b = append(b, magic...)
	b = append(b, 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(total-prefix))
	b = append(b, dict...)
	for len(b) < total-1 {
		b = append(b, ' ')
	}
	b = append(b, '\n')
	_, err := w.Write(b)
	return err
}

// readHeader reads the start of an npy file and returns also how many bytes it took.
func readHeader(r io.Reader) (header, int64, error) {
	var start [len(magic) + 2]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return header{}, 0, fmt.Errorf("not an npy file: %w", unexpected(err))
	}
	if string(start[:len(magic)]) != magic {
		return header{}, 0, fmt.Errorf("not an npy file: it starts with %q", start[:])
	}
	major := start[len(magic)]
	width := 2
	switch major {
	case 1:
	case 2, 3:
		width = 4
	default:
		return header{}, 0, fmt.Errorf("npy format %d.%d is not known", major, start[len(magic)+1])
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:width]); err != nil {
		return header{}, 0, fmt.Errorf("npy header: %w", unexpected(err))
	}
	n := int64(binary.LittleEndian.Uint32(length[:]))
	if n > maxHeader {
		return header{}, 0, fmt.Errorf("npy header of %d bytes: want at most %d", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, 0, fmt.Errorf("npy header: %w", unexpected(err))
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return header{}, 0, fmt.Errorf("npy header: %w", err)
	}
	return h, int64(len(start)+width) + n, nil
}

// unexpected turns the end of a file in the middle of something into the error that says so.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// literal reads the few Python literals that a header is made of.
type literal struct {
	s   string
	pos int
}

func (l *literal) space() {
	for l.pos < len(l.s) && strings.IndexByte(" \t\r\n", l.s[l.pos]) >= 0 {
		l.pos++
	}
}

func (l *literal) take(c byte) bool {
	l.space()
	if l.pos < len(l.s) && l.s[l.pos] == c {
		l.pos++
		return true
	}
	return false
}

func (l *literal) rest() string { return l.s[l.pos:min(len(l.s), l.pos+20)] }

func (l *literal) str() (string, error) {
	l.space()
	if l.pos < len(l.s) && (l.s[l.pos] == '\'' || l.s[l.pos] == '"') {
		if end := strings.IndexByte(l.s[l.pos+1:], l.s[l.pos]); end >= 0 {
			v := l.s[l.pos+1 : l.pos+1+end]
			l.pos += end + 2
			return v, nil
		}
	}
	return "", fmt.Errorf("want a quoted word at %q", l.rest())
}

func (l *literal) word() string {
	l.space()
	start := l.pos
	for l.pos < len(l.s) {
		c := l.s[l.pos]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		l.pos++
	}
	return l.s[start:l.pos]
}

// tuple reads "(3, 4)", with the L that Python 2 put behind long integers.
func (l *literal) tuple() ([]int, error) {
	if !l.take('(') {
		return nil, fmt.Errorf("want a tuple at %q", l.rest())
	}
	dims := []int{}
	for !l.take(')') {
		word := l.word()
		d, err := strconv.Atoi(strings.TrimSuffix(word, "L"))
		if err != nil {
			return nil, fmt.Errorf("shape: want a size at %q", l.rest())
		}
		dims = append(dims, d)
		if !l.take(',') {
			l.space()
			if l.pos >= len(l.s) || l.s[l.pos] != ')' {
				return nil, fmt.Errorf("shape: want , or ) at %q", l.rest())
			}
		}
	}
	return dims, nil
}

func parseHeader(text string) (header, error) {
	l := &literal{s: text}
	h := header{}
	seen := map[string]bool{}
	if !l.take('{') {
		return h, fmt.Errorf("want a dictionary at %q", l.rest())
	}
	for !l.take('}') {
		key, err := l.str()
		if err != nil {
			return h, err
		}
		if !l.take(':') {
			return h, fmt.Errorf("want : at %q", l.rest())
		}
		if seen[key] {
			return h, fmt.Errorf("%q is given twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if l.take('[') {
				return h, errors.New("arrays of records (structured types) are not supported: save each field on its own")
			}
			h.descr, err = l.str()
		case "fortran_order":
			switch w := l.word(); w {
			case "True", "False":
				h.fortran = w == "True"
			default:
				err = fmt.Errorf("fortran_order: want True or False, got %q", w)
			}
		case "shape":
			h.shape, err = l.tuple()
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return h, err
		}
		l.take(',')
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return h, fmt.Errorf("%q is missing", key)
		}
	}
	return h, nil
}

// elem is an element type as an npy file has it.
type elem struct {
	typ   onnx.DataType
	size  int  // bytes of one element
	word  int  // bytes of one number in it, which byte order is about: half of size for complex numbers
	big   bool // big-endian
	utf32 bool // strings: code points of 4 bytes, else bytes
}

var kinds = map[string]onnx.DataType{
	"b1": onnx.Bool, "i1": onnx.Int8, "i2": onnx.Int16, "i4": onnx.Int32, "i8": onnx.Int64,
	"u1": onnx.Uint8, "u2": onnx.Uint16, "u4": onnx.Uint32, "u8": onnx.Uint64,
	"f2": onnx.Float16, "f4": onnx.Float, "f8": onnx.Double, "c8": onnx.Complex64, "c16": onnx.Complex128,
}

func parseDescr(descr string) (elem, error) {
	e := elem{}
	kind := descr
	if kind != "" {
		switch kind[0] {
		case '>':
			e.big = true
			fallthrough
		case '<', '|', '=':
			kind = kind[1:]
		}
	}
	if typ, ok := kinds[kind]; ok {
		e.typ = typ
		e.size = typ.Bits() / 8
		e.word = e.size
		if kind[0] == 'c' {
			e.word /= 2
		}
		return e, nil
	}
	if strings.HasPrefix(kind, "O") {
		return e, errors.New("arrays of Python objects are not read: they are pickles, which can run code")
	}
	if len(kind) > 1 && strings.IndexByte("USa", kind[0]) >= 0 {
		n, err := strconv.Atoi(kind[1:])
		if err == nil && n >= 0 && n <= 1<<28 {
			e.typ, e.size, e.word = onnx.String, n, 1
			if kind[0] == 'U' {
				e.utf32, e.size, e.word = true, 4*n, 4
			}
			return e, nil
		}
	}
	return e, fmt.Errorf("element type %q is not supported", descr)
}
