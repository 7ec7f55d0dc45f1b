package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is one plugin's, as Linux sees it.
type process int

// cpu is the processor time of its threads. Those that have ended do not count,
// but Go keeps the threads that it has made.
func (p process) cpu() (total time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
	if err != nil {
		return 0, err
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		running, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(n)
	}
	return total, nil
}

// self is this program.
func self() process { return process(os.Getpid()) }

// parent is the process that started it: Vault.
func (p process) parent() process {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	// pid (name) state parent …: the name may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return process(parent)
}

// family is a process and those that it started.
func (p process) family() []process {
	all := []process{p}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if child := process(pid); child.parent() == p {
			all = append(all, child)
		}
	}
	return all
}

// resident is its memory now, peak the most since the last forgetPeak, in MiB.
func (p process) resident() (float64, error) { return p.status("VmRSS:") }
func (p process) peak() (float64, error)     { return p.status("VmHWM:") }

// forgetPeak makes the peak what is resident now.
func (p process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p), []byte("5"), 0)
}

func (p process) status(name string) (mebibytes float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kibibytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kibibytes / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", p, name)
}
