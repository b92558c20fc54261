package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// testApp has a command with every kind of flag, and one with subcommands.
func testApp() *cli.App {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	app.Commands = []*cli.Command{
		{Name: "work", Flags: engineFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}},
			&cli.StringSliceFlag{Name: "input"},
			&cli.Float64Flag{Name: "lr"},
			&cli.BoolFlag{Name: "strict"},
		)},
		{Name: "zoo", Subcommands: []*cli.Command{{Name: "list", Flags: []cli.Flag{jsonFlag()}}}},
	}
	finishCommands(app.Commands)
	return app
}

func TestArrange(t *testing.T) {
	for _, c := range []struct{ in, want, wantErr, wantHint string }{
		{in: "work", want: "work --"},
		{in: "work m.onnx DIR -o f.npz", want: "work -o f.npz -- m.onnx DIR"},
		{in: "work m.onnx --output=f.npz DIR --strict", want: "work --output=f.npz --strict -- m.onnx DIR"},
		{in: "work --strict m.onnx", want: "work --strict -- m.onnx"},
		{in: "work m --lr -0.5 -1e3 -", want: "work --lr -0.5 -- m -1e3 -"},
		{in: "work m -- -o f", want: "work -- m -o f"},
		{in: "work -o -- m", want: "work -o -- -- m"}, // a value is a value
		{in: "work m --input a,b --input c", want: "work --input a,b --input c -- m"},
		{in: "--threads 2 --quiet work m", want: "work --threads 2 --quiet -- m"},
		{in: "work help", want: "work -- help"},
		{in: "work work", want: "work -- work"},
		{in: "zoo list x --json", want: "zoo list --json -- x"},
		{in: "work m --help -o x", want: "work --help"},
		{in: "work -h", want: "work --help"},
		{in: "help work", want: "help work"},
		{in: "--version", want: "--version --"},
		{in: "work m --inptu x", wantErr: `onnxcnn work has no flag --inptu`, wantHint: `did you mean --input? see "onnxcnn work --help"`},
		{in: "work m --zzz=3", wantErr: `onnxcnn work has no flag --zzz`},
		{in: "work m -o --strict", wantErr: "flag -o needs a value"},
		{in: "work m -o", wantErr: "flag -o needs a value"},
		{in: "--seed 3 work m", wantErr: "onnxcnn work has no flag --seed"},
		{in: "--strict work m", wantErr: "onnxcnn has no flag --strict", wantHint: `see "onnxcnn help"`},
		{in: "wrk m", wantErr: `unknown command "wrk"`, wantHint: `did you mean "onnxcnn work"?`},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := arrange(testApp(), append([]string{"onnxcnn"}, strings.Fields(c.in)...))
			if c.wantErr != "" {
				var e *exitError
				if !errors.As(err, &e) || e.status != statusUsage || e.Error() != c.wantErr || !strings.HasPrefix(e.hint, c.wantHint) {
					t.Fatalf("error %v (%+v), want wrong usage: %q with hint %q", err, e, c.wantErr, c.wantHint)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields("onnxcnn "+c.want), got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
	if got, err := arrange(testApp(), nil); len(got) != 0 || err != nil {
		t.Errorf("no arguments at all: %q, %v", got, err)
	}
}

func TestReport(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		err    error
		status int
		want   string
	}{
		{name: "done"},
		{name: "failed", err: errors.New("a.onnx: bad"), status: 1, want: "onnxcnn: a.onnx: bad\n"},
		{name: "usage", err: usagef("what?"), status: 2, want: "onnxcnn: what?\n"},
		{name: "skipped", err: skippedf("%d images skipped", 2), status: 3, want: "onnxcnn: 2 images skipped\n"},
		{name: "hint", err: withHint(errors.New("bad"), "try %s", "this"), status: 1, want: "onnxcnn: bad\nonnxcnn: hint: try this\n"},
		{name: "hint keeps the status", err: withHint(usagef("what?"), "this"), status: 2, want: "onnxcnn: what?\nonnxcnn: hint: this\n"},
		{name: "no hint without error", err: withHint(nil, "this")},
		{name: "several lines", err: errors.New("two faults:\none\ntwo\n"), status: 1, want: "onnxcnn: two faults:\n  one\n  two\n"},
		{name: "all said", err: &exitError{status: 1}, status: 1},
		{name: "interrupted", ctx: canceled, err: context.Canceled, status: 130, want: "onnxcnn: interrupted\n"},
		{name: "failed while interrupted", ctx: canceled, err: errors.New("disk full"), status: 1, want: "onnxcnn: disk full\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ctx == nil {
				c.ctx = context.Background()
			}
			var out bytes.Buffer
			if got := report(c.ctx, &out, c.err); got != c.status || out.String() != c.want {
				t.Errorf("status %d, %q; want %d, %q", got, out.String(), c.status, c.want)
			}
		})
	}
}

// failingWriter is a full disk.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestResultThatCannotBeWrittenFails(t *testing.T) {
	var errs bytes.Buffer
	got := run(context.Background(), []string{"onnxcnn", "--version"}, strings.NewReader(""), failingWriter{}, &errs)
	if want := "onnxcnn: writing the result: no space left on device\n"; got != 1 || errs.String() != want {
		t.Errorf("status %d, %q; want 1, %q", got, errs.String(), want)
	}
}

// Every command explains itself, and none leaves it to the parser to complain about a missing flag.
func TestEveryCommandIsDocumented(t *testing.T) {
	var walk func(prefix string, cmds []*cli.Command)
	walk = func(prefix string, cmds []*cli.Command) {
		for _, c := range cmds {
			name := prefix + c.Name
			if c.Usage == "" || c.Description == "" || c.ArgsUsage == "" && len(c.Subcommands) == 0 {
				t.Errorf("%s: Usage, ArgsUsage or Description is missing", name)
			}
			if len(c.Subcommands) == 0 && !strings.Contains(c.Description, "onnxcnn "+name) {
				t.Errorf("%s: the description shows no example", name)
			}
			for _, f := range c.Flags {
				if r, ok := f.(cli.RequiredFlag); ok && r.IsRequired() {
					t.Errorf("%s: flag %s is marked as required", name, f.Names()[0])
				}
				if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
					continue // for the program's own use
				}
				if d, ok := f.(cli.DocGenerationFlag); !ok || d.GetUsage() == "" {
					t.Errorf("%s: flag %s has no description", name, f.Names()[0])
				}
			}
			walk(name+" ", c.Subcommands)
		}
	}
	walk("", commands())
}
