package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// brief is a connection of which only the status of an answer is looked at: a
// flood shares the cores with what it floods, and thousands wait at once.
type brief struct {
	net.Conn
	in *bufio.Reader
}

func dialBrief(address string) (*brief, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &brief{conn, bufio.NewReaderSize(conn, 4<<10)}, nil
}

var lengthHeader = []byte("Content-Length: ")

func (a *brief) ask(request []byte) (status int, err error) {
	if _, err := a.Write(request); err != nil {
		return 0, err
	}
	first, err := a.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(first) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("an answer begins with %q", first)
	}
	if status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return 0, err
	}
	length := 0
	for {
		header, err := a.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(header) <= 2 {
			break
		}
		if of, ok := bytes.CutPrefix(header, lengthHeader); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(of))); err != nil {
				return 0, err
			}
		}
	}
	_, err = a.in.Discard(length)
	return status, err
}

// tally is what became of questions.
type tally struct {
	took   []time.Duration // each, from the moment at which it was due
	by     map[int]int     // by status
	lasted time.Duration
}

func (y *tally) rate() float64 { return float64(len(y.took)) / y.lasted.Seconds() }

// quantiles are the median, the 99th percentile and the most, in ms.
func quantiles(took []time.Duration) (columns []string) {
	slices.Sort(took)
	for _, q := range []float64{0.5, 0.99, 1} {
		columns = append(columns, short(ms(quantile(took, q))))
	}
	return columns
}

// other is how many were not answered with one of these.
func (y *tally) other(statuses ...int) int {
	n := len(y.took)
	for _, status := range statuses {
		n -= y.by[status]
	}
	return n
}

// pour asks at an even rate, whatever the servers do, until it is stopped.
// Each of the callers has one connection, to the servers in turn.
func pour(t *runner, rate float64, callers int, addresses []string, next func(i int64) []byte) (stop func() *tally) {
	all := &tally{by: make(map[int]int)}
	gap := time.Duration(float64(time.Second) / rate)
	var group sync.WaitGroup
	var mu sync.Mutex
	var index atomic.Int64
	var ended atomic.Bool
	var failed error
	began := time.Now()
	for c := range callers {
		a, err := dialBrief(addresses[c%len(addresses)])
		t.must(err)
		group.Go(func() {
			defer a.Close()
			var took []time.Duration
			by, err := make(map[int]int), error(nil)
			for err == nil {
				i := index.Add(1) - 1
				due := began.Add(time.Duration(i) * gap)
				if time.Sleep(time.Until(due)); ended.Load() {
					break
				}
				status := 0
				if status, err = a.ask(next(i)); err == nil {
					took, by[status] = append(took, time.Since(due)), by[status]+1
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, took...)
			for status, n := range by {
				all.by[status] += n
			}
			if err != nil {
				failed = err
			}
		})
	}
	return func() *tally {
		ended.Store(true)
		group.Wait()
		all.lasted = time.Since(began) // what was on its way is answered, and counted
		t.must(failed)
		return all
	}
}
