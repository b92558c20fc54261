package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of a model's description.
const (
	maxKerasConfig = 64 << 20 // bytes of JSON
	maxKerasLayers = 1 << 15
	maxKerasNested = 16 // models in models
)

// kmodel is the architecture of a Keras model: Sequential and functional models of all versions look alike here.
type kmodel struct {
	layers          []*klayer
	byName          map[string]*klayer
	inputs, outputs []kref
	version         string // of Keras, where the description says it
}

// klayer is a layer of a model.
type klayer struct {
	name, class string
	path        string // the names of the models around it and its own, with slashes between
	group       string // its group in a file of Keras 3: layers/functional/layers/conv2d_3
	op          bool   // it is an operation (kerasOps), no layer
	conf        kconf
	calls       []kcall
	sub         *kmodel // of a model that is used as a layer
}

// kcall is one use of a layer.
type kcall struct {
	in   []kref         // all tensors
	args []any          // arguments without names; an argTensor stands for a tensor
	kw   map[string]any // those with names
}

// kref names the output of a layer's call.
type kref struct {
	layer        string
	node, tensor int
}

// readJSON decodes what Python's json module writes, which is JSON and NaN, Infinity and -Infinity. Those become strings.
func readJSON(data []byte, to any) error {
	if len(data) > maxKerasConfig {
		return fmt.Errorf("%d bytes of JSON: refused", len(data))
	}
	return json.Unmarshal(quoteSpecials(data), to)
}

// quoteSpecials puts quotes around NaN and Infinity outside of strings.
func quoteSpecials(data []byte) []byte {
	if !bytes.Contains(data, []byte("Infinity")) && !bytes.Contains(data, []byte("NaN")) {
		return data
	}
	var out []byte
	inside := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inside && c == '\\' && i+1 < len(data):
			out = append(out, c)
			i++
			c = data[i]
		case c == '"':
			inside = !inside
		case !inside && (c == 'N' || c == 'I' || c == '-'):
			found := false
			for _, word := range []string{"NaN", "-Infinity", "Infinity"} {
				if bytes.HasPrefix(data[i:], []byte(word)) {
					out = append(out, '"')
					out = append(out, word...)
					out = append(out, '"')
					i += len(word) - 1
					found = true
					break
				}
			}
			if found {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// number returns a JSON number, or what readJSON made of Infinity and NaN.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case string:
		switch x {
		case "NaN", "Infinity", "-Infinity":
			f, _ := strconv.ParseFloat(x, 64) // these are spellings that it knows
			return f, true
		}
	}
	return 0, false
}

// kconf is the configuration of a layer. Its methods note what is wrong in err, once.
type kconf struct {
	m   map[string]any
	err *error
}

func newConf(m map[string]any) kconf { return kconf{m: m, err: new(error)} }

func (c kconf) fail(format string, args ...any) {
	if *c.err == nil {
		*c.err = fmt.Errorf(format, args...)
	}
}

// get returns the first of the keys that is there and not null: old versions have other names.
func (c kconf) get(keys ...string) (any, string) {
	for _, k := range keys {
		if v, ok := c.m[k]; ok && v != nil {
			return v, k
		}
	}
	return nil, ""
}

func (c kconf) has(keys ...string) bool {
	_, k := c.get(keys...)
	return k != ""
}

func (c kconf) float(def float64, keys ...string) float64 {
	v, k := c.get(keys...)
	if k == "" {
		return def
	}
	f, ok := number(v)
	if !ok {
		if m, isMap := v.(map[string]any); isMap { // a NumPy number, as Keras 2 wrote it
			f, ok = number(m["value"])
		}
	}
	if !ok {
		c.fail("%s: %v is no number", k, short(v))
	}
	return f
}

func (c kconf) int(def int, keys ...string) int {
	v, k := c.get(keys...)
	if k == "" {
		return def
	}
	n, ok := wholeNumber(v)
	if !ok {
		c.fail("%s: %v is no whole number", k, short(v))
	}
	return n
}

func wholeNumber(v any) (int, bool) {
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<31 {
		return 0, false
	}
	return int(f), true
}

func (c kconf) bool(def bool, keys ...string) bool {
	v, k := c.get(keys...)
	if k == "" {
		return def
	}
	switch x := v.(type) {
	case bool:
		return x
	case float64:
		return x != 0
	}
	c.fail("%s: %v is neither true nor false", k, short(v))
	return def
}

func (c kconf) string(def string, keys ...string) string {
	v, k := c.get(keys...)
	if k == "" {
		return def
	}
	s, ok := v.(string)
	if !ok {
		c.fail("%s: %v is no text", k, short(v))
	}
	return s
}

// pair returns two numbers, or one twice.
func (c kconf) pair(def [2]int, keys ...string) [2]int {
	v, k := c.get(keys...)
	if k == "" {
		return def
	}
	if n, ok := wholeNumber(v); ok {
		return [2]int{n, n}
	}
	l := c.ints(k)
	if len(l) != 2 {
		c.fail("%s: %v is not one or two whole numbers", k, short(v))
		return def
	}
	return [2]int{l[0], l[1]}
}

// ints returns a list of whole numbers; null becomes -1.
func (c kconf) ints(keys ...string) []int {
	v, k := c.get(keys...)
	if k == "" {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		if n, ok := wholeNumber(v); ok {
			return []int{n}
		}
	}
	out := []int{}
	for _, x := range l {
		n, good := -1, true
		if x != nil {
			n, good = wholeNumber(x)
		}
		ok = ok && good
		out = append(out, n)
	}
	if !ok {
		c.fail("%s: %v is no list of whole numbers", k, short(v))
		return nil
	}
	return out
}

// floats returns a list of numbers, lists in it flattened, or one number.
func (c kconf) floats(keys ...string) []float64 {
	v, k := c.get(keys...)
	if k == "" {
		return nil
	}
	var out []float64
	var walk func(v any)
	walk = func(v any) {
		if l, ok := v.([]any); ok {
			for _, x := range l {
				walk(x)
			}
			return
		}
		f, ok := number(v)
		if !ok {
			c.fail("%s: %v is no number", k, short(v))
		}
		out = append(out, f)
	}
	if m, ok := v.(map[string]any); ok { // a NumPy or TensorFlow value that was described
		if inner, ok := m["config"].(map[string]any); ok {
			m = inner
		}
		v = m["value"]
	}
	walk(v)
	return out
}

// short prints a value of JSON for a message.
func short(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 80 {
		return string(b[:80]) + "..."
	}
	return string(b)
}

// parseKeras reads the description of a model: the JSON object with class_name and config.
func parseKeras(data []byte) (*kmodel, error) {
	var top map[string]any
	if err := readJSON(data, &top); err != nil {
		return nil, fmt.Errorf("the model's description: %w", err)
	}
	// TensorFlow.js and Keras' to_json have it inside.
	for _, k := range []string{"modelTopology", "model_config"} {
		if in, ok := top[k].(map[string]any); ok {
			top = in
		}
	}
	class, _ := top["class_name"].(string)
	count := 0
	m, err := kerasModel(class, top["config"], "", "", 0, &count)
	if err != nil {
		return nil, fmt.Errorf("the model's description: %w", err)
	}
	if m.version, _ = top["keras_version"].(string); m.version == "" && top["module"] != nil {
		m.version = "3" // which names modules, and no version
	}
	return m, nil
}

// isModel reports whether a class of layers is a model of its own.
func isModel(class string) bool {
	return class == "Sequential" || class == "Model" || class == "Functional"
}

func kerasModel(class string, config any, path, group string, depth int, count *int) (*kmodel, error) {
	if !isModel(class) {
		return nil, fmt.Errorf("class %q: only Sequential and functional models say what they consist of", class)
	}
	if depth > maxKerasNested {
		return nil, fmt.Errorf("models lie more than %d deep in each other", maxKerasNested)
	}
	conf, _ := config.(map[string]any)
	list, ok := conf["layers"].([]any)
	if !ok { // Sequential before Keras 2.2.3
		if list, ok = config.([]any); !ok {
			return nil, fmt.Errorf("%s without layers", class)
		}
	}
	m := &kmodel{byName: map[string]*klayer{}}
	used := map[string]int{}
	for i, v := range list {
		if *count++; *count > maxKerasLayers {
			return nil, fmt.Errorf("more than %d layers", maxKerasLayers)
		}
		desc, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("layer %d is no object", i)
		}
		l, err := kerasLayer(desc, path, group, depth, count, used)
		if err != nil {
			return nil, err
		}
		if m.byName[l.name] != nil {
			return nil, fmt.Errorf("two layers are named %q", l.name)
		}
		m.layers, m.byName[l.name] = append(m.layers, l), l
	}
	if len(m.layers) == 0 {
		return nil, fmt.Errorf("%s without layers", class)
	}
	if class == "Sequential" {
		return m, m.chain(newConf(conf))
	}
	for key, to := range map[string]*[]kref{"input_layers": &m.inputs, "output_layers": &m.outputs} {
		refs, err := topRefs(conf[key], 0)
		if err != nil || len(refs) == 0 {
			return nil, fmt.Errorf("%s: %s names no layers", key, short(conf[key]))
		}
		*to = refs
	}
	m.renumber()
	return m, nil
}

func kerasLayer(desc map[string]any, path, group string, depth int, count *int, used map[string]int) (*klayer, error) {
	l := &klayer{}
	l.class, _ = desc["class_name"].(string)
	// A registered class of a package: "keras.layers>Conv2D".
	l.class = l.class[strings.LastIndex(l.class, ">")+1:]
	conf, _ := desc["config"].(map[string]any)
	l.conf = newConf(conf)
	// .keras files say the module; of the names that layers and operations share, only Reshape has two meanings.
	module, _ := desc["module"].(string)
	l.op = kerasOps[l.class].build != nil && (kerasLayers[l.class].build == nil || l.conf.has("newshape")) ||
		strings.HasPrefix(module, "keras.src.ops.") || strings.HasPrefix(module, "keras.ops")
	for _, m := range []map[string]any{desc, conf} {
		if s, ok := m["name"].(string); ok && l.name == "" {
			l.name = s
		}
	}
	if l.name == "" { // a Sequential of Keras 1 inside another
		l.name = snake(l.class)
	}
	l.path = join(path, l.name)
	// Keras 3 numbers the layers of a class in their order.
	kind := snake(l.class)
	l.group = join(group, "layers/"+kind)
	if n := used[kind]; n > 0 {
		l.group += fmt.Sprintf("_%d", n)
	}
	used[kind]++
	if isModel(l.class) {
		var err error
		if l.sub, err = kerasModel(l.class, desc["config"], l.path, l.group, depth+1, count); err != nil {
			return nil, fmt.Errorf("model %q: %w", l.path, err)
		}
	}
	if nodes, ok := desc["inbound_nodes"].([]any); ok {
		for _, n := range nodes {
			call, err := parseCall(n)
			if err != nil {
				return nil, fmt.Errorf("layer %q: inbound_nodes: %w", l.path, err)
			}
			l.calls = append(l.calls, call)
		}
	}
	return l, nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "/" + b
}

var (
	snakeStrip = regexp.MustCompile(`\W+`)
	snakeWords = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	snakeCase  = regexp.MustCompile(`([a-z])([A-Z])`)
)

// snake is the name that Keras 3 makes of a class: BatchNormalization becomes batch_normalization, ReLU re_lu.
func snake(class string) string {
	s := snakeStrip.ReplaceAllString(class, "")
	s = snakeWords.ReplaceAllString(s, "${1}_$2")
	return strings.ToLower(snakeCase.ReplaceAllString(s, "${1}_$2"))
}

// chain connects the layers of a Sequential model, and gives it an input layer where it has none.
func (m *kmodel) chain(conf kconf) error {
	if m.layers[0].class != "InputLayer" {
		first := m.layers[0]
		in := &klayer{name: "input", class: "InputLayer", conf: newConf(map[string]any{})}
		for m.byName[in.name] != nil {
			in.name += "_"
		}
		in.path = strings.TrimSuffix(first.path, first.name) + in.name
		// The shape stands in the first layer, or in that of the model which is the first layer.
		for c := first; ; c = c.sub.layers[0] {
			if s, k := c.conf.get("batch_input_shape", "batch_shape"); k != "" {
				in.conf.m["batch_shape"] = s
				break
			}
			if c.sub == nil {
				break
			}
		}
		if s, k := conf.get("build_input_shape"); k != "" && !in.conf.has("batch_shape") {
			in.conf.m["batch_shape"] = s
		}
		m.layers = append([]*klayer{in}, m.layers...)
		m.byName[in.name] = in
	}
	for i, l := range m.layers {
		l.calls = []kcall{{}}
		if i > 0 {
			l.calls[0].in = []kref{{layer: m.layers[i-1].name}}
		}
	}
	m.inputs = []kref{{layer: m.layers[0].name}}
	m.outputs = []kref{{layer: m.layers[len(m.layers)-1].name}}
	return nil
}

// topRefs reads input_layers and output_layers: a [layer, node, tensor], or lists and dictionaries of them, which Keras goes
// through in the order of their keys.
func topRefs(v any, depth int) ([]kref, error) {
	if r, ok := parseRef(v); ok {
		return []kref{r}, nil
	}
	var list []any
	switch x := v.(type) {
	case []any:
		list = x
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			list = append(list, x[k])
		}
	default:
		return nil, fmt.Errorf("%s", short(v))
	}
	if depth > 4 {
		return nil, errors.New("lists lie too deep in each other")
	}
	var refs []kref
	for _, x := range list {
		more, err := topRefs(x, depth+1)
		if err != nil {
			return nil, err
		}
		refs = append(refs, more...)
	}
	return refs, nil
}

// parseRef reads [layer, node, tensor], which may have arguments behind.
func parseRef(v any) (kref, bool) {
	l, ok := v.([]any)
	if !ok || len(l) < 3 {
		return kref{}, false
	}
	name, isName := l[0].(string)
	node, isNode := wholeNumber(l[1])
	tensor, isTensor := wholeNumber(l[2])
	return kref{name, node, tensor}, isName && isNode && isTensor && node >= 0 && tensor >= 0
}

// isConstant reports whether a number stands where a tensor would.
func isConstant(v any) bool {
	l, ok := v.([]any)
	return ok && len(l) > 2 && l[0] == "_CONSTANT_VALUE"
}

// parseCall reads a call of a layer: a list of references (Keras 1 and 2), or the arguments as Keras 3 describes them.
func parseCall(v any) (kcall, error) {
	var c kcall
	if m, ok := v.(map[string]any); ok {
		c.keras3Args(m["args"], m["kwargs"])
		return c, nil
	}
	if _, ok := parseRef(v); ok || isConstant(v) { // a single reference without a list around it
		return c, c.keras2Args(v)
	}
	l, ok := v.([]any)
	if !ok {
		return c, fmt.Errorf("%s is no call", short(v))
	}
	for _, x := range l {
		if err := c.keras2Args(x); err != nil {
			return c, err
		}
	}
	return c, nil
}

// renumber makes the references to calls of a model count from 0: Keras has a call of its own before the first one, but not
// always.
func (m *kmodel) renumber() {
	most := map[string]int{}
	each := func(visit func(r *kref)) {
		for _, l := range m.layers {
			for _, c := range l.calls {
				for i := range c.in {
					visit(&c.in[i])
				}
			}
		}
		for i := range m.outputs {
			visit(&m.outputs[i])
		}
	}
	each(func(r *kref) { most[r.layer] = max(most[r.layer], r.node) })
	each(func(r *kref) {
		if l := m.byName[r.layer]; l != nil && l.sub != nil && most[r.layer] == len(l.calls) && r.node > 0 {
			r.node--
		}
	})
}
