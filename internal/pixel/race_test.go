//go:build race

package pixel

func init() { raceDetector = true }
