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
	minted := d.send(t, "POST", "/v1/apikeys/issue/web", `{"owner": "acme"}`)
	key, _ := minted["key"].(string)
	sent := 0
	for i, b := range blocks {
		if b.language != "http" {
			continue
		}
		head, body, _ := strings.Cut(b.text, "\n\n")
		words := strings.Fields(head)
		got := d.send(t, words[0], words[1], regexp.MustCompile("<[^>]*key>").ReplaceAllString(body, key))
		var shown map[string]any
		if err := json.Unmarshal([]byte(blocks[i+1].text), &shown); err != nil {
			t.Fatalf("README.md:%d: %v", blocks[i+1].line, err)
		}
		for name, value := range shown {
			if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", got[name]) {
				t.Errorf("README.md:%d shows %s as %T, it comes back as %T", blocks[i+1].line, name, value, got[name])
			}
		}
		for name := range got {
			if _, found := shown[name]; !found {
				t.Errorf("README.md:%d does not show %s", blocks[i+1].line, name)
			}
		}
		sent++
	}
	if sent == 0 {
		t.Error("the README shows no request")
	}
}

// send answers the data of a request that must work.
func (d *dev) send(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", d.port, path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", "root")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var whole struct{ Data map[string]any }
	if err != nil || answer.StatusCode != 200 || json.Unmarshal(text, &whole) != nil {
		t.Fatalf("%s %s: %d %v", method, path, answer.StatusCode, err)
	}
	return whole.Data
}
