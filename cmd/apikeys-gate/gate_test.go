package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAGateFromItsStartToItsEnd(t *testing.T) {
	t.Parallel()
	r := start(t, engine(t).URL, `roles = ["web"]`)
	r.ready(t)
	if status, body := r.ask(t, "/forward/web"); status != 401 || body != "{\"code\":\"invalid\"}\n" {
		t.Errorf("what is no key is %d, %s", status, body)
	}
	if _, body := r.ask(t, "/metrics"); !strings.Contains(body, `apikeys_gate_decisions_total{code="invalid",door="forward"} 1`) || !strings.Contains(body, "apikeys_gate_ready 1") {
		t.Errorf("the figures are %s", body)
	}
	await(t, "a word of it", func() bool { return strings.Contains(r.log.String(), "fresh: vault answers") })
	begun := time.Now()
	r.signals.end <- syscall.SIGTERM
	<-r.ended
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it ends after %v", took)
	}
	if status, _ := r.ask(t, "/forward/web"); status != 0 {
		t.Errorf("after its end it answers %d", status)
	}
	line, err := os.ReadFile(filepath.Join(r.dir, "decisions.json"))
	if err != nil || strings.Count(string(line), "\n") != 1 || !strings.Contains(string(line), `"door":"forward","code":"invalid"`) {
		t.Errorf("decisions: %s, %v", line, err)
	}
	if all := r.log.String() + string(line); strings.Contains(all, "CANARY") {
		t.Errorf("a key is in %s", all)
	}
}

func TestWhatIsReadAgain(t *testing.T) {
	t.Parallel()
	vault := engine(t).URL
	r := start(t, vault, `roles = ["web"]`)
	r.ready(t)
	reload := func(says string) {
		t.Helper()
		before := strings.Count(r.log.String(), says)
		r.signals.again <- syscall.SIGHUP
		await(t, says, func() bool { return strings.Count(r.log.String(), says) > before })
	}
	challenged := func() string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.entries[0].listener.Addr().String()+"/forward/web", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.Header.Get("WWW-Authenticate")
	}
	const again, not = "the configuration was read again", "nothing has changed"
	r.configure(t, vault, `key_headers = ["Authorization: Bearer"]`)
	reload(again)
	if got := challenged(); got != `Bearer realm="apikeys"` {
		t.Errorf("then it asks for %q", got)
	}
	for _, wrong := range []string{`max_staleness = "1s"`, `foo = 1`, `decision_log = "x"`, `listener "tcp" {
  address = "127.0.0.1:1"
}`} {
		r.configure(t, vault, wrong)
		reload(not)
	}
	r.configure(t, "https://another:8200", "")
	reload(not)
	if got := challenged(); got != `Bearer realm="apikeys"` {
		t.Errorf("what is wrong changed it to %q", got)
	}
	log := filepath.Join(r.dir, "decisions.json")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	r.configure(t, vault, "")
	reload(again)
	if got := challenged(); got != `ApiKey realm="apikeys"` {
		t.Errorf("at last it asks for %q", got)
	}
	r.signals.end <- syscall.SIGTERM
	<-r.ended
	if line, err := os.ReadFile(log); err != nil || len(line) == 0 {
		t.Errorf("the log was not opened anew: %q, %v", line, err)
	}
}

func TestWithoutVaultAGateIsClosedAndSaysSo(t *testing.T) {
	t.Parallel()
	denying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"errors":["permission denied"]}`)
	}))
	t.Cleanup(denying.Close)
	r := start(t, denying.URL, "")
	await(t, "a word of it", func() bool { return strings.Contains(r.log.String(), "closed: every key is answered 503") })
	wellFormed := "/forward/web" // what is no key by its form stays invalid
	if status, body := r.ask(t, wellFormed); status != 401 {
		t.Errorf("what is no key by its form is %d, %s", status, body)
	}
	await(t, "the path", func() bool {
		status, body := r.ask(t, "/ready")
		return status == 503 && strings.Contains(body, "gate/changes")
	})
	if !strings.Contains(r.log.String(), `"path":"gate/changes"`) {
		t.Errorf("the log does not say which path is denied: %s", r.log)
	}
	r.signals.end <- syscall.SIGTERM
	<-r.ended
}

func TestCheckSaysWhatIsWrongOrWhatPolicyIsNeeded(t *testing.T) {
	t.Parallel()
	r := running{dir: t.TempDir()}
	r.configure(t, "https://vault.example.com:8200", `roles = ["web"]`)
	var out, mistakes bytes.Buffer
	if exit := checked(r.file(), &out, &mistakes); exit != 0 || !strings.Contains(out.String(), `path "apikeys/gate/resolve/web"`) || !strings.Contains(mistakes.String(), "warning: token_file is not there yet") {
		t.Errorf("%d, %s, %s", exit, &out, &mistakes)
	}
	r.configure(t, "https://vault.example.com:8200", "listener \"tcp\" {\n  address = \"127.0.0.1:1\"\n  tls_cert_file = \"/nowhere\"\n  tls_key_file = \"/nowhere\"\n}")
	out.Reset()
	if exit := checked(r.file(), &out, &mistakes); exit != 1 || out.Len() != 0 || !strings.Contains(mistakes.String(), "/nowhere") {
		t.Errorf("a certificate that is not there: %d, %s, %s", exit, &out, &mistakes)
	}
	r.configure(t, "https://vault.example.com:8200", "foo = 1")
	if exit := checked(r.file(), &out, &mistakes); exit != 1 || !strings.Contains(mistakes.String(), "there is no setting foo here") {
		t.Errorf("a mistake: %d, %s", exit, &mistakes)
	}
}
