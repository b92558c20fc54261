package onnx

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// magics are the beginnings of files that people take for models.
var magics = []struct {
	at    int
	bytes string
	what  string
}{
	{0, "version https://git-lfs.github.com/spec/", `a Git LFS pointer, not the file itself: fetch it with "git lfs pull"`},
	{0, "PK\x03\x04", "a zip archive: if a model lies inside, extract it first; a .pth or .keras file has to be converted"},
	{0, "\x1f\x8b", "gzip data: expand it first"},
	{0, "BZh", "bzip2 data: expand it first"},
	{0, "\xfd7zXZ\x00", "xz data: expand it first"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive: extract the model first"},
	{257, "ustar", "a tar archive: extract the model first"},
	{0, "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5): convert it to ONNX first"},
	{0, "\x80\x02", "a Python pickle (PyTorch): convert it to ONNX first"},
	{4, "ORTM", "a model in ONNX Runtime's own format: use the .onnx file that it was made from"},
	{4, "TFL3", "a TensorFlow Lite model: convert it to ONNX first"},
	{0, "\x89PNG", "a PNG picture"},
	{0, "\xff\xd8\xff", "a JPEG picture"},
	{0, "%PDF", "a PDF document"},
	{0, "\x7fELF", "an ELF program or library"},
	{0, "\x93NUMPY", "a NumPy array"},
	{8, `{"`, "a safetensors file: convert it to ONNX first"},
}

// looksLike says what data that is no model seems to be and what to do, "" if it cannot tell.
func looksLike(data []byte) string {
	if len(data) == 0 {
		return "the file is empty (0 bytes): fetch or export it again"
	}
	for _, m := range magics {
		if len(data) >= m.at && bytes.HasPrefix(data[m.at:], []byte(m.bytes)) {
			return m.what
		}
	}
	head := strings.TrimPrefix(string(data[:min(len(data), 512)]), "\ufeff")
	if !isText(head) {
		return ""
	}
	start := strings.ToLower(strings.TrimSpace(head))
	switch {
	case strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html"):
		return "an HTML page, probably the error page of a failed download: fetch the file again"
	case strings.HasPrefix(start, "<"):
		return "an XML or HTML document: fetch the file again"
	case strings.HasPrefix(start, "{") || strings.HasPrefix(start, "["):
		return "JSON text, not an ONNX file"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(head), "\n")
	if r := []rune(line); len(r) > 40 {
		line = string(r[:40]) + "..."
	}
	return "text that begins with \"" + strings.TrimSpace(line) + "\""
}

// isText reports whether s, which may end inside a character, is text for people.
func isText(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError && len(s)-i >= utf8.UTFMax || unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\f", r) {
			return false
		}
	}
	return true
}
