package main

import "testing"

func TestOnlyTimeOver(t *testing.T) {
	const running = "fuzz: elapsed: 10s, execs: 11708 (2316/sec), new interesting: 9 (total: 309)\n"
	const end = "FAIL\nexit status 1\nFAIL\tgithub.com/onnxcnn/onnxcnn/features\t10.191s\n"
	for name, tc := range map[string]struct {
		out  string
		want bool
	}{
		"time over": {running + "--- FAIL: FuzzReadTable (10.15s)\n    context deadline exceeded\n" + end, true},
		"failing input": {running + "--- FAIL: FuzzSum (1.59s)\n    --- FAIL: FuzzSum (0.00s)\n        sum_test.go:10: bad\n    \n" +
			"    Failing input written to testdata/fuzz/FuzzSum/771e938e4458e983\n" + end, false},
		"failing input that says so": {running + "--- FAIL: FuzzSum (1.59s)\n    --- FAIL: FuzzSum (0.00s)\n        context deadline exceeded\n    \n" +
			"    Failing input written to testdata/fuzz/FuzzSum/771e938e4458e983\n" + end, false},
		"seed":        {"--- FAIL: FuzzSum (0.00s)\n    --- FAIL: FuzzSum/seed#0 (0.00s)\n        sum_test.go:10: bad\n" + end, false},
		"worker dies": {running + "--- FAIL: FuzzSum (3.20s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\n" + end, false},
		"no build":    {"features/x_test.go:3:1: undefined: y\nFAIL\tgithub.com/onnxcnn/onnxcnn/features [build failed]\n", false},
		"panic":       {"panic: context deadline exceeded\n" + end, false},
	} {
		if got := onlyTimeOver([]byte(tc.out)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
