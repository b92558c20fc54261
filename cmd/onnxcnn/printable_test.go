package main

import (
	"strings"
	"testing"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, caf\u00e9 \u732b\n\tnext": "plain, caf\u00e9 \u732b\n\tnext",
		"red\x1b[31m\a\r":                 `red\x1b[31m\x07\x0d`,
		"csi\u009b31m":                    `csi\u009b31m`,
		"\u202egpj.exe":                   `\u202egpj.exe`,
		"bad\xff, \ufffd is good":         "bad\\xff, \ufffd is good",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		var b strings.Builder
		if n, err := (visibleWriter{&b}).Write([]byte(text)); n != len(text) || err != nil || b.String() != want {
			t.Errorf("%q: wrote %d as %q, %v", text, n, b.String(), err)
		}
	}
	for path, want := range map[string]string{"a b/\u732b.jpg": "a b/\u732b.jpg", "two\nlines": `"two\nlines"`, "bad\xff": `"bad\xff"`} {
		if got := printable(path); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]string{"/a/b-2.x": "/a/b-2.x", "/a b": "'/a b'", "it's": `'it'\''s'`, "-x": "'-x'", "": "''", "caf\u00e9": "caf\u00e9"} {
		if got := argument(path); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}
