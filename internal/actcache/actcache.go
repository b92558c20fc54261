// Package actcache keeps arrays of bytes in a folder, under keys that say what they were computed from. Several processes
// may use a folder at once, and any of them may be killed at any moment: an entry is whole, or it is not found.
package actcache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Key says what an entry was computed from: a digest.
type Key [32]byte

// Store is a folder of entries. It is safe for concurrent use.
type Store struct {
	dir     string
	limit   int64
	written atomic.Int64
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// Dir returns where entries are kept: the folder "activations" in $ONNXCNN_HOME, or without that in the folder onnxcnn of
// the user's cache.
func Dir() (string, error) {
	home := os.Getenv("ONNXCNN_HOME")
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		home = filepath.Join(cache, "onnxcnn")
	}
	return filepath.Join(home, "activations"), nil
}

// Open makes the folder if there is none. Close keeps what is in it below limit bytes.
func Open(dir string, limit int64) (*Store, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	// Both are used by many goroutines at once, through EncodeAll and DecodeAll.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	return &Store{dir: dir, limit: limit, encoder: encoder, decoder: decoder}, nil
}

// suffix ends the names of entries; what has another is a file that is being written.
const suffix = ".zst"

func (s *Store) path(k Key) string {
	name := hex.EncodeToString(k[:])
	return filepath.Join(s.dir, name[:2], name[2:]+suffix)
}

// Has reports whether there is an entry. It may still turn out to be damaged.
func (s *Store) Has(k Key) bool {
	_, err := os.Stat(s.path(k))
	return err == nil
}

// Get fills dst with an entry. It returns false where there is none of that length that is whole; a damaged one is
// removed.
func (s *Store) Get(k Key, dst []byte) bool {
	path := s.path(k)
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if !s.decode(data, dst) {
		os.Remove(path)
		return false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // the entry's last use, for Close; one that seems older is only removed earlier
	return true
}

func (s *Store) decode(data, dst []byte) bool {
	var h zstd.Header
	if h.Decode(data) != nil || !h.HasFCS || h.FrameContentSize != uint64(len(dst)) {
		return false // the size is known before anything is unpacked
	}
	got, err := s.decoder.DecodeAll(data, dst[:0:len(dst)])
	if err != nil || len(got) != len(dst) {
		return false
	}
	copy(dst, got) // nothing to do where the decoder has written there
	return true
}

// Put stores an entry. What would take a process beyond the store's limit is not stored. Entries are not flushed to the
// disk, which would take longer than computing them: their checksum tells those that a power cut has damaged.
func (s *Store) Put(k Key, data []byte) error {
	packed := s.encoder.EncodeAll(data, nil)
	if s.written.Add(int64(len(packed))) > s.limit {
		return nil
	}
	err := write(s.path(k), packed)
	var p *fs.PathError
	if errors.As(err, &p) { // the entry's name tells nobody anything
		err = &fs.PathError{Op: p.Op, Path: s.dir, Err: p.Err}
	}
	return err
}

// write writes a file, with the folder that it is in.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Files that are being written, and are not after that long, were left behind by a process that was killed.
const abandoned = time.Hour

// Close removes the entries that were used longest ago, until the rest takes no more than the limit.
func (s *Store) Close() error {
	s.decoder.Close()
	if s.written.Load() == 0 {
		return s.encoder.Close()
	}
	return errors.Join(s.encoder.Close(), s.trim(time.Now()))
}

func (s *Store) trim(now time.Time) error {
	type entry struct {
		path string
		size int64
		used time.Time
	}
	var all []entry
	var total int64
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil // another process trims, too
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return nil // removed meanwhile
		case strings.HasSuffix(path, suffix):
			all = append(all, entry{path, info.Size(), info.ModTime()})
			total += info.Size()
		case now.Sub(info.ModTime()) > abandoned:
			os.Remove(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range all {
		if total <= s.limit {
			break
		}
		if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= e.size
	}
	return nil
}
