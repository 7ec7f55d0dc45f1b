package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// asker asks about one key after the other, for one caller.
type asker interface {
	ask(h *holder) error
	Close() error
}

// brisk is a connection over which the same request goes with one key after the
// other, and which looks at no more of an answer than it must. Who shares the cores
// with what it measures does as little as it can.
type brisk struct {
	net.Conn
	request []byte // with room for a key
	at      int
	answer  [4 << 10]byte
}

// hole stands for a key in a request.
const hole = "{key}"

// newBrisk dials. All keys that are asked about are as long as this one.
func newBrisk(network, address, request string, like holder) (*brisk, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	at := bytes.Index([]byte(request), []byte(hole))
	return &brisk{Conn: conn, request: []byte(request[:at] + like.Text + request[at+len(hole):]), at: at}, nil
}

// ask is an error unless the answer is a 200 that names the key: errBusy where it is a
// 503.
func (b *brisk) ask(h *holder) error {
	answer, err := b.exchange(h)
	if bytes.HasPrefix(answer, []byte("HTTP/1.1 503 ")) {
		return errBusy
	}
	if err == nil && (!bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) || !bytes.Contains(answer, []byte(h.ID))) {
		err = wrongAnswer{string(answer)}
	}
	return err
}

// wrongAnswer is returned for another answer than was expected.
type wrongAnswer struct{ text string }

func (w wrongAnswer) Error() string { return fmt.Sprintf("wrong answer: %.600s", w.text) }

// exchange sends the request and answers the whole answer, which is good until the
// next one.
func (b *brisk) exchange(h *holder) ([]byte, error) {
	copy(b.request[b.at:], h.Text)
	if _, err := b.Write(b.request); err != nil {
		return nil, err
	}
	for n := 0; ; {
		more, err := b.Read(b.answer[n:])
		n += more
		if err != nil {
			return nil, err
		}
		whole, err := length(b.answer[:n], b.request[0] == 'H')
		if err != nil {
			return nil, err
		}
		if whole > 0 && n >= whole {
			return b.answer[:n], nil
		}
		if n == len(b.answer) {
			return nil, errLong
		}
	}
}

var (
	errLong     = errors.New("an answer is longer than expected")
	errUnending = errors.New("an answer does not say how long it is")

	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// length is how long an answer is of which this is the beginning; 0 while that cannot
// be told. An answer to HEAD has no body.
func length(answer []byte, toHead bool) (int, error) {
	head := bytes.Index(answer, endOfHead)
	if head < 0 {
		return 0, nil
	}
	if toHead {
		return head + len(endOfHead), nil
	}
	at := bytes.Index(answer[:head+2], contentLength)
	if at < 0 {
		return 0, errUnending
	}
	digits := answer[at+len(contentLength):]
	body, err := strconv.Atoi(string(digits[:bytes.IndexByte(digits, '\r')]))
	return head + len(endOfHead) + body, err
}
