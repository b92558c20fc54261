package features

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// IDX files are how MNIST, Fashion-MNIST and their like are published: a file of images and one of labels for each part
// (http://yann.lecun.com/exdb/mnist), often compressed by gzip.

// idxParts are the parts of such a data set by how the names of their files begin.
var idxParts = []struct{ prefix, split string }{{"train", "train"}, {"val", "val"}, {"t10k", "test"}, {"test", "test"}}

// maxIDX bounds the content of an IDX file.
const maxIDX = 1 << 32

// OpenIDX returns the data set of IDX files in a folder: train-images-idx3-ubyte and train-labels-idx1-ubyte, perhaps the
// same for val, and t10k or test for the split "test"; .gz may follow, and there may be a dot before idx. Images are of 8
// bits, grey (idx3: [N,H,W]) or in colour (idx4: [N,H,W,3]). The classes are the labels' numbers, or the lines of a file
// labels.txt in the folder. Where there are no such files the error wraps [fs.ErrNotExist].
func OpenIDX(dir string) (*Dataset, error) {
	var images, labels [4]string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		for i, p := range idxParts {
			name := strings.TrimSuffix(strings.Replace(e.Name(), ".idx", "-idx", 1), ".gz")
			switch {
			case name == p.prefix+"-images-idx3-ubyte", name == p.prefix+"-images-idx4-ubyte":
				images[i] = filepath.Join(dir, e.Name())
			case name == p.prefix+"-labels-idx1-ubyte":
				labels[i] = filepath.Join(dir, e.Name())
			}
		}
	}
	d := &Dataset{}
	highest := -1
	for i, p := range idxParts {
		switch {
		case images[i] == "" && labels[i] == "":
			continue
		case images[i] == "" || labels[i] == "":
			return nil, fmt.Errorf("%s: of %s there are only images or only labels", dir, p.prefix)
		}
		items, err := readPart(images[i], labels[i], p.split)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			highest = max(highest, it.Label)
		}
		d.Items = append(d.Items, items...)
	}
	if len(d.Items) == 0 {
		return nil, fmt.Errorf("%s: no IDX files of images and labels: %w", dir, fs.ErrNotExist)
	}
	names, err := idxClasses(dir, highest+1)
	if err != nil {
		return nil, err
	}
	d.Classes = slices.Sorted(slices.Values(names))
	if len(slices.Compact(slices.Clone(d.Classes))) < len(names) {
		return nil, fmt.Errorf("%s: two classes have the same name", filepath.Join(dir, "labels.txt"))
	}
	number := make([]int, len(names))
	for i, name := range names {
		number[i], _ = slices.BinarySearch(d.Classes, name)
	}
	for i := range d.Items {
		d.Items[i].Label = number[d.Items[i].Label]
	}
	return d, nil
}

// idxClasses names the classes.
func idxClasses(dir string, n int) ([]string, error) {
	file := filepath.Join(dir, "labels.txt")
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%0*d", len(strconv.Itoa(n-1)), i) // their byte order is that of the numbers
		}
		return names, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	for s := bufio.NewScanner(io.LimitReader(f, 1<<20)); s.Scan(); {
		if name := strings.TrimSpace(s.Text()); name != "" {
			names = append(names, name)
		}
	}
	if len(names) < n {
		return nil, fmt.Errorf("%s names %d classes, and there are labels up to %d", file, len(names), n-1)
	}
	return names, nil
}

// readPart reads the images and labels of one part.
func readPart(images, labels, split string) ([]Item, error) {
	y, shape, err := readIDX(labels)
	if err == nil && len(shape) != 1 {
		err = fmt.Errorf("%s: labels of shape %v, want one number an image", labels, shape)
	}
	if err != nil {
		return nil, err
	}
	x, shape, err := readIDX(images)
	switch {
	case err != nil:
		return nil, err
	case len(shape) != 3 && (len(shape) != 4 || shape[3] != 3):
		return nil, fmt.Errorf("%s: images of shape %v, want [N,H,W] or [N,H,W,3]", images, shape)
	case shape[0] != len(y):
		return nil, fmt.Errorf("%s has %d images, %s has %d labels", images, shape[0], labels, len(y))
	case shape[1] < 1 || shape[2] < 1 || shape[1] > 1<<15 || shape[2] > 1<<15:
		return nil, fmt.Errorf("%s: images of %dx%d pixels", images, shape[2], shape[1])
	}
	pack := &idxImages{data: x, height: shape[1], width: shape[2], channels: 1}
	if len(shape) == 4 {
		pack.channels = 3
	}
	items := make([]Item, len(y))
	for i, k := range y {
		items[i] = Item{Path: fmt.Sprintf("%s#%d", images, i), Label: int(k), Split: split,
			fsys: pack, name: fmt.Sprintf("%s/%d", split, i)}
	}
	return items, nil
}

// readIDX reads a file of unsigned bytes, whole.
func readIDX(path string) (data []byte, shape []int, err error) {
	defer func() {
		if err != nil && !strings.Contains(err.Error(), path) {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return decodeIDX(f)
}

// decodeIDX reads an IDX file: two zero bytes, the type of the elements, the number of dimensions, the sizes as
// big-endian 32-bit numbers, the elements.
func decodeIDX(f io.Reader) ([]byte, []int, error) {
	r := bufio.NewReader(f)
	if head, _ := r.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		r = bufio.NewReader(z)
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, cutShort(err)
	}
	switch {
	case head[0] != 0 || head[1] != 0:
		return nil, nil, errors.New("not an IDX file")
	case head[2] != 8:
		return nil, nil, fmt.Errorf("elements of type %#02x: only unsigned bytes (0x08) are images or labels", head[2])
	case head[3] < 1 || head[3] > 4:
		return nil, nil, fmt.Errorf("%d dimensions", head[3])
	}
	size := 1
	shape := make([]int, head[3])
	for i := range shape {
		var n [4]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return nil, nil, cutShort(err)
		}
		shape[i] = int(binary.BigEndian.Uint32(n[:]))
		if shape[i] > 0 && size > maxIDX/shape[i] {
			return nil, nil, fmt.Errorf("sizes %v are over the limit of %d bytes", shape[:i+1], maxIDX)
		}
		size *= shape[i]
	}
	// The buffer grows with what is there: a header that lies costs nothing.
	var b bytes.Buffer
	if n, err := io.CopyN(&b, r, int64(size)); err != nil {
		return nil, nil, fmt.Errorf("%d of %d bytes: %w", n, size, cutShort(err))
	}
	if _, err := r.ReadByte(); err == nil {
		return nil, nil, fmt.Errorf("more than the %d bytes that its sizes %v say", size, shape)
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	return b.Bytes(), shape, nil
}

// cutShort says of the end of a file that it came too early.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file is cut: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// idxImages serves the images of an IDX file as BMP files by the names "SPLIT/NUMBER": what reads images reads them, too.
type idxImages struct {
	data                    []byte
	height, width, channels int
}

// Open returns the image of that name.
func (p *idxImages) Open(name string) (fs.File, error) {
	_, number, _ := strings.Cut(name, "/")
	i, err := strconv.Atoi(number)
	size := p.height * p.width * p.channels
	if err != nil || i < 0 || (i+1)*size > len(p.data) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	data := p.bmp(p.data[i*size : (i+1)*size])
	return &idxFile{Reader: bytes.NewReader(data), name: number, size: int64(len(data))}, nil
}

// bmp encodes an image: with a palette of greys, or 24 bits a pixel.
func (p *idxImages) bmp(pix []byte) []byte {
	const headers = 14 + 40
	palette := 0
	if p.channels == 1 {
		palette = 256
	}
	stride := (p.width*p.channels + 3) &^ 3
	start := headers + 4*palette
	b := make([]byte, start, start+stride*p.height)
	le := binary.LittleEndian
	copy(b, "BM")
	le.PutUint32(b[2:], uint32(start+stride*p.height))
	le.PutUint32(b[10:], uint32(start))
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], uint32(p.width))
	le.PutUint32(b[22:], uint32(p.height))
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], uint16(8*p.channels))
	le.PutUint32(b[46:], uint32(palette))
	for i := range palette {
		b[headers+4*i], b[headers+4*i+1], b[headers+4*i+2] = byte(i), byte(i), byte(i)
	}
	row := p.width * p.channels
	for y := p.height - 1; y >= 0; y-- { // the last row comes first
		at := len(b)
		b = append(b, pix[y*row:(y+1)*row]...)
		if p.channels == 3 {
			for x := at; x < len(b); x += 3 {
				b[x], b[x+2] = b[x+2], b[x]
			}
		}
		b = append(b, make([]byte, stride-row)...)
	}
	return b
}

// idxFile is an image as a file.
type idxFile struct {
	*bytes.Reader
	name string
	size int64
}

func (f *idxFile) Close() error               { return nil }
func (f *idxFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *idxFile) Name() string               { return f.name }
func (f *idxFile) Size() int64                { return f.size }
func (f *idxFile) Mode() fs.FileMode          { return 0o444 }
func (f *idxFile) ModTime() time.Time         { return time.Time{} }
func (f *idxFile) IsDir() bool                { return false }
func (f *idxFile) Sys() any                   { return nil }

// holdsIDX reports whether a folder has IDX files of images in it.
func holdsIDX(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		name := strings.TrimSuffix(e.Name(), ".gz")
		return !e.IsDir() && strings.HasSuffix(name, "-ubyte") && strings.Contains(name, "-images") && strings.Contains(name, "idx")
	})
}
