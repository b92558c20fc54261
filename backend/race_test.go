//go:build race

package backend_test

func init() { raceDetector = true }
