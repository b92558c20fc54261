package metrics

import (
	"bytes"
	"encoding/json"
	"io"
)

// writeJSON writes indented JSON in which a list of numbers is one line: a row of the confusion matrix, a curve.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(joinNumbers(b.Bytes()))
	return err
}

// joinNumbers takes the white space out of lists that hold nothing but numbers.
func joinNumbers(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		switch in[i] {
		case '"':
			end := i + 1
			for in[end] != '"' {
				if in[end] == '\\' {
					end++
				}
				end++
			}
			out = append(out, in[i:end+1]...)
			i = end
		case '[':
			end := bytes.IndexByte(in[i:], ']') + i
			list := in[i : end+1]
			if len(bytes.Trim(list, "[]0123456789+-.eE, \n")) > 0 || bytes.IndexByte(list[1:], '[') >= 0 {
				out = append(out, '[')
				continue
			}
			list = bytes.ReplaceAll(bytes.ReplaceAll(list, []byte("\n"), nil), []byte(" "), nil)
			out = append(out, bytes.ReplaceAll(list, []byte(","), []byte(", "))...)
			i = end
		default:
			out = append(out, in[i])
		}
	}
	return out
}
