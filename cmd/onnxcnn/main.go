// Command onnxcnn puts pretrained convolutional networks to work on new images: see README.md, or run "onnxcnn help".
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func main() {
	tuneCollector()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the command to stop and clean up; the second ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// commands returns the subcommands, each of which has a file of its own, in the order in which help lists them.
func commands() []*cli.Command {
	return []*cli.Command{
		demoCommand(),
		summaryCommand(),
		layersCommand(),
		checkCommand(),
		convertCommand(),
		verifyCommand(),
		runCommand(),
		predictCommand(),
		extractFeaturesCommand(),
		doctorCommand(),
		plotFeaturesCommand(),
		augmentCommand(),
		finetuneCommand(),
		trainCommand(),
		exportCommand(),
		evaluateCommand(),
		reportCommand(),
		gradcamCommand(),
		activationsCommand(),
		filtersCommand(),
		receptiveFieldCommand(),
		kernelCommand(),
		benchCommand(),
		zooCommand(),
	}
}

const description = `Start with "onnxcnn summary MODEL" to see what a network consists of, and "onnxcnn check MODEL" to see
whether everything in it can be run. "onnxcnn help COMMAND" explains a command with examples.

Flags may stand before or after a command's other arguments; "--" ends them.
Results go to the standard output, advice and progress to the standard error.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 some inputs were skipped (each is named), 130 interrupted.`

// newApp builds the command line from the subcommands.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprintln(c.App.Writer, c.App.Name, c.App.Version) }
	app := &cli.App{
		Name:        "onnxcnn",
		Usage:       "transfer learning with convolutional networks from ONNX files",
		UsageText:   "onnxcnn COMMAND [flags] ARGUMENTS",
		Description: description,
		Version:     version(),
		Commands:    commands(),
		Reader:      stdin,
		Writer:      stdout,
		ErrWriter:   stderr,
		// File names may have commas in them.
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // run decides on the exit status
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return unknownCommand(c.App.Name, c.App.Commands, name)
			}
			c.App.Writer = c.App.ErrWriter
			if err := cli.ShowAppHelp(c); err != nil {
				return err
			}
			return &exitError{status: statusUsage}
		},
	}
	finishCommands(app.Commands)
	app.OnUsageError = onUsageError
	return app
}

// finishCommands sets what all commands have in common.
func finishCommands(cmds []*cli.Command) {
	for _, c := range cmds {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true // else the argument "help" would be taken for a command
		finishCommands(c.Subcommands)
	}
}

// run runs the command line args (args[0] is the program's name) and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		stdout = visibleWriter{stdout}
	}
	out := &checkedWriter{w: stdout}
	app := newApp(stdin, out, stderr)
	args, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if err == nil && out.err != nil {
		err = fmt.Errorf("writing the result: %w", out.err)
	}
	return report(ctx, stderr, err)
}

// checkedWriter remembers the first error of writing, so that a result cut short by a full disk is not a success.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// version describes this build.
func version() string {
	v := "(unknown version)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("%s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// tuneCollector lets the collector run when the heap has grown by a quarter, unless the environment says otherwise: most
// of it are weights and activations, which cost it nothing to go over but much memory to double.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}
