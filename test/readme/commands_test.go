package readme

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryCommandRunsOnTheServerOfMakeDev runs all commands of the README but those for a production server, and compares
// the samples with what they print: once in its order and in one shell, and then each chapter in a shell of its own, the
// last one first, as somebody may who comes for one job.
func TestEveryCommandRunsOnTheServerOfMakeDev(t *testing.T) {
	d := startDev(t)
	t.Parallel() // with production's, once this has built the plugin
	_, blocks := document(t)
	if n := d.paste(t, ofReadme, blocks); n < 35 {
		t.Fatalf("found only %d commands", n)
	}
	if d.checkHTTP(t, manual, blocks)["json"] == 0 {
		t.Error("the gate's manual shows no request with its answer")
	}
	var chapters [][]*block
	for i, b := range blocks {
		if i == 0 || b.chapter != blocks[i-1].chapter || b.file != blocks[i-1].file {
			chapters = append(chapters, nil)
		}
		chapters[len(chapters)-1] = append(chapters[len(chapters)-1], b)
	}
	for _, chapter := range slices.Backward(chapters) {
		d.paste(t, ofReadme, chapter)
	}
}

// TestEveryCommandOfTheReferenceRunsOnTheServerOfMakeDev does the same, in its order, on a server of its own.
func TestEveryCommandOfTheReferenceRunsOnTheServerOfMakeDev(t *testing.T) {
	d := startDev(t)
	t.Parallel()
	_, blocks := document(t)
	if n := d.paste(t, ofReference, blocks); n < 60 {
		t.Fatalf("found only %d commands", n)
	}
	if d.checkHTTP(t, reference, blocks)["http"] == 0 {
		t.Error("the reference shows no request with its answer")
	}
}

// paste runs the commands of the runner in one shell, and checks what each prints. It answers how many there are.
func (d *dev) paste(t *testing.T, r runner, blocks []*block) int {
	t.Helper()
	var commands []*command
	samples := map[*block]*command{}
	for _, b := range blocks {
		switch {
		case b.text == "make dev\n" || b.text == "make gate\n": // runs already, and has a test of its own
		case len(r.blocks([]*block{b})) > 0:
			b.text = strings.ReplaceAll(b.text, "127.0.0.1:8200", d.host())
			commands = append(commands, b.commands(t)...)
		case b.language == "text" && b.after != nil && len(r.blocks([]*block{b.after})) > 0:
			samples[b] = commands[len(commands)-1]
		}
	}
	run(t, commands, "VAULT_ADDR=http://"+d.host(), "VAULT_TOKEN=root")
	for _, c := range commands {
		c.check(t)
	}
	for b, c := range samples {
		checkSample(t, b, c)
	}
	return len(commands)
}

func (d *dev) host() string { return "127.0.0.1:" + strconv.Itoa(d.port) }

// checkHTTP sends the requests that a file shows, and compares the answers that it shows with what comes back. It answers
// how many there are in each language.
func (d *dev) checkHTTP(t *testing.T, file string, blocks []*block) (sent map[string]int) {
	t.Helper()
	minted := d.send(t, "POST /v1/apikeys/issue/web HTTP/1.1\n\n{\"owner\": \"acme\"}")
	key, _ := minted.data(t)["key"].(string)
	sent = map[string]int{}
	for i, b := range blocks {
		if b.file != file || b.language != "http" || strings.HasPrefix(b.text, "HTTP/") {
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
			t.Fatalf("%s: %v", sample.at(), err)
		}
		data := got.data(t)
		for name, value := range shown {
			if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", data[name]) {
				t.Errorf("%s shows %s as %T, it comes back as %T", sample.at(), name, value, data[name])
			}
		}
		for name := range data {
			if _, found := shown[name]; !found {
				t.Errorf("%s does not show %s", sample.at(), name)
			}
		}
	}
	return sent
}

// checkWholeAnswer compares status, body, and the engine's headers; the key id differs from run to run.
func checkWholeAnswer(t *testing.T, sample *block, got answer) {
	t.Helper()
	head, body, _ := strings.Cut(sample.text, "\n\n")
	lines := strings.Split(head, "\n")
	if status := "HTTP/1.1 " + got.status; lines[0] != status || strings.TrimSpace(body) != strings.TrimSpace(string(got.body)) {
		t.Errorf("%s shows %s and %s, what comes back is %s and %s", sample.at(), lines[0], body, status, got.body)
	}
	told := map[string]bool{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		told[name] = true
		if back := got.headers.Get(name); back == "" || name != "X-Apikey-Id" && back != value {
			t.Errorf("%s shows %s, it comes back as %q", sample.at(), line, back)
		}
	}
	for name := range got.headers {
		if strings.HasPrefix(name, "X-Apikey-") && !told[name] {
			t.Errorf("%s does not show %s", sample.at(), name)
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

// send sends a request as it is shown, with the token of the dev server.
func (d *dev) send(t *testing.T, text string) answer {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	words := strings.Fields(lines[0])
	r, err := http.NewRequest(words[0], "http://"+d.host()+words[1], strings.NewReader(body))
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
