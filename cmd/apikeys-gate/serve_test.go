package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// TestNoNumberOfSIGHUPsKeepsAGateFromEnding has it hang while it reads its configuration again, from a disk that does
// not answer, and tells it to do so again and again before its end.
func TestNoNumberOfSIGHUPsKeepsAGateFromEnding(t *testing.T) {
	t.Parallel()
	r := start(t, engine(t).URL, `roles = ["web"]`)
	r.ready(t)
	r.signals.listen()
	t.Cleanup(func() { signal.Stop(r.signals.end); signal.Stop(r.signals.again) })
	if err := errors.Join(os.Remove(r.file()), syscall.Mkfifo(r.file(), 0o600)); err != nil {
		t.Fatal(err)
	}
	tell := func(s syscall.Signal) {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		tell(syscall.SIGHUP)
		time.Sleep(5 * time.Millisecond) // those that come at once are one
	}
	tell(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
	// Whoever still reads there finds nothing, and ends.
	if file, err := os.OpenFile(r.file(), os.O_WRONLY|syscall.O_NONBLOCK, 0); err != nil {
		t.Errorf("nobody was reading the configuration: %v", err)
	} else {
		_ = file.Close()
	}
}

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
