//go:build cgo

package ort

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	ortlib "github.com/yalue/onnxruntime_go"
)

// spec is what follows "ort:" in a provider's name: an execution provider, with its options.
type spec struct {
	name     string            // "cpu" or a key of executionProviders
	options  map[string]string // as ONNX Runtime's documentation of the execution provider names them
	limit    int               // bytes of memory for runs on the CPU; 0: as many as there are
	fallback bool              // to the CPU, where the execution provider cannot be had
}

// executionProvider is a way to run a model that is not ONNX Runtime's own on the CPU.
type executionProvider struct {
	title string
	// needs says what has to be installed.
	needs string
	// add asks for it. What the options mean is up to the execution provider.
	add func(o *ortlib.SessionOptions, options map[string]string) error
}

var executionProviders = map[string]executionProvider{
	"cuda": {"CUDA", "an NVIDIA GPU with its driver, CUDA 12, cuDNN 9 and ONNX Runtime's GPU build (libonnxruntime_providers_cuda.so beside the library)", addCUDA},
	"tensorrt": {"TensorRT", "an NVIDIA GPU with its driver, CUDA 12, cuDNN 9, TensorRT 10 and ONNX Runtime's GPU build (libonnxruntime_providers_tensorrt.so beside the library)",
		func(o *ortlib.SessionOptions, options map[string]string) error {
			t, err := ortlib.NewTensorRTProviderOptions()
			if err != nil {
				return err
			}
			defer t.Destroy()
			if err := t.Update(options); err != nil {
				return err
			}
			if err := o.AppendExecutionProviderTensorRT(t); err != nil {
				return err
			}
			// What TensorRT does not take runs on the same GPU.
			device := map[string]string{}
			if id, ok := options["device_id"]; ok {
				device["device_id"] = id
			}
			return addCUDA(o, device)
		}},
	"openvino": {"OpenVINO", "ONNX Runtime's build with OpenVINO", (*ortlib.SessionOptions).AppendExecutionProviderOpenVINO},
	"coreml":   {"CoreML", "macOS 10.15 or newer", (*ortlib.SessionOptions).AppendExecutionProviderCoreMLV2},
	"directml": {"DirectML", "Windows 10 or newer and ONNX Runtime's build with DirectML",
		func(o *ortlib.SessionOptions, options map[string]string) error {
			device := 0
			for k, v := range options {
				n, err := strconv.Atoi(v)
				if k != "device_id" || err != nil {
					return fmt.Errorf("option %s=%s: there is only device_id=N", k, v)
				}
				device = n
			}
			// DirectML cannot run with these (its documentation).
			if err := o.SetMemPattern(false); err != nil {
				return err
			}
			if err := o.SetExecutionMode(ortlib.ExecutionModeSequential); err != nil {
				return err
			}
			return o.AppendExecutionProviderDirectML(device)
		}},
	"migraphx":      generic("MIGraphX", "an AMD GPU with ROCm and ONNX Runtime's build with MIGraphX"),
	"nvtensorrtrtx": generic("NvTensorRtRtx", "an NVIDIA RTX GPU with its driver and ONNX Runtime's build with TensorRT for RTX"),
	"qnn":           generic("QNN", "ONNX Runtime's build with Qualcomm's QNN"),
	"snpe":          generic("SNPE", "ONNX Runtime's build with Qualcomm's SNPE"),
	"vitisai":       generic("VitisAI", "ONNX Runtime's build with AMD's Vitis AI"),
	"webgpu":        generic("WebGPU", "ONNX Runtime's build with WebGPU, and a GPU with its Vulkan, Metal or Direct3D 12 driver"),
	"xnnpack":       generic("XNNPACK", "ONNX Runtime's build with XNNPACK"),
}

// generic is an execution provider that ONNX Runtime knows by name.
func generic(title, needs string) executionProvider {
	return executionProvider{title, needs, func(o *ortlib.SessionOptions, options map[string]string) error {
		return o.AppendExecutionProvider(title, options)
	}}
}

func addCUDA(o *ortlib.SessionOptions, options map[string]string) error {
	c, err := ortlib.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer c.Destroy()
	if err := c.Update(options); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(c)
}

// parseSpec reads what follows "ort:": a name, then options: "cuda,device_id=1,fallback=cpu".
func parseSpec(text string) (spec, error) {
	s := spec{name: "cpu", options: map[string]string{}}
	if text == "" {
		return s, nil
	}
	name, rest, more := strings.Cut(text, ",")
	s.name = name
	if _, ok := executionProviders[s.name]; !ok && s.name != "cpu" {
		err := fmt.Errorf("provider ort has no execution provider %q (there are: %s)", name, strings.Join(specNames(), ", "))
		if _, ok := executionProviders[strings.ToLower(name)]; ok {
			err = fmt.Errorf("%w; ort:%s is meant?", err, strings.ToLower(name))
		}
		return s, err
	}
	if !more {
		return s, nil
	}
	for option := range strings.SplitSeq(rest, ",") {
		key, value, ok := strings.Cut(option, "=")
		switch {
		case !ok || key == "" || value == "":
			return s, fmt.Errorf("provider ort:%s: option %q is not of the form name=value", name, option)
		case key == "fallback" && value == "cpu":
			s.fallback = true
		case key == "fallback":
			return s, fmt.Errorf("provider ort:%s: fallback=%s: there is only fallback=cpu", name, value)
		case s.name == "cpu" && key == memLimit && s.limit == 0:
			limit, err := bytesIn(value)
			if err != nil {
				return s, fmt.Errorf("provider ort:cpu: %w", err)
			}
			s.limit = limit
		case s.name == "cpu" && key == memLimit:
			return s, fmt.Errorf("provider ort:cpu: option %s is given twice", key)
		case s.name == "cpu":
			return s, fmt.Errorf("provider ort:cpu has no option %q (there are: fallback, %s)", key, memLimit)
		case s.options[key] != "":
			return s, fmt.Errorf("provider ort:%s: option %s is given twice", name, key)
		default:
			s.options[key] = value
		}
	}
	return s, nil
}

// specNames returns what may follow "ort:".
func specNames() []string {
	names := []string{}
	for n := range executionProviders {
		names = append(names, n)
	}
	slices.Sort(names)
	return append([]string{"cpu"}, names...)
}

// explain turns an execution provider's error into one line that says what to do.
func (s spec) explain(err error) error {
	p := executionProviders[s.name]
	text := plain(err).Error()
	const longest = 300
	if cut := []rune(text); len(cut) > longest {
		text = string(cut[:longest]) + "..."
	}
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(strings.ToLower(text), p) })
	}
	var why string
	switch {
	case has("not enabled in this build", "not supported in this build", "is not supported", "does not support"):
		why = "this build of ONNX Runtime does not have it"
	case has("failed to load shared library", "failed to load library", "cannot open shared object"):
		why = "a library that it needs is missing"
	case has("unknown provider option", "unknown option", "failed to parse provider option", "invalid value", "failed to parse"):
		why = "an option is wrong"
	case has("no cuda-capable device", "driver version is insufficient", "cuda failure 100", "cuda failure 35", "webgpu adapter"):
		why = "there is no usable GPU"
	default:
		why = "it refused"
	}
	err = fmt.Errorf("execution provider %s cannot be had: %s (%s). It needs %s", p.title, why, text, p.needs)
	if s.fallback {
		return err
	}
	return fmt.Errorf("%w; ort:%s,fallback=cpu runs on the CPU instead", err, s.name)
}
