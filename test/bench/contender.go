package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
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
	// busy is given each request that was refused as busy; nil where none may be.
	busy func(request []byte)
}

// errBusy is returned by call when the server is too busy to answer.
var errBusy = errors.New("busy")

// ask sends the next request on the line.
func (c *contender) ask(l *line) error {
	request := c.next()
	if request == nil {
		return fmt.Errorf("%s: nothing left to send", c.name)
	}
	return c.call(l, request)
}

// call sends one request on the line and checks its answer.
func (c *contender) call(l *line, request []byte) error {
	status, answer, err := l.send(request)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if status == http.StatusServiceUnavailable && c.busy != nil {
		c.busy(request)
		return errBusy
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

// eachOf sends each of these once, and again when it was put back.
func eachOf(requests [][]byte) (next func() []byte, back func([]byte)) {
	left := make(chan []byte, len(requests))
	for _, request := range requests {
		left <- request
	}
	next = func() []byte {
		select {
		case request := <-left:
			return request
		default:
			return nil
		}
	}
	return next, func(request []byte) { left <- request }
}
