package harness

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Tap opens a way to the server on which each request is shown to a visitor, which many call at once. It answers its URL.
func (s *Server) Tap(t testing.TB, see func(path string, body []byte)) (address string) {
	t.Helper()
	target, err := url.Parse(s.Address())
	s.check(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	proxy.ErrorLog = log.New(io.Discard, "", 0) // who asks sees what became of it
	tapped := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // whoever sends it has gone
		}
		see(r.URL.Path, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(tapped.Close)
	return tapped.URL
}
