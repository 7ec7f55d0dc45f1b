package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestNothingButADecisionIs200 asks a listener what a server answers by itself, and what a
// proxy may make of a client's request. The doors are tried without a server elsewhere.
func TestNothingButADecisionIs200(t *testing.T) {
	t.Parallel()
	r := start(t, engine(t).URL, `roles = ["web"]`)
	r.ready(t)
	for _, head := range []string{
		"OPTIONS * HTTP/1.1\r\nHost: gate\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\n\r\n",
		"OPTIONS /forward/web HTTP/1.1\r\nHost: gate\r\n\r\n",
		"CONNECT gate:80 HTTP/1.1\r\nHost: gate:80\r\n\r\n",
		"TRACE / HTTP/1.1\r\nHost: gate\r\n\r\n",
		"GET /health HTTP/1.1\r\nHost: gate\r\n\r\n",
		"GET http://gate/forward/web HTTP/1.1\r\nHost: other\r\n\r\n",
		"GET http://gate//forward/web HTTP/1.1\r\nHost: other\r\n\r\n",
		"GET /forward/web HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
		"GET /forward/web HTTP/1.1\r\nHost: gate\r\nX-API-Key : " + text + "\r\n\r\n",
		"GET /forward/web HTTP/1.1\r\nHost: gate\r\nX-API-Key: a\r\n b\r\n\r\n",
		"GET /forward/web HTTP/1.1\r\nHost: gate\r\nX-Fill: " + strings.Repeat("x", 2*maxHead) + "\r\n\r\n",
		"POST /forward/web HTTP/1.1\r\nHost: gate\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		"POST /forward/web HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\nX-API-Key: " + text + "\r\n\r\n",
		"POST /forward/web HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", r.entries[0].listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(conn, head) // one that is too long is answered before its end
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && (answer.StatusCode < 400 || answer.StatusCode >= 500) && answer.StatusCode != http.StatusNotImplemented {
			t.Errorf("%.40q is answered %s", head, answer.Status)
		}
		if err == nil {
			_ = answer.Body.Close()
		}
		_ = conn.Close()
	}
}
