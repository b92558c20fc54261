// Package tfevents writes scalars to the log files that TensorBoard reads: events.out.tfevents.*, a sequence of records
// of TensorFlow's framing (a length, the data, and a masked CRC-32C of each) that hold Event messages of
// tensorflow/core/util/event.proto.
package tfevents

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Prefix is what the names of the files begin with.
const Prefix = "events.out.tfevents."

// Scalar is a number under a name such as "loss/train".
type Scalar struct {
	Tag   string
	Value float64
}

// Writer appends to one file.
type Writer struct {
	f    *os.File
	size int64 // of the records that are whole
	now  func() time.Time
}

// Create starts a new file in a folder. TensorBoard takes the files of a folder together, and drops what earlier ones say
// of the steps from first on: those of a run that was stopped and goes on from there.
func Create(dir string, first int) (*Writer, error) { return create(dir, first, time.Now) }

func create(dir string, first int, now func() time.Time) (*Writer, error) {
	host, err := os.Hostname()
	if err != nil || strings.ContainsAny(host, `/\`) {
		host = "localhost"
	}
	// A process may start several runs in a second.
	f, err := os.CreateTemp(dir, fmt.Sprintf("%s%d.%s.%d.*", Prefix, now().Unix(), host, os.Getpid()))
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, now: now}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return nil, w.abandon(err)
	}
	if err := w.write(appendString(w.event(0), fieldVersion, "brain.Event:2")); err != nil {
		return nil, w.abandon(err)
	}
	session := protowire.AppendVarint(protowire.AppendTag(nil, fieldStatus, protowire.VarintType), statusStart)
	if err := w.write(appendBytes(w.event(first), fieldSession, session)); err != nil {
		return nil, w.abandon(err)
	}
	return w, nil
}

// abandon takes the file away.
func (w *Writer) abandon(err error) error {
	w.f.Close()
	os.Remove(w.f.Name())
	return err
}

// The fields of Event, Summary, Summary.Value and SessionLog.
const (
	fieldTime, fieldStep, fieldVersion, fieldSummary, fieldSession = 1, 2, 3, 5, 7

	fieldValue                   = 1
	fieldTag, fieldSimple        = 1, 2
	fieldStatus                  = 1
	statusStart           uint64 = 1
)

// event begins an Event with the present time.
func (w *Writer) event(step int) []byte {
	b := protowire.AppendTag(nil, fieldTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(w.now().UnixMicro())/1e6))
	b = protowire.AppendTag(b, fieldStep, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(max(step, 0)))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return appendBytes(b, field, []byte(s))
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// Write appends scalars of a step, in one piece.
func (w *Writer) Write(step int, scalars ...Scalar) error {
	var summary []byte
	for _, s := range scalars {
		v := appendString(nil, fieldTag, s.Tag)
		v = protowire.AppendTag(v, fieldSimple, protowire.Fixed32Type)
		v = protowire.AppendFixed32(v, math.Float32bits(float32(s.Value)))
		summary = appendBytes(summary, fieldValue, v)
	}
	return w.write(appendBytes(w.event(step), fieldSummary, summary))
}

// write appends a record.
func (w *Writer) write(data []byte) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, masked(data))
	n, err := w.f.WriteAt(b, w.size)
	if err != nil {
		_ = w.f.Truncate(w.size) // readers stop at a part of a record
		return err
	}
	w.size += int64(n)
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the check sum of the framing: CRC-32C, turned by 15 bits, so that it may be that of data with check sums inside.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// Close closes the file.
func (w *Writer) Close() error { return w.f.Close() }

// Remove takes the files away that earlier runs left in a folder.
func Remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Prefix) && e.Type().IsRegular() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
