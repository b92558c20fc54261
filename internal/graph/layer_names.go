package graph

import (
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// scopesKey is the metadata of a node in which PyTorch's exporter since 2.5 says where the node comes from, as Python
// prints a list: the modules from the outermost on, each with its whole path, and the operation last. The nodes' own names
// are of the kind node_conv2d_1.
//
//	['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d_1']
const scopesKey = "pkg.torch.onnx.name_scopes"

// origin is where in a PyTorch model a node comes from.
type origin struct {
	module string // path of the innermost module, "" for the model itself
	call   string // the operation, with a number that tells its uses apart: add_20
}

// op returns the operation without the number.
func (o origin) op() string {
	name := strings.TrimLeft(o.call, "_")
	if i := strings.LastIndexByte(name, '_'); i > 0 && isNumber(name[i+1:]) {
		name = name[:i]
	}
	return name
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// originOf reads a node's metadata. A convolution that a normalisation was folded into is said to come from the
// normalisation: its weight knows better.
func originOf(n *onnx.Node) (origin, bool) {
	for _, e := range n.Metadata {
		if e.Key != scopesKey {
			continue
		}
		scopes := pythonStrings(e.Value)
		if len(scopes) == 0 {
			return origin{}, false
		}
		o := origin{call: scopes[len(scopes)-1]}
		if len(scopes) > 1 {
			o.module = scopes[len(scopes)-2]
		}
		if slices.Contains([]string{"Conv", "ConvTranspose", "Gemm"}, n.OpType) && len(n.Inputs) > 1 {
			// Quantisation puts more behind it: conv1.weight_DequantizeLinear_Output.
			if module, rest, ok := strings.Cut(n.Inputs[1], ".weight"); ok && (rest == "" || rest[0] == '_') {
				o.module = module
			}
		}
		return o, o.op() != ""
	}
	return origin{}, false
}

// pythonStrings returns the strings of a list as Python prints it, nil where it is none.
func pythonStrings(list string) []string {
	rest, ok := strings.CutPrefix(strings.TrimSpace(list), "[")
	var all []string
	for ok {
		rest = strings.TrimLeft(rest, ", ")
		if rest == "]" {
			return all
		}
		if rest == "" || rest[0] != '\'' && rest[0] != '"' {
			break
		}
		var text string
		text, rest, ok = strings.Cut(rest[1:], rest[:1])
		all = append(all, text)
	}
	return nil
}

// nameLayers names layers that come from PyTorch after their modules, as PyTorch names its weights: layer1.0.conv1. Where
// a module has layers of several operations, or modules below it, the operation follows: layer1.0.add; and where an
// operation became several layers, the operator: attn.softmax.add. Further uses of a module have numbers: layer1.0.relu_1.
func nameLayers(layers []Layer) {
	origins := map[int]origin{}
	ops, calls := map[string]map[string]bool{}, map[origin]int{} // operations of a module, layers of a call
	inner := map[string]bool{"": true}                           // modules with layers in modules below them
	taken := map[string]bool{}
	for i, l := range layers {
		o, ok := originOf(l.Node)
		if !ok {
			taken[l.Name] = true
			continue
		}
		origins[i] = o
		if ops[o.module] == nil {
			ops[o.module] = map[string]bool{}
		}
		ops[o.module][o.op()] = true
		calls[o]++
		for j, c := range o.module {
			if c == '.' {
				inner[o.module[:j]] = true
			}
		}
	}
	for i := range layers {
		o, ok := origins[i]
		if !ok {
			continue
		}
		var parts []string
		if o.module != "" {
			parts = append(parts, o.module)
		}
		if inner[o.module] || len(ops[o.module]) > 1 {
			parts = append(parts, o.op())
		}
		if calls[o] > 1 {
			parts = append(parts, strings.ToLower(layers[i].Op))
		}
		name := strings.Join(parts, ".")
		unique := name
		for k := 1; taken[unique]; k++ {
			unique = name + "_" + strconv.Itoa(k)
		}
		taken[unique] = true
		layers[i].Name = unique
	}
}

// modulePath writes the scopes in a node's name as PyTorch names modules: its older exporter names a node
// /layer4/layer4.0/conv1/Conv, and that is layer4.0.conv1.Conv.
func modulePath(name string) string {
	if !strings.Contains(name, "/") {
		return name
	}
	path, before := "", ""
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		rest, same := strings.CutPrefix(part, before+".")
		if same && before != "" {
			path += "." + rest
		} else if path != "" {
			path += "." + part
		} else {
			path = part
		}
		before = part
	}
	return path
}
