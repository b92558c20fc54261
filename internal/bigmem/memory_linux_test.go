package bigmem

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestAvailable(t *testing.T) {
	old := limitFiles
	defer func() { limitFiles = old }()
	file := filepath.Join(t.TempDir(), "memory.max")
	limitFiles = []string{file}
	machine := Available() // there is no such file
	if machine < 64<<20 {
		t.Fatalf("the machine has %d bytes", machine)
	}
	for text, want := range map[string]int{"max\n": machine, "33554432\n": 32 << 20, "9223372036854771712\n": machine, "": machine} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if got := Available(); got != want {
			t.Errorf("with %q: %d bytes, want %d", text, got, want)
		}
	}
	limitFiles = nil
	before := debug.SetMemoryLimit(48 << 20)
	defer debug.SetMemoryLimit(before)
	if got := Available(); got != 48<<20 {
		t.Errorf("with GOMEMLIMIT: %d bytes", got)
	}
}
