package listen

import (
	"math"
	"net"
	"testing"
	"time"
)

func TestACrowdTakesHalfOfTheFilesAtMost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		files     uint64
		listeners int
		want      int
	}{{1024, 1, 512}, {1024, 4, 128}, {65536, 2, 16384}, {65536, 4, 8192}, {math.MaxUint64, 3, 16384}, {4, 100, 1}} {
		if got := share(tc.files, tc.listeners); got != tc.want {
			t.Errorf("of %d files each of %d listeners takes %d, not %d", tc.files, tc.listeners, got, tc.want)
		}
	}
	if most, err := Most(2); err != nil || most < 1 {
		t.Errorf("here it is %d, %v", most, err)
	}
}

func TestWhoComesIntoACrowdWaits(t *testing.T) {
	t.Parallel()
	of, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, accepted := Bounded(of, 2), make(chan net.Conn, 3)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		conn, err := net.Dial("tcp", of.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	first := <-accepted
	<-accepted
	select {
	case <-accepted:
		t.Error("a third is taken beside two")
	case <-time.After(50 * time.Millisecond):
	}
	_ = first.Close()
	<-accepted
	_ = l.Close()
	if _, more := <-accepted; more {
		t.Error("after its end it takes another")
	}
}
