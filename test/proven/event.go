package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// event is a line of `go test -json`, as `go doc test2json` describes it.
type event struct {
	Action, Package, Test, Output string
	line                          []byte
}

// module is what import paths of all modules begin with; the rest is the directory.
const module = "vault-plugin-secrets-apikeys/"

func (e event) directory() string { return strings.TrimPrefix(e.Package, module) }

// eachEvent calls take for each event, and other for each line that is none.
func eachEvent(in io.Reader, take func(event) error, other func(line []byte) error) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			e := event{line: line}
			use := func() error { return take(e) }
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				use = func() error { return other(line) }
			}
			if err := use(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
