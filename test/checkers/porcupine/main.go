// Porcupine's opinion on a history: reads operations (one JSON object a line, as history.ts writes
// them) from standard input, checks every key against a register with conditional writes, and
// prints one JSON object a key: {"key":"bucket/key","verdict":"ok"|"violation"|"unknown"}.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

type condition struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

type operation struct {
	Kind       string   `json:"kind"`
	Bucket     string   `json:"bucket"`
	Key        string   `json:"key"`
	InvokedAt  float64  `json:"invokedAt"`
	ReturnedAt *float64 `json:"returnedAt"`
	Input      struct {
		Value     *string    `json:"value"`
		Condition *condition `json:"condition"`
	} `json:"input"`
	Output struct {
		Kind    string          `json:"kind"`
		Value   json.RawMessage `json:"value"`
		Present *bool           `json:"present"`
	} `json:"output"`
}

// register is the value of a key; absent when it holds none.
type register struct {
	present bool
	value   string
}

func (o *operation) reads() bool  { return o.Kind == "get" || o.Kind == "head" }
func (o *operation) writes() bool { return !o.reads() && o.Kind != "delete" }

// read is the value that an answered read found.
func (o *operation) read() (register, bool) {
	if o.Output.Value == nil {
		return register{}, false
	}
	var value *string
	if err := json.Unmarshal(o.Output.Value, &value); err != nil || value == nil {
		return register{}, err == nil
	}
	return register{true, *value}, true
}

func (o *operation) holds(now register) bool {
	switch {
	case o.Input.Condition == nil:
		return true
	case o.Input.Condition.Kind == "absent":
		return !now.present
	default:
		return now.present && now.value == o.Input.Condition.Value
	}
}

func (o *operation) step(now register) (bool, register) {
	if o.reads() {
		if found, known := o.read(); known {
			return found == now, now
		}
		return o.Output.Present == nil || *o.Output.Present == now.present, now
	}
	holds := o.holds(now)
	if o.Output.Kind == "refused" {
		return !holds, now
	}
	if !holds {
		return o.Output.Kind == "unknown", now
	}
	if o.Kind == "delete" {
		return true, register{}
	}
	return true, register{true, *o.Input.Value}
}

var model = porcupine.Model{
	Init: func() interface{} { return register{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		return input.(*operation).step(state.(register))
	},
}

// check asks twice: without the writes of unknown outcome that nobody saw, which may never have
// been, and only if that explains nothing, with them.
func check(operations []*operation, limit time.Duration) porcupine.CheckResult {
	seen := map[string]bool{}
	for _, o := range operations {
		if found, known := o.read(); known && found.present {
			seen[found.value] = true
		}
		if c := o.Input.Condition; c != nil && c.Kind == "value" && o.Output.Kind == "ok" {
			seen[c.Value] = true
		}
	}
	var certain, all []porcupine.Operation
	for index, o := range operations {
		// A call at the time of a return comes first: they are concurrent.
		call := int64(o.InvokedAt*1e3) * 2
		end := int64(math.MaxInt64)
		if o.Output.Kind != "unknown" && o.ReturnedAt != nil {
			end = int64(*o.ReturnedAt*1e3)*2 + 1
		}
		one := porcupine.Operation{ClientId: index, Input: o, Call: call, Return: end}
		all = append(all, one)
		if o.Output.Kind != "unknown" || (o.writes() && seen[*o.Input.Value]) {
			certain = append(certain, one)
		}
	}
	first := porcupine.CheckOperationsTimeout(model, certain, limit)
	if first == porcupine.Ok || len(certain) == len(all) {
		return first
	}
	return porcupine.CheckOperationsTimeout(model, all, limit)
}

func readAll() (map[string][]*operation, error) {
	keys := map[string][]*operation{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	for lines.Scan() {
		o := &operation{}
		if err := json.Unmarshal(lines.Bytes(), o); err != nil {
			return nil, err
		}
		if o.Kind == "list" || o.Output.Kind == "failed" {
			continue
		}
		if o.reads() && o.Output.Kind != "ok" {
			continue
		}
		if o.writes() && o.Input.Value == nil {
			return nil, fmt.Errorf("a write of %s/%s without a value", o.Bucket, o.Key)
		}
		name := o.Bucket + "/" + o.Key
		keys[name] = append(keys[name], o)
	}
	return keys, lines.Err()
}

func main() {
	limit := flag.Duration("limit", 30*time.Second, "time for each key")
	flag.Parse()
	keys, err := readAll()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	sort.Strings(names)
	verdicts := map[porcupine.CheckResult]string{
		porcupine.Ok: "ok", porcupine.Illegal: "violation", porcupine.Unknown: "unknown",
	}
	out := json.NewEncoder(os.Stdout)
	for _, name := range names {
		verdict := verdicts[check(keys[name], *limit)]
		if err := out.Encode(map[string]string{"key": name, "verdict": verdict}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
}
