package reftest

import (
	"os"
	"strconv"
	"sync/atomic"
)

// FuzzCountEnv names the environment variable with the file that [Fuzzed] counts in.
const FuzzCountEnv = "ONNXCNN_FUZZ_COUNT"

// every is how many inputs are counted before the file is written to.
const every = 256

var fuzzedInputs, fuzzedBytes atomic.Int64

// Fuzzed counts an input of n bytes that a fuzz target tries. Where [FuzzCountEnv] is set, a line with the number of
// bytes is appended to that file for every 256 inputs; a worker's last inputs are lost.
func Fuzzed(n int) {
	name := os.Getenv(FuzzCountEnv)
	if name == "" {
		return
	}
	fuzzedBytes.Add(int64(n))
	if fuzzedInputs.Add(1)%every != 0 {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(strconv.FormatInt(fuzzedBytes.Swap(0), 10) + "\n")
}
