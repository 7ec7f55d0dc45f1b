package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
)

// contender is one kind of request.
type contender struct {
	name string
	next func() []byte // nil when there are no more
	// want is what a right answer has, as often as there are items in a request.
	want  string
	items int
	// most bounds the calls in one slice; 0 for any number.
	most int64
	// keep is shown each answer.
	keep func(answer []byte)
}

// call sends one request on the line and checks its answer.
func (c *contender) call(l *line, request []byte) error {
	status, answer, err := l.send(request)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if status != 200 && status != 204 || bytes.Count(answer, []byte(c.want)) < max(1, c.items) {
		return fmt.Errorf("%s: wrong answer %d: %.300s", c.name, status, answer)
	}
	if c.keep != nil {
		c.keep(answer)
	}
	return nil
}

// size is the number of keys in one call.
func (c *contender) size() float64 { return float64(max(1, c.items)) }

// anyOf sends these again and again, in random order.
func anyOf(requests ...[]byte) func() []byte {
	return func() []byte { return requests[rand.IntN(len(requests))] }
}

// eachOf sends each of these once.
func eachOf(requests [][]byte) func() []byte {
	var sent atomic.Int64
	return func() []byte {
		i := sent.Add(1) - 1
		if i >= int64(len(requests)) {
			return nil
		}
		return requests[i]
	}
}
