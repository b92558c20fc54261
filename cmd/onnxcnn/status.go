package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/urfave/cli/v2"
)

// Exit statuses.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusSkipped     = 3
	statusInterrupted = 130 // 128 + SIGINT, as shells have it
)

// exitError is an error with its exit status, and a hint that says what to do about it.
type exitError struct {
	status int
	err    error // nil: everything has been said already
	hint   string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef returns an error of wrong usage.
func usagef(format string, args ...any) error {
	return &exitError{status: statusUsage, err: fmt.Errorf(format, args...)}
}

// skippedf returns the error of a command that did its work but had to skip some inputs. Each skipped input has been
// named on the standard error by then.
func skippedf(format string, args ...any) error {
	return &exitError{status: statusSkipped, err: fmt.Errorf(format, args...)}
}

// withHint adds a hint to an error, which is shown on a line of its own.
func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	e := &exitError{status: statusFailed, err: err, hint: fmt.Sprintf(format, args...)}
	var inner *exitError
	if errors.As(err, &inner) {
		e.status = inner.status
	}
	return e
}

// report shows the error on stderr and returns the exit status that it stands for.
func report(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "onnxcnn: interrupted")
		var e *exitError
		if errors.As(err, &e) && e.hint != "" {
			fmt.Fprintf(stderr, "onnxcnn: hint: %s\n", visible(e.hint))
		}
		return statusInterrupted
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{status: statusFailed, err: err}
	}
	if errors.As(err, new(*backend.ProviderError)) {
		e = &exitError{status: statusUsage, err: err, hint: e.hint}
	}
	if e.err == nil {
		return e.status
	}
	// Further lines of a long message (a list of unsupported operators, say) are indented below the first.
	fmt.Fprintf(stderr, "onnxcnn: %s\n", strings.ReplaceAll(strings.TrimRight(visible(err.Error()), "\n"), "\n", "\n  "))
	if e.hint != "" {
		fmt.Fprintf(stderr, "onnxcnn: hint: %s\n", visible(e.hint))
	}
	return e.status
}

// onUsageError turns what the flag parser complains about into an error of wrong usage.
func onUsageError(c *cli.Context, err error, _ bool) error {
	return withHint(usagef("%w", err), "%s", seeHelp(c.Command))
}

func seeHelp(c *cli.Command) string {
	return fmt.Sprintf("see %q", c.HelpName+" --help")
}

func unknownCommand(before string, commands []*cli.Command, name string) error {
	err := usagef("unknown command %q", name)
	var names []string
	for _, c := range commands {
		names = append(names, c.Names()...)
	}
	if s := near.Name(name, names); s != "" {
		return withHint(err, "did you mean %q?", before+" "+s)
	}
	return withHint(err, "%q lists the commands", before+" --help")
}
