package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// bar is a progress bar on the standard error with a count, a rate and the time left. Where that is no terminal, and
// under --quiet, it shows nothing.
type bar struct{ p *progressbar.ProgressBar }

// newBar starts a bar for total things; what is their plural.
func newBar(c *cli.Context, total int, what string) *bar {
	f, ok := c.App.ErrWriter.(*os.File)
	if !ok || c.Bool("quiet") || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(f),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(what),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(true),
	)}
}

// set shows that n things are done.
func (b *bar) set(n int) {
	if b.p != nil {
		b.p.Set(n) //nolint:errcheck // a bar that cannot be drawn is no reason to stop
	}
}

// describe puts a text before the bar.
func (b *bar) describe(text string) {
	if b.p != nil {
		b.p.Describe(text)
	}
}

// clear takes the bar away, for a line of text or for good. The next set draws it again.
func (b *bar) clear() {
	if b.p != nil {
		b.p.Clear() //nolint:errcheck // as above
	}
}
