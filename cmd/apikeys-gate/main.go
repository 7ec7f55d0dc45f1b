// Command apikeys-gate decides about API keys beside a gateway, from memory, by what it
// hears from the engine in Vault.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/version"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/listen"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/vaultside"
)

func main() {
	flags := flag.NewFlagSet("apikeys-gate", flag.ExitOnError)
	path := flags.String("config", "", "the configuration, a file in HCL")
	check := flags.Bool("check", false, "say what is wrong with the configuration, or print the policy that it needs, and exit; Vault is not asked")
	tell := flags.Bool("version", false, "print the version and exit")
	_ = flags.Parse(os.Args[1:]) // it exits by itself
	switch {
	case *tell:
		fmt.Println(version.Number(), version.Commit())
	case *path == "" || flags.NArg() > 0:
		fmt.Fprintln(os.Stderr, "usage: apikeys-gate -config=FILE [-check]")
		os.Exit(2)
	case *check:
		os.Exit(checked(*path, os.Stdout, os.Stderr))
	default:
		os.Exit(run(*path))
	}
}

// checked says what is wrong with a configuration, or what policy it needs.
func checked(path string, out, mistakes io.Writer) (exit int) {
	c, err := config.Read(path, os.Getenv)
	if err == nil {
		_, err = vaultside.New(&c, hclog.NewNullLogger())
	}
	for _, l := range c.Listeners {
		if err == nil && l.TLS() {
			_, err = listen.Read(l)
		}
	}
	if err != nil {
		fmt.Fprintln(mistakes, err)
		return 1
	}
	for _, warning := range c.Warnings {
		fmt.Fprintln(mistakes, "warning:", warning)
	}
	fmt.Fprint(out, c.Policy())
	return 0
}

// run is the gate, from its start to its end.
func run(path string) (exit int) {
	log := hclog.New(&hclog.LoggerOptions{Name: "apikeys-gate", Level: hclog.LevelFromString(level()), JSONFormat: true, Output: os.Stderr})
	if err := keepMemoryIn(); err != nil {
		log.Error("the memory of this process may be written to files", "error", err)
		return 1
	}
	c, err := config.Read(path, os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	told := newSignals()
	told.listen()
	g, err := newGate(path, c, log)
	if err != nil {
		log.Error("the gate cannot start", "error", err)
		return 1
	}
	g.serve(told)
	runtime.KeepAlive(reserve)
	return 0
}

// signals are what the process is told, by a channel for each kind: a channel that is full
// drops what comes, and however often the gate is told to read again, its end must not be
// lost. One SIGHUP that waits is enough, since it reads what is there by then.
type signals struct{ end, again chan os.Signal }

func newSignals() signals {
	return signals{end: make(chan os.Signal, 1), again: make(chan os.Signal, 1)}
}

func (s signals) listen() {
	signal.Notify(s.end, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(s.again, syscall.SIGHUP)
}

// level is how much is logged, by the variable that Vault's own programs know.
func level() string {
	if set := os.Getenv("VAULT_LOG_LEVEL"); set != "" {
		return set
	}
	return "info"
}
