package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/backend/ort"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/urfave/cli/v2"
)

const sharedCategory = "Shared flags"

// The flags that several commands have. Each command takes a fresh copy of those that mean something for it.
// (Flags marked Required are not used: the parser would answer with the whole help text. Commands check by themselves.)
func providerFlag() cli.Flag {
	return &cli.StringFlag{Name: "provider", Value: "native", Category: sharedCategory,
		Usage: "what computes: `NAME` is native (the Go engine), or ort (ONNX Runtime), ort:cuda, ort:cuda,device_id=1, " +
			"ort:tensorrt, ort:openvino, ort:coreml, ort:directml, ...; with ,fallback=cpu where that cannot be had"}
}

func ortLibFlag() cli.Flag {
	return &cli.StringFlag{Name: "ort-lib", Category: sharedCategory, EnvVars: []string{ort.LibraryEnv},
		Usage:  "load ONNX Runtime, which the provider ort needs, from `FILE`",
		Action: func(_ *cli.Context, path string) error { return os.Setenv(ort.LibraryEnv, path) },
	}
}

func threadsFlag() cli.Flag {
	return &cli.IntFlag{Name: "threads", Category: sharedCategory,
		Usage: "use `N` processors; 0 means all. The results do not depend on it"}
}

func seedFlag() cli.Flag {
	return &cli.Int64Flag{Name: "seed", Category: sharedCategory,
		Usage: "`N` starts the random numbers; the same seed gives the same result"}
}

func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: sharedCategory,
		Usage: "show no progress and no advice"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Category: sharedCategory, Usage: "print the result as JSON"}
}

// sharedFlags are all of the above. They may stand before the command's name, too.
func sharedFlags() []cli.Flag {
	return append(engineFlags(), seedFlag(), jsonFlag())
}

// engineFlags are the shared flags of commands that run a network, followed by more.
func engineFlags(more ...cli.Flag) []cli.Flag {
	return slices.Concat(more, []cli.Flag{providerFlag(), ortLibFlag(), threadsFlag(), quietFlag()})
}

// engineOptions returns what engineFlags say.
func engineOptions(c *cli.Context) backend.Options {
	o := backend.Options{Provider: c.String("provider"), Threads: c.Int("threads")}
	if !c.Bool("quiet") {
		o.Warn = func(msg string) { advise(c, "warning: %s", msg) }
	}
	return o
}

// modelArg returns the command's first argument, the model's file name, and the arguments after it.
func modelArg(c *cli.Context) (string, []string, error) {
	return firstArg(c, "which model? Give the name of an ONNX file")
}

// firstArg returns the command's first argument and those after it; question is asked where there is none.
func firstArg(c *cli.Context, question string) (string, []string, error) {
	if c.NArg() == 0 || c.Args().First() == "" {
		return "", nil, withHint(usagef("%s", question), "%s", seeHelp(c.Command))
	}
	return c.Args().First(), c.Args().Tail(), nil
}

// onlyModelArg is modelArg for commands that take no other argument.
func onlyModelArg(c *cli.Context) (string, error) {
	model, rest, err := modelArg(c)
	if err == nil && len(rest) > 0 {
		err = withHint(usagef("%s takes one model, not also %q", c.Command.Name, rest[0]), "%s", seeHelp(c.Command))
	}
	return model, err
}

// onlyModel opens the model of commands that take no other argument.
func onlyModel(c *cli.Context) (*onnx.Model, string, error) {
	path, err := onlyModelArg(c)
	if err != nil {
		return nil, "", err
	}
	m, err := openModel(path)
	return m, path, err
}

// advise tells the user something on the standard error that is no result, unless --quiet.
func advise(c *cli.Context, format string, args ...any) {
	if !c.Bool("quiet") {
		fmt.Fprintln(c.App.ErrWriter, "onnxcnn: "+visible(fmt.Sprintf(format, args...)))
	}
}

// printJSON prints a result as indented JSON.
func printJSON(c *cli.Context, v any) error {
	e := json.NewEncoder(c.App.Writer)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
