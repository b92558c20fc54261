package onnx

import (
	"fmt"
	"iter"
	"strings"
)

// StructureError is a fault in how a model is put together.
type StructureError struct {
	Node  *Node  // the node at fault, nil if it is not one node's
	Value string // name of the value at fault, "" if it is not one value's
	What  string
}

// Error names the node in front of what is wrong.
func (e *StructureError) Error() string {
	if e.Node == nil {
		return e.What
	}
	return e.Node.String() + ": " + e.What
}

// String names the node for messages: node "conv1" (Conv). A node without name is called after its first output.
func (n *Node) String() string {
	op := n.OpType
	if n.Domain != "" && n.Domain != "ai.onnx" {
		op = n.Domain + "." + op
	}
	if n.Name == "" && len(n.Outputs) > 0 {
		return fmt.Sprintf("node of output %q (%s)", n.Outputs[0], op)
	}
	return fmt.Sprintf("node %q (%s)", n.Name, op)
}

// RequiredInputs returns the graph's inputs that have no initializer: those that a caller has to give. Files of IR
// version 3 list all weights as inputs.
func (g *Graph) RequiredInputs() []*Value {
	given := make(map[string]bool, len(g.Initializers))
	for _, t := range g.Initializers {
		given[t.Name] = true
	}
	var required []*Value
	for _, v := range g.Inputs {
		if !given[v.Name] {
			required = append(required, v)
		}
	}
	return required
}

// Subgraphs returns the graphs in the node's attributes.
func (n *Node) Subgraphs() iter.Seq[*Graph] {
	return func(yield func(*Graph) bool) {
		for _, a := range n.Attrs {
			if a.Graph != nil && !yield(a.Graph) {
				return
			}
			for _, g := range a.Graphs {
				if !yield(g) {
					return
				}
			}
		}
	}
}

// deep returns nodes and those of their subgraphs.
func deep(nodes []*Node) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for _, n := range nodes {
			if !yield(n) {
				return
			}
			for g := range n.Subgraphs() {
				for inner := range deep(g.Nodes) {
					if !yield(inner) {
						return
					}
				}
			}
		}
	}
}

// Uses returns the names of the values that the node needs: its inputs, without those left out, and what its subgraphs
// take from outside. A name may come more than once.
func (n *Node) Uses() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range n.Inputs {
			if name != "" && !yield(name) {
				return
			}
		}
		for g := range n.Subgraphs() {
			for name := range g.Captures() {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// Captures returns the names that the graph uses and does not define, which a subgraph takes from the graphs around
// it. A name may come more than once.
func (g *Graph) Captures() iter.Seq[string] {
	return func(yield func(string) bool) {
		own := g.defined()
		for _, n := range g.Nodes {
			for name := range n.Uses() {
				if !own[name] && !yield(name) {
					return
				}
			}
		}
		for _, v := range g.Outputs {
			if !own[v.Name] && !yield(v.Name) {
				return
			}
		}
	}
}

// defined returns the names of the graph's inputs, initializers and node outputs.
func (g *Graph) defined() map[string]bool {
	own := make(map[string]bool, len(g.Inputs)+len(g.Initializers)+len(g.Nodes))
	for _, v := range g.Inputs {
		own[v.Name] = true
	}
	for _, t := range g.Initializers {
		own[t.Name] = true
	}
	for _, n := range g.Nodes {
		for _, name := range n.Outputs {
			if name != "" {
				own[name] = true
			}
		}
	}
	return own
}

// Sort returns the graph's nodes in an order in which every node comes after those whose outputs it or its subgraphs
// use. Nodes that stand in such an order already stay where they are. Names that no node produces are taken as given
// from outside. A cycle, and a name that two nodes produce, is a [*StructureError].
func (g *Graph) Sort() ([]*Node, error) {
	sorted, fault := sortNodes(g.Nodes)
	if fault != nil {
		return nil, fault
	}
	return sorted, nil
}

// sortNodes visits nodes in order, and before each those that it needs (depth first, with a stack of its own).
func sortNodes(nodes []*Node) ([]*Node, *StructureError) {
	producer := make(map[string]int, len(nodes))
	for i, n := range nodes {
		for _, name := range n.Outputs {
			if name == "" {
				continue
			}
			if k, twice := producer[name]; twice {
				return nil, &StructureError{Node: n, Value: name, What: fmt.Sprintf("output %q is also an output of %v", name, nodes[k])}
			}
			producer[name] = i
		}
	}
	const (
		fresh = iota
		open
		done
	)
	type visit struct {
		node  int
		needs []int // nodes still to be visited before it
	}
	state := make([]uint8, len(nodes))
	sorted := make([]*Node, 0, len(nodes))
	var stack []visit
	push := func(i int) {
		state[i] = open
		v := visit{node: i}
		for name := range nodes[i].Uses() {
			if k, ok := producer[name]; ok {
				v.needs = append(v.needs, k)
			}
		}
		stack = append(stack, v)
	}
	for i := range nodes {
		if state[i] != fresh {
			continue
		}
		for push(i); len(stack) > 0; {
			top := &stack[len(stack)-1]
			if len(top.needs) == 0 {
				state[top.node] = done
				sorted = append(sorted, nodes[top.node])
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.needs[0]
			top.needs = top.needs[1:]
			switch state[next] {
			case fresh:
				push(next)
			case open:
				var names []string
				for k := len(stack) - 1; ; k-- {
					names = append(names, nodes[stack[k].node].String())
					if stack[k].node == next {
						break
					}
				}
				return nil, &StructureError{Node: nodes[next], What: "cycle: " + cycleText(names)}
			}
		}
	}
	return sorted, nil
}

// cycleText lists nodes of a cycle, each after the one that needs it.
func cycleText(names []string) string {
	const most = 8
	n := len(names)
	if n > most {
		names = append(names[:most:most], fmt.Sprintf("%d more", n-most))
	}
	if n == 1 {
		return names[0] + " needs its own output"
	}
	return strings.Join(names, " needs ") + ", which needs the first"
}
