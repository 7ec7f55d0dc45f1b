// Command proven stands between `go test -json` and whoever reads: while tests run it prints what `go test` prints
// without -json, and at the end it says in one screen which promises of test/README.md were proven, and by how many
// tests. A promise whose test was skipped, or did not run, is not proven.
//
//	go test -json ./... | proven record FILE      prints, and keeps in FILE what became of each test
//	proven show [-took s] [-race text] FILE...    the screen; exit status 1 if anything failed
//
// It runs no test and decides nothing about one: that a promise is proven means that the tests in its row passed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	failed, err := run(os.Args[1:], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "proven:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) (failed bool, err error) {
	switch {
	case len(args) == 2 && args[0] == "record":
		return false, recordTo(args[1], in, out)
	case len(args) > 0 && args[0] == "show":
		return show(args[1:], out)
	}
	return false, errors.New("usage: proven record FILE, or proven show [-took seconds] [-race text] [-promises table] FILES")
}

func recordTo(path string, in io.Reader, out io.Writer) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := record(in, out, file); err != nil {
		return err
	}
	return file.Close()
}

func show(args []string, out io.Writer) (failed bool, err error) {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	took := flags.Int("took", 0, "how many seconds the tests took")
	race := flags.String("race", "", "what to say of the race detector")
	table := flags.String("promises", "test/README.md", "where the promises are")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	text, err := os.ReadFile(*table)
	if err != nil {
		return false, err
	}
	promises, err := parsePromises(string(text))
	if err != nil {
		return false, fmt.Errorf("%s: %w", *table, err)
	}
	t := newTally()
	for _, path := range flags.Args() {
		if err := t.read(path); err != nil {
			return false, err
		}
	}
	s := screen{promises: promises, tally: t, took: time.Duration(*took) * time.Second, race: *race}
	io.WriteString(out, s.text())
	return s.failed(), nil
}
