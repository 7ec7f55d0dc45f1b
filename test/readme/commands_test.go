package readme

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const production = "Production"

// TestEveryCommandRunsOnTheServerOfMakeDev runs all commands but those for a production server, in the order of the
// README and in one shell, and compares the samples with what they print.
func TestEveryCommandRunsOnTheServerOfMakeDev(t *testing.T) {
	d := startDev(t)
	t.Parallel() // with production's, once this has built the plugin
	_, blocks := document(t)
	var commands []*command
	samples := map[*block]*command{}
	for _, b := range blocks {
		if b.chapter == production {
			continue
		}
		switch {
		case b.language == "shell" && b.text == "make dev\n":
		case b.language == "shell":
			b.text = strings.ReplaceAll(b.text, "127.0.0.1:8200", "127.0.0.1:"+strconv.Itoa(d.port))
			commands = append(commands, b.commands(t)...)
		case b.language == "text" && b.after != nil && b.after.language == "shell":
			samples[b] = commands[len(commands)-1]
		}
	}
	if len(commands) < 40 || len(samples) < 8 {
		t.Fatalf("found %d commands and %d samples", len(commands), len(samples))
	}
	run(t, commands)
	for _, c := range commands {
		c.check(t)
	}
	for b, c := range samples {
		checkSample(t, b, c)
	}
	checkHTTP(t, d, blocks)
}

// checkHTTP sends the requests that the README shows, and compares the answers that it shows with what comes back.
func checkHTTP(t *testing.T, d *dev, blocks []*block) {
	t.Helper()
	minted := d.send(t, "POST /v1/apikeys/issue/web HTTP/1.1\n\n{\"owner\": \"acme\"}")
	key, _ := minted.data(t)["key"].(string)
	sent := map[string]int{}
	for i, b := range blocks {
		if b.language != "http" || strings.HasPrefix(b.text, "HTTP/") {
			continue
		}
		got := d.send(t, regexp.MustCompile("<[^>]*key>").ReplaceAllString(b.text, key))
		sample := blocks[i+1]
		sent[sample.language]++
		if sample.language == "http" {
			checkWholeAnswer(t, sample, got)
			continue
		}
		var shown map[string]any
		if err := json.Unmarshal([]byte(sample.text), &shown); err != nil {
			t.Fatalf("README.md:%d: %v", sample.line, err)
		}
		data := got.data(t)
		for name, value := range shown {
			if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", data[name]) {
				t.Errorf("README.md:%d shows %s as %T, it comes back as %T", sample.line, name, value, data[name])
			}
		}
		for name := range data {
			if _, found := shown[name]; !found {
				t.Errorf("README.md:%d does not show %s", sample.line, name)
			}
		}
	}
	if sent["json"] == 0 || sent["http"] == 0 {
		t.Errorf("the README shows these answers to requests: %v", sent)
	}
}

// checkWholeAnswer compares status, body, and the engine's headers; the key id differs from run to run.
func checkWholeAnswer(t *testing.T, sample *block, got answer) {
	t.Helper()
	head, body, _ := strings.Cut(sample.text, "\n\n")
	lines := strings.Split(head, "\n")
	if status := "HTTP/1.1 " + got.status; lines[0] != status || strings.TrimSpace(body) != strings.TrimSpace(string(got.body)) {
		t.Errorf("README.md:%d shows %s and %s, what comes back is %s and %s", sample.line, lines[0], body, status, got.body)
	}
	told := map[string]bool{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		told[name] = true
		if back := got.headers.Get(name); back == "" || name != "X-Apikey-Id" && back != value {
			t.Errorf("README.md:%d shows %s, it comes back as %q", sample.line, line, back)
		}
	}
	for name := range got.headers {
		if strings.HasPrefix(name, "X-Apikey-") && !told[name] {
			t.Errorf("README.md:%d does not show %s", sample.line, name)
		}
	}
}

// answer is what came back.
type answer struct {
	status  string
	headers http.Header
	body    []byte
}

// data is that of an answer to a request that must work.
func (a answer) data(t *testing.T) map[string]any {
	t.Helper()
	var whole struct{ Data map[string]any }
	if a.status != "200 OK" || json.Unmarshal(a.body, &whole) != nil {
		t.Fatalf("the answer is %s", a.status)
	}
	return whole.Data
}

// send sends a request as the README shows it, with the token of the dev server.
func (d *dev) send(t *testing.T, text string) answer {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	words := strings.Fields(lines[0])
	r, err := http.NewRequest(words[0], fmt.Sprintf("http://127.0.0.1:%d%s", d.port, words[1]), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	r.Header.Set("X-Vault-Token", "root")
	back, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Body.Close()
	received, err := io.ReadAll(back.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{back.Status, back.Header, received}
}
