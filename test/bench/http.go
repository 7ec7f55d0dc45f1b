package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// client writes requests in full before they are sent, so that the generator,
// which shares the cores, does little while it measures.
type client struct{ address, token string }

// request is one in full. headers are lines beside those that it needs.
func (c client) request(method, path string, body any, headers ...string) []byte {
	var content []byte
	if body != nil {
		content, _ = json.Marshal(body) // strings, numbers, lists and maps of them
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s /v1/%s HTTP/1.1\r\nHost: %s\r\nX-Vault-Token: %s\r\n", method, path, c.address, c.token)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(content))
	}
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(content)
	return b.Bytes()
}

// line is one connection, for one caller at a time.
type line struct {
	net.Conn
	in     *bufio.Reader
	answer bytes.Buffer
}

func (c client) dial() (*line, error) {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return nil, err
	}
	return &line{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// send answers the status and the body, which is the line's until the next send.
func (l *line) send(request []byte) (status int, body []byte, err error) {
	if _, err := l.Write(request); err != nil {
		return 0, nil, err
	}
	r, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	l.answer.Reset()
	if n, err := strconv.Atoi(r.Header.Get("Content-Length")); err == nil {
		l.answer.Grow(n + bytes.MinRead)
	}
	if _, err := io.Copy(&l.answer, r.Body); err != nil {
		return 0, nil, err
	}
	return r.StatusCode, l.answer.Bytes(), nil
}
