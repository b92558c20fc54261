package pickle

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// The opcodes that are understood, by the names of Python's pickletools.
const (
	opMark           = '('
	opStop           = '.'
	opPop            = '0'
	opPopMark        = '1'
	opDup            = '2'
	opNone           = 'N'
	opTrue           = 0x88
	opFalse          = 0x89
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opBinInt2        = 'M'
	opLong1          = 0x8a
	opLong4          = 0x8b
	opBinFloat       = 'G'
	opShortBinString = 'U'
	opBinString      = 'T'
	opShortUnicode   = 0x8c
	opBinUnicode     = 'X'
	opBinUnicode8    = 0x8d
	opShortBytes     = 'C'
	opBinBytes       = 'B'
	opBinBytes8      = 0x8e
	opEmptyList      = ']'
	opList           = 'l'
	opAppend         = 'a'
	opAppends        = 'e'
	opEmptyTuple     = ')'
	opTuple          = 't'
	opTuple1         = 0x85
	opTuple2         = 0x86
	opTuple3         = 0x87
	opEmptyDict      = '}'
	opDict           = 'd'
	opSetItem        = 's'
	opSetItems       = 'u'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opMemoize        = 0x94
	opBinGet         = 'h'
	opLongBinGet     = 'j'
	opGlobal         = 'c'
	opStackGlobal    = 0x93
	opReduce         = 'R'
	opNewObj         = 0x81
	opBuild          = 'b'
	opBinPersID      = 'Q'
	opProto          = 0x80
	opFrame          = 0x95
)

// step carries out one opcode and reports whether it was the last.
func (m *machine) step() (done bool, err error) {
	b, err := m.take(1)
	if err != nil {
		return false, err
	}
	switch code := b[0]; code {
	case opStop:
		return true, nil
	case opProto:
		v, err := m.number(1)
		if err == nil && v > 5 {
			err = fmt.Errorf("protocol %d is not known", v)
		}
		return false, err
	case opFrame:
		n, err := m.number(8)
		if err == nil && n > uint64(len(m.data)-m.pos) {
			err = fmt.Errorf("a frame of %d bytes is announced, %d are there", n, len(m.data)-m.pos)
		}
		return false, err
	case opNone, opTrue, opFalse, opBinInt, opBinInt1, opBinInt2, opLong1, opLong4, opBinFloat, opShortBinString, opBinString,
		opShortUnicode, opBinUnicode, opBinUnicode8, opShortBytes, opBinBytes, opBinBytes8:
		v, err := m.scalar(code)
		if err != nil {
			return false, err
		}
		return false, m.push(v)
	case opMark:
		if m.pushed++; m.pushed > maxValues {
			return false, fmt.Errorf("more than %d values", maxValues)
		}
		m.marks = append(m.marks, len(m.stack))
		return false, nil
	case opPop:
		if len(m.marks) > 0 && len(m.stack) == m.floor() {
			_, err := m.popMark()
			return false, err
		}
		_, err := m.pop()
		return false, err
	case opPopMark:
		_, err := m.popMark()
		return false, err
	case opDup:
		v, err := m.top()
		if err != nil {
			return false, err
		}
		return false, m.push(v)
	case opBinPut:
		return false, m.put(1)
	case opLongBinPut:
		return false, m.put(4)
	case opMemoize:
		return false, m.keep(uint64(len(m.memo)))
	case opBinGet:
		return false, m.fetch(1)
	case opLongBinGet:
		return false, m.fetch(4)
	case opGlobal, opStackGlobal, opReduce, opNewObj, opBuild, opBinPersID:
		return false, m.object(code)
	default:
		return false, m.container(code)
	}
}

func (m *machine) put(size int) error {
	id, err := m.number(size)
	if err != nil {
		return err
	}
	return m.keep(id)
}

// scalar reads the value behind an opcode.
func (m *machine) scalar(code byte) (any, error) {
	var b []byte
	var n uint64
	var err error
	switch code {
	case opNone:
		return nil, nil
	case opTrue, opFalse:
		return code == opTrue, nil
	case opBinInt:
		n, err = m.number(4)
		return int64(int32(n)), err
	case opBinInt1:
		n, err = m.number(1)
		return int64(n), err
	case opBinInt2:
		n, err = m.number(2)
		return int64(n), err
	case opBinFloat:
		return m.float()
	case opLong1, opLong4:
		b, err = m.counted(map[byte]int{opLong1: 1, opLong4: 4}[code])
		return long(b), err
	case opShortBinString, opBinString: // Python 2's strings
		b, err = m.counted(map[byte]int{opShortBinString: 1, opBinString: 4}[code])
		return string(b), err
	case opShortUnicode, opBinUnicode, opBinUnicode8:
		b, err = m.counted(map[byte]int{opShortUnicode: 1, opBinUnicode: 4, opBinUnicode8: 8}[code])
		if err == nil && !utf8.Valid(b) {
			return nil, errors.New("a string is not UTF-8")
		}
		return string(b), err
	default:
		b, err = m.counted(map[byte]int{opShortBytes: 1, opBinBytes: 4, opBinBytes8: 8}[code])
		return append([]byte{}, b...), err
	}
}

// container carries out the opcodes of lists, tuples and dictionaries.
func (m *machine) container(code byte) error {
	switch code {
	case opEmptyList:
		return m.push(&List{depth: 1})
	case opEmptyDict:
		return m.push(&Dict{depth: 1})
	case opEmptyTuple:
		return m.pushTuple(nil)
	case opTuple1, opTuple2, opTuple3:
		items, err := m.popN(int(code-opTuple1) + 1)
		if err != nil {
			return err
		}
		return m.pushTuple(items)
	case opAppend:
		items, err := m.popN(1)
		if err != nil {
			return err
		}
		return m.appendTo(items)
	case opSetItem:
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		return m.setItems(items)
	case opTuple, opList, opDict, opAppends, opSetItems:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		switch code {
		case opTuple:
			return m.pushTuple(items)
		case opAppends:
			return m.appendTo(items)
		case opSetItems:
			return m.setItems(items)
		}
		items = append([]any{}, items...) // the stack takes their place
		if code == opList {
			if err := m.push(&List{depth: 1}); err != nil {
				return err
			}
			return m.appendTo(items)
		}
		if err := m.push(&Dict{depth: 1}); err != nil {
			return err
		}
		return m.setItems(items)
	}
	return fmt.Errorf("opcode 0x%02x (%q) is not among those that weights are written with", code, code)
}

// object carries out the opcodes that would run code in Python.
func (m *machine) object(code byte) error {
	switch code {
	case opGlobal:
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.global(module, name)
	case opStackGlobal:
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok := items[0].(string)
		name, ok2 := items[1].(string)
		if !ok || !ok2 {
			return fmt.Errorf("a name is made of a %s and a %s: want strings", kind(items[0]), kind(items[1]))
		}
		return m.global(module, name)
	case opReduce, opNewObj:
		return m.call()
	case opBuild:
		state, err := m.pop()
		if err != nil {
			return err
		}
		obj, err := m.top()
		if err != nil {
			return err
		}
		if err := m.h.Build(plain(obj), plain(state)); err != nil {
			return fmt.Errorf("sets the state of a %s: %w", kind(obj), err)
		}
		return nil
	default:
		id, err := m.pop()
		if err != nil {
			return err
		}
		v, err := m.h.Persistent(plain(id))
		if err != nil {
			return err
		}
		return m.push(v)
	}
}
