// Package ziparchive reads zip archives of weights that may be hostile: names that lead elsewhere, duplicates, sizes that
// contradict each other and members that expand without measure are refused. What is stored without compression is
// given as a part of the archive's bytes, without a copy.
package ziparchive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zip"
)

// Limits of an archive. Weights hardly shrink: more than maxRatio times the stored bytes is not weights, unless it is little.
const (
	maxMembers  = 1 << 15
	maxExpanded = 64 << 20
	maxRatio    = 100
)

// Archive is an opened archive.
type Archive struct {
	Files []*File // in the order of the archive's directory, without folders

	byName map[string]*File
	left   int64 // bytes that compressed members may still expand to
}

// File is a member of an archive.
type File struct {
	Name string
	Size int64 // of its content

	archive *Archive
	zip     *zip.File
	stored  []byte // as it lies in the archive
	content []byte // of a compressed member, once it was asked for
	checked bool
}

// Is reports whether data begins like a zip archive.
func Is(data []byte) bool {
	return len(data) >= 4 && (string(data[:4]) == "PK\x03\x04" || string(data[:4]) == "PK\x05\x06")
}

// Open reads the directory of an archive and checks it: every name, flag and size, and that the headers before the
// members say the same as the directory.
func Open(data []byte) (*Archive, error) {
	r := &tap{data: data}
	z, err := zip.NewReader(r, int64(len(data)))
	if errors.Is(err, zip.ErrFormat) {
		return nil, errors.New("zip archive: it has no directory at its end: the file is cut short; get it again")
	}
	if err != nil {
		return nil, fmt.Errorf("zip archive: %w", err)
	}
	if len(z.File) > maxMembers {
		return nil, fmt.Errorf("zip archive: %d members, more than %d", len(z.File), maxMembers)
	}
	a := &Archive{byName: map[string]*File{}, left: max(maxExpanded, maxRatio*int64(len(data)))}
	for _, f := range z.File {
		m := &File{Name: f.Name, archive: a, zip: f}
		if err := m.check(r); err != nil {
			return nil, fmt.Errorf("zip archive: member %q: %w", f.Name, err)
		}
		if a.byName[f.Name] != nil {
			return nil, fmt.Errorf("zip archive: two members are named %q", f.Name)
		}
		a.byName[f.Name] = m
		if !strings.HasSuffix(f.Name, "/") {
			a.Files = append(a.Files, m)
		}
	}
	return a, nil
}

// Find returns the member of that name, nil if there is none.
func (a *Archive) Find(name string) *File { return a.byName[name] }

// tap reads from bytes and remembers where it was read last.
type tap struct {
	data []byte
	last int64
}

func (t *tap) ReadAt(p []byte, off int64) (int, error) {
	t.last = off
	if off < 0 || off > int64(len(t.data)) {
		return 0, io.EOF
	}
	n := copy(p, t.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// goodName reports whether a name stays inside a folder, on every system.
func goodName(name string) bool {
	clean := strings.TrimSuffix(name, "/")
	return clean != "" && clean != "." && path.Clean(clean) == clean && !path.IsAbs(clean) && clean != ".." && !strings.HasPrefix(clean, "../") &&
		!strings.ContainsAny(clean, "\\:\x00")
}

// Flags of a member: a size that follows the data, UTF-8 names and the two bits of the compression's level mean nothing
// for what is read; others (encryption, patches) do.
const harmlessFlags = 1<<3 | 1<<11 | 1<<1 | 1<<2

func (f *File) check(r *tap) error {
	z := f.zip
	switch {
	case !goodName(f.Name):
		return errors.New("the name leads out of the archive")
	case z.Mode()&^0o7777 != 0 && !z.Mode().IsDir():
		return errors.New("not a regular file (a link, say)")
	case z.Flags&^harmlessFlags != 0:
		return fmt.Errorf("flags 0x%04x: encrypted or patched members are not read", z.Flags)
	case z.Method != zip.Store && z.Method != zip.Deflate:
		return fmt.Errorf("compression method %d is not supported", z.Method)
	case z.CompressedSize64 > uint64(len(r.data)) || z.UncompressedSize64 > 1<<62:
		return fmt.Errorf("claims %d bytes of an archive of %d", z.CompressedSize64, len(r.data))
	}
	body, err := z.DataOffset()
	if err != nil {
		return err
	}
	if body < 0 || body > int64(len(r.data)) || z.CompressedSize64 > uint64(int64(len(r.data))-body) {
		return errors.New("its data lies beyond the end of the archive")
	}
	if err := f.checkLocal(r.data[:body], r.last); err != nil {
		return err
	}
	f.stored = r.data[body : body+int64(z.CompressedSize64)]
	f.Size = int64(z.UncompressedSize64)
	if z.Method == zip.Store && z.CompressedSize64 != z.UncompressedSize64 {
		return fmt.Errorf("stored, but its sizes differ: %d and %d", z.CompressedSize64, z.UncompressedSize64)
	}
	if f.Size > maxExpanded && f.Size/maxRatio > int64(len(f.stored)) {
		return fmt.Errorf("claims to expand from %d to %d bytes: refused", len(f.stored), f.Size)
	}
	return nil
}

// checkLocal compares the header before a member's data, which begins at byte at, with the directory: readers that go by
// one must not see another file than those that go by the other.
func (f *File) checkLocal(before []byte, at int64) error {
	const size = 30
	if at < 0 || at+size > int64(len(before)) || string(before[at:at+4]) != "PK\x03\x04" {
		return errors.New("has no header before its data")
	}
	h := before[at:]
	flags := binary.LittleEndian.Uint16(h[6:])
	method := binary.LittleEndian.Uint16(h[8:])
	packed, full := uint64(binary.LittleEndian.Uint32(h[18:])), uint64(binary.LittleEndian.Uint32(h[22:]))
	nameLen := int(binary.LittleEndian.Uint16(h[26:]))
	extra := h[min(len(h), size+nameLen):]
	name := string(h[size:min(len(h), size+nameLen)])
	if full == 0xffffffff || packed == 0xffffffff {
		full, packed = zip64Sizes(extra, full, packed)
	}
	z := f.zip
	switch {
	case name != z.Name || method != z.Method || flags != z.Flags:
		return fmt.Errorf("the header before the data says otherwise than the directory: name %q, method %d, flags 0x%04x", name, method, flags)
	case flags&(1<<3) != 0 && full == 0 && packed == 0: // the sizes follow the data
		return nil
	case full != z.UncompressedSize64 || packed != z.CompressedSize64:
		return fmt.Errorf("the header before the data says %d bytes in %d, the directory %d in %d", full, packed, z.UncompressedSize64, z.CompressedSize64)
	}
	return nil
}

// zip64Sizes reads the sizes that do not fit into 32 bits from a header's extra fields.
func zip64Sizes(extra []byte, full, packed uint64) (uint64, uint64) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			break
		}
		field := extra[:n]
		if id == 1 {
			for _, v := range []*uint64{&full, &packed} {
				if *v == 0xffffffff && len(field) >= 8 {
					*v, field = binary.LittleEndian.Uint64(field), field[8:]
				}
			}
			break
		}
		extra = extra[n:]
	}
	return full, packed
}

// Bytes returns the member's content, after comparing it with the archive's checksum. It is a part of the archive's
// bytes where it is stored as it is; else it is expanded once and kept.
func (f *File) Bytes() ([]byte, error) {
	if f.zip.Method == zip.Store {
		if !f.checked && crc32.ChecksumIEEE(f.stored) != f.zip.CRC32 {
			return nil, fmt.Errorf("zip archive: member %q: the checksum is wrong: the file is damaged", f.Name)
		}
		f.checked = true
		return f.stored, nil
	}
	if f.content != nil {
		return f.content, nil
	}
	if f.Size > f.archive.left {
		return nil, fmt.Errorf("zip archive: member %q: the members together expand to more than %d times the archive: refused", f.Name, maxRatio)
	}
	r, err := f.zip.Open()
	if err != nil {
		return nil, fmt.Errorf("zip archive: member %q: %w", f.Name, err)
	}
	defer r.Close()
	// The reader compares sizes and checksum; memory is taken as data arrives.
	content, err := io.ReadAll(io.LimitReader(r, f.Size+1))
	if err == nil && int64(len(content)) != f.Size {
		err = fmt.Errorf("expands to more than the %d bytes that it claims", f.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("zip archive: member %q: %w", f.Name, err)
	}
	f.archive.left -= f.Size
	f.content = content
	return content, nil
}
