package gate

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// changing is what differs from run to run: times, cursors, addresses.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z|\d+-[0-9a-f]{16}\.\d+|127\.0\.0\.1:\d+->127\.0\.0\.1:\d+|\d+m[\d.]+s|[\d.]+m?s\b`)

// masked are a log's lines, each the same whenever the same happens.
func masked(t *testing.T, log string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(log) {
		var of map[string]any
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			t.Errorf("the line %s: %v", line, err)
		}
		again, _ := json.Marshal(of) // in the order of its names
		all[changing.ReplaceAllString(string(again), "…")] = true
	}
	return all
}

// TestTheLogSaysWhatTheManualShows cuts a gate off and heals it, and has another be denied a path. No other test runs beside
// it: on a busy machine a gate meets more than is shown.
func TestTheLogSaysWhatTheManualShows(t *testing.T) {
	e := own(t)
	link := harness.NewLink(t, e.Server)
	cut := beside(t, e, harness.GateOptions{Vault: link.Address(), Config: "max_staleness = \"4s\"\nstale_grace = \"4s\""})
	denied := beside(t, e, harness.GateOptions{Token: lacking(t, e, "gate/resolve/web")})
	for _, g := range []*harness.Gate{cut, denied} {
		g.Ready(t)
		says(t, g, `"fresh: vault answers"`)
	}
	ask(t, denied, e.Issue(t, "web", "acme").Text)
	says(t, denied, `"denied: `)
	link.Lose()
	for _, condition := range []string{"cut off", "stale", "closed"} {
		says(t, cut, `"`+condition+": ")
	}
	link.Refuse() // those that are lost stay so
	link.Heal()
	says(t, cut, `"fresh again: vault answers"`)
	time.Sleep(100 * time.Millisecond)
	logged := masked(t, strings.ReplaceAll(cut.Log()+denied.Log(), e.Mount, "apikeys"))
	manual, err := os.ReadFile("../../cmd/apikeys-gate/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(manual), "### What it logs\n")
	_, shown, _ = strings.Cut(shown, "```json\n")
	shown, _, _ = strings.Cut(shown, "```\n")
	found := 0
	for line := range masked(t, shown) {
		found++
		if !logged[line] {
			t.Errorf("it does not log %s", line)
		}
	}
	for _, condition := range []string{"fresh", "fresh again", "cut off", "stale", "closed", "denied"} {
		if !strings.Contains(shown, fmt.Sprintf("%q:%q", "@message", condition)[:len(condition)+12]) {
			t.Errorf("the manual does not show what it logs when it is %s", condition)
		}
	}
	if t.Failed() {
		t.Logf("%d are shown; it logs\n%s", found, cut.Log()+denied.Log())
	}
}
