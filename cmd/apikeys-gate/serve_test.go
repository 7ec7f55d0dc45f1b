package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"
)

// slow is a listener that takes its time between a connection and who is to serve it.
type slow struct {
	net.Listener
	taken chan struct{}
}

func (s slow) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		close(s.taken)
		time.Sleep(100 * time.Millisecond)
	}
	return c, err
}

func TestARequestThatComesAtTheEndIsAnswered(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, answered := slow{listener, make(chan struct{})}, make(chan struct{})
	e := &entry{listener: s, ended: make(chan struct{})}
	e.server = &http.Server{ReadHeaderTimeout: headerTime, Handler: e.telling(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(100 * time.Millisecond)
		close(answered)
	}))}
	go e.serve()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		r, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = r.Body.Close()
			if !r.Close {
				err = errors.New("it does not say that the connection ends")
			}
		}
		got <- err
	}()
	<-s.taken
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e.stop(ctx)
	select {
	case <-answered:
	default:
		t.Error("the end did not wait for it")
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}
