// Package pickle reads Python pickles as data. Nothing is imported or called: what a pickle names is handed to a [Handler],
// which knows the few names that it understands and refuses all others.
//
// The gopickle library has neither limits nor refusals: it allocates what a length field asks for before it looks for the
// bytes, makes a stand-in object of any class, nests without bound, and keeps a second copy of every storage. So the
// subset that PyTorch writes (binary protocols 1 to 5, without sets, extensions and out-of-band buffers) is read here.
package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits on what a pickle may make. A state dict needs some 30 values a tensor.
const (
	maxValues = 1 << 20 // pushed on the stack, and kept in the memo
	maxDepth  = 100     // of lists, tuples and dictionaries in each other
)

// Handler says what the names of a pickle stand for.
type Handler interface {
	// Global returns what a name of a module stands for; an error refuses it.
	Global(module, name string) (any, error)
	// Call is what Python would call fn (something that Global returned) with args for.
	Call(fn any, args Tuple) (any, error)
	// Build is what Python would set the state of obj for.
	Build(obj, state any) error
	// Persistent returns what lies outside of the pickle under that id.
	Persistent(id any) (any, error)
}

// Tuple is a tuple.
type Tuple []any

// List is a list.
type List struct {
	Items []any
	depth int
}

// Dict is a dictionary, in the order of insertion. Keys are strings, integers, booleans and nil.
type Dict struct {
	keys   []any
	values []any
	index  map[any]int
	depth  int
}

// Long is an integer that is too large for int64, in little-endian bytes of two's complement.
type Long string

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.keys) }

// At returns an entry by its place.
func (d *Dict) At(i int) (key, value any) { return d.keys[i], d.values[i] }

// Get returns the value of a key, nil where it is not there.
func (d *Dict) Get(key any) any {
	if i, ok := d.index[key]; ok {
		return d.values[i]
	}
	return nil
}

// Set sets a key; one that is there keeps its place.
func (d *Dict) Set(key, value any) error {
	switch key.(type) {
	case string, int64, bool, nil:
	default:
		return fmt.Errorf("a dictionary's key is a %s: want a string or an integer", kind(key))
	}
	if d.index == nil {
		d.index = map[any]int{}
	}
	if i, ok := d.index[key]; ok {
		d.values[i] = value
	} else {
		d.index[key] = len(d.keys)
		d.keys = append(d.keys, key)
		d.values = append(d.values, value)
	}
	d.depth = max(d.depth, 1+depth(value))
	return nil
}

// global is a name that the handler knows, kept apart from what it stands for so that only names are called.
type global struct {
	name string
	is   any
}

// depth returns how deep a value nests, as far as it was known when it was made.
func depth(v any) int {
	switch v := v.(type) {
	case nested:
		return v.depth
	case *List:
		return v.depth
	case *Dict:
		return v.depth
	}
	return 0
}

// nested is a tuple with its depth, as long as it lies on the stack or in a container.
type nested struct {
	Tuple
	depth int
}

// plain returns a value as handlers and callers see it.
func plain(v any) any {
	switch v := v.(type) {
	case nested:
		return v.Tuple
	case global:
		return v.is
	}
	return v
}

// kind names the kind of a value for messages.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return "string"
	case []byte:
		return "byte string"
	case int64, Long:
		return "integer"
	case float64:
		return "float"
	case bool:
		return "boolean"
	case nested, Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Dict:
		return "dictionary"
	case global:
		return v.name
	}
	return "object"
}

// Decode reads the first pickle of data and returns its value and the bytes behind it. Values are nil, bool, int64, Long,
// float64, string, []byte, [Tuple], [*List], [*Dict] and what the handler returns. Strings and byte strings are copies.
func Decode(data []byte, h Handler) (value any, rest []byte, err error) {
	m := &machine{data: data, h: h, memo: map[uint64]any{}}
	for {
		at := m.pos
		done, err := m.step()
		if err != nil {
			return nil, nil, fmt.Errorf("pickle, byte %d: %w", at, err)
		}
		if done {
			break
		}
	}
	v, err := m.pop()
	if err != nil {
		return nil, nil, fmt.Errorf("pickle, byte %d: %w", m.pos, err)
	}
	return plain(v), data[m.pos:], nil
}

// machine is Python's pickle machine: a stack with marks, and a memo.
type machine struct {
	data   []byte
	pos    int
	h      Handler
	stack  []any
	marks  []int // lengths of the stack
	memo   map[uint64]any
	pushed int
}

var (
	errEnd   = errors.New("the data ends in the middle of the pickle")
	errEmpty = errors.New("the stack is empty")
)

func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.pos) {
		return nil, errEnd
	}
	b := m.data[m.pos : m.pos+int(n)]
	m.pos += int(n)
	return b, nil
}

// number reads a little-endian number of that many bytes.
func (m *machine) number(size int) (uint64, error) {
	b, err := m.take(uint64(size))
	if err != nil {
		return 0, err
	}
	var word [8]byte
	copy(word[:], b)
	return binary.LittleEndian.Uint64(word[:]), nil
}

// counted reads bytes behind a length of that many bytes.
func (m *machine) counted(size int) ([]byte, error) {
	n, err := m.number(size)
	if err != nil {
		return nil, err
	}
	b, err := m.take(n)
	if err != nil {
		return nil, fmt.Errorf("%d bytes are announced, %d are there", n, len(m.data)-m.pos)
	}
	return b, nil
}

// line reads up to the next newline.
func (m *machine) line() (string, error) {
	for i := m.pos; i < len(m.data); i++ {
		if m.data[i] == '\n' {
			s := string(m.data[m.pos:i])
			m.pos = i + 1
			return s, nil
		}
	}
	return "", errEnd
}

func (m *machine) push(v any) error {
	if m.pushed++; m.pushed > maxValues {
		return fmt.Errorf("more than %d values", maxValues)
	}
	if depth(v) > maxDepth {
		return fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	m.stack = append(m.stack, v)
	return nil
}

// floor is the length of the stack that belongs to what was before the last mark.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errEmpty
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) pop() (any, error) {
	v, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v, err
}

// popMark returns the values since the last mark. They are valid until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("there is no mark")
	}
	n := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	items := m.stack[n:]
	m.stack = m.stack[:n]
	return items, nil
}

// popN pops n values.
func (m *machine) popN(n int) ([]any, error) {
	if len(m.stack)-m.floor() < n {
		return nil, errEmpty
	}
	items := m.stack[len(m.stack)-n:]
	m.stack = m.stack[:len(m.stack)-n]
	return items, nil
}

// pushTuple pushes a tuple of copies of the items.
func (m *machine) pushTuple(items []any) error {
	t := nested{Tuple: make(Tuple, len(items)), depth: 1}
	for i, v := range items {
		t.depth = max(t.depth, 1+depth(v))
		t.Tuple[i] = plain(v)
	}
	return m.push(t)
}

func (m *machine) keep(id uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if _, there := m.memo[id]; !there && len(m.memo) >= maxValues {
		return fmt.Errorf("more than %d values are kept", maxValues)
	}
	m.memo[id] = v
	return nil
}

func (m *machine) fetch(size int) error {
	id, err := m.number(size)
	if err != nil {
		return err
	}
	v, ok := m.memo[id]
	if !ok {
		return fmt.Errorf("value %d of the memo was never set", id)
	}
	return m.push(v)
}

// appendTo appends items to the list on the top.
func (m *machine) appendTo(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	l, ok := v.(*List)
	if !ok {
		return fmt.Errorf("appends to a %s: want a list", kind(v))
	}
	for _, item := range items {
		l.depth = max(l.depth, 1+depth(item))
		l.Items = append(l.Items, plain(item))
	}
	if l.depth > maxDepth {
		return fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	return nil
}

// setItems sets keys and values, in turns, of the dictionary on the top.
func (m *machine) setItems(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	d, ok := v.(*Dict)
	if !ok {
		return fmt.Errorf("sets items of a %s: want a dictionary", kind(v))
	}
	if len(items)%2 != 0 {
		return errors.New("a key without value")
	}
	for i := 0; i < len(items); i += 2 {
		deep := 1 + depth(items[i+1])
		if err := d.Set(plain(items[i]), plain(items[i+1])); err != nil {
			return err
		}
		d.depth = max(d.depth, deep)
	}
	if d.depth > maxDepth {
		return fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	return nil
}

func (m *machine) global(module, name string) error {
	is, err := m.h.Global(module, name)
	if err != nil {
		return err
	}
	return m.push(global{name: module + "." + name, is: is})
}

// call pops arguments and a callable, and pushes what the handler makes of them.
func (m *machine) call() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	fn, ok := items[0].(global)
	if !ok {
		return fmt.Errorf("calls a %s: want a name", kind(items[0]))
	}
	args, ok := items[1].(nested)
	if !ok {
		return fmt.Errorf("calls %s with a %s: want a tuple", fn.name, kind(items[1]))
	}
	v, err := m.h.Call(fn.is, args.Tuple)
	if err != nil {
		return fmt.Errorf("%s: %w", fn.name, err)
	}
	return m.push(v)
}

// long reads a two's complement number of any size.
func long(b []byte) any {
	if len(b) > 8 {
		return Long(b)
	}
	var word [8]byte
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		word = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(word[:], b)
	return int64(binary.LittleEndian.Uint64(word[:]))
}

// float is a big-endian number of 8 bytes.
func (m *machine) float() (float64, error) {
	b, err := m.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}
