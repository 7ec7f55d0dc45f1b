package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
)

// hotline is a connection of HTTP/2 on which many callers ask at a time, as from one
// of Envoy's workers. Like brisk it does no more than it must: gRPC's own client would
// take more of the cores than what it asks.
type hotline struct {
	conn   net.Conn
	framer *http2.Framer

	mu     sync.Mutex // held while something is sent, so that streams begin in order
	first  []byte     // the head of the first call, which later ones refer to
	head   []byte     // that of all others
	stream uint32     // the next
	calls  map[uint32]*call
	failed error
	out    bytes.Buffer
}

// call is one caller's.
type call struct {
	line    *hotline
	message []byte // with its length before it, and room for a key
	at      int
	answer  []byte
	ended   chan error
}

// dialHotline connects to a socket.
func dialHotline(socket string) (*hotline, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	h := &hotline{conn: conn, framer: http2.NewFramer(conn, conn), stream: 1, calls: make(map[uint32]*call)}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, to := range []*[]byte{&h.first, &h.head} {
		block.Reset()
		for _, f := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", auth.Authorization_Check_FullMethodName}, {":authority", "gate"},
			{"te", "trailers"}, {"content-type", "application/grpc"}, {"grpc-timeout", "3000m"},
		} {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
		}
		*to = bytes.Clone(block.Bytes())
	}
	_, err = conn.Write([]byte(http2.ClientPreface))
	if err = errors.Join(err, h.framer.WriteSettings(), h.framer.WriteWindowUpdate(0, windowStep)); err != nil {
		conn.Close()
		return nil, err
	}
	go h.read()
	return h, nil
}

// windowStep is by how much the server may send more, each time half of it is used.
const windowStep = 1 << 30

// caller is one more on this line.
func (h *hotline) caller(like holder) (*call, error) {
	message, err := proto.Marshal(envoysQuestion(like.Text))
	if err != nil {
		return nil, err
	}
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	framed = append(framed, message...)
	return &call{line: h, message: framed, at: bytes.Index(framed, []byte(like.Text)), ended: make(chan error, 1)}, nil
}

// envoysQuestion is what Envoy asks about a GET with this key.
func envoysQuestion(key string) *auth.CheckRequest {
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
			Address: webFrom, PortSpecifier: &core.SocketAddress_PortValue{PortValue: 40000},
		}}}},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			Id: "1", Method: "GET", Host: "api.example.com", Path: "/orders", Protocol: "HTTP/1.1", Scheme: "http",
			Headers: map[string]string{"x-api-key": key},
		}},
		ContextExtensions: map[string]string{"role": "web", "scopes": webScope},
	}}
}

// ask is an error unless the answer lets the key pass, and names it.
func (c *call) ask(h *holder) error {
	copy(c.message[c.at:], h.Text)
	c.answer = c.answer[:0]
	if err := c.line.send(c); err != nil {
		return err
	}
	if err := <-c.ended; err != nil {
		return err
	}
	if !bytes.Contains(c.answer, []byte("\x05valid")) || !bytes.Contains(c.answer, []byte(h.ID)) {
		return wrongAnswer{fmt.Sprintf("%q", c.answer)}
	}
	return nil
}

// Close ends the line for all of its callers.
func (c *call) Close() error { return c.line.conn.Close() }

func (h *hotline) send(c *call) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed != nil {
		return h.failed
	}
	head := h.head
	if h.stream == 1 {
		head = h.first
	}
	h.calls[h.stream] = c
	h.out.Reset()
	frame(&h.out, http2.FrameHeaders, http2.FlagHeadersEndHeaders, h.stream, head)
	frame(&h.out, http2.FrameData, http2.FlagDataEndStream, h.stream, c.message)
	h.stream += 2
	_, err := h.conn.Write(h.out.Bytes())
	return err
}

// frame appends one: both of a call go in one write.
func frame(to *bytes.Buffer, kind http2.FrameType, flags http2.Flags, stream uint32, content []byte) {
	n := len(content)
	to.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), byte(kind), byte(flags), byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)})
	to.Write(content)
}

// read hands answers to who asked, until the connection ends.
func (h *hotline) read() {
	var err error
	for used := uint32(0); err == nil; {
		var f http2.Frame
		if f, err = h.framer.ReadFrame(); err != nil {
			break
		}
		h.mu.Lock()
		if data, ok := f.(*http2.DataFrame); ok {
			used += data.Header().Length
			if c := h.calls[data.StreamID]; c != nil {
				c.answer = append(c.answer, data.Data()...)
			}
		}
		err = h.oblige(f, &used)
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = err
	for id := range h.calls {
		h.end(id, err)
	}
}

// oblige does what a frame asks for. The caller holds mu.
func (h *hotline) oblige(f http2.Frame, used *uint32) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		if f.StreamEnded() {
			h.end(f.StreamID, nil)
		}
	case *http2.RSTStreamFrame:
		h.end(f.StreamID, fmt.Errorf("a call was reset: %s", f.ErrCode))
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return h.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return h.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server ends the connection: %s", f.ErrCode)
	}
	if *used > windowStep/2 {
		*used = 0
		return h.framer.WriteWindowUpdate(0, windowStep/2)
	}
	return nil
}

func (h *hotline) end(stream uint32, err error) {
	if c := h.calls[stream]; c != nil {
		delete(h.calls, stream)
		c.ended <- err
	}
}
