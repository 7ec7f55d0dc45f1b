package readme

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is a line of a table that the vault command prints.
var row = regexp.MustCompile(`^([a-z_]+) {2,}(.*)$`)

// telling are fields whose values must be those shown. All others hold what differs from run to run.
var telling = []string{
	"valid", "code", "http_status", "status", "superseded", "rotation_due", "disabled", "scopes", "missing_scopes", "metadata",
	"rate_limit", "rate_limit_period", "rate_remaining", "quota", "quota_period", "quota_remaining", "reason", "revoke_reason",
}

// checkSample compares what a block shows with what the command before it printed.
func checkSample(t testing.TB, sample *block, c *command) {
	t.Helper()
	shown, printed := strings.TrimSpace(sample.text), strings.TrimSpace(c.output)
	switch {
	case strings.HasPrefix(shown, "Key "):
		checkTable(t, sample, table(shown), table(printed))
	case strings.HasPrefix(shown, "* "):
		if !strings.Contains(printed, shown) {
			t.Errorf("%s shows %q, and the command printed:\n%s", sample.at(), shown, printed)
		}
	case shown != printed:
		t.Errorf("%s shows %q, and the command printed %q", sample.at(), shown, printed)
	}
	for line := range strings.Lines(c.output) {
		if strings.Contains(line, "WARNING") {
			t.Errorf("%s: the command before it printed a warning that is not shown: %s", sample.at(), c.output)
		}
	}
}

func checkTable(t testing.TB, sample *block, shown, printed map[string]string) {
	t.Helper()
	for name, value := range shown {
		got, found := printed[name]
		switch {
		case !found:
			t.Errorf("%s shows %s, which the command did not print", sample.at(), name)
		case slices.Contains(telling, name) && value != got:
			t.Errorf("%s shows %s %s, and the command printed %s", sample.at(), name, value, got)
		case (value == "n/a") != (got == "n/a"):
			t.Errorf("%s shows %s %s, and the command printed %s", sample.at(), name, value, got)
		}
	}
	if strings.Contains(sample.text, "\n…\n") {
		return // the sample says that it leaves some out
	}
	for name := range printed {
		if _, found := shown[name]; !found {
			t.Errorf("%s does not show %s, which the command printed", sample.at(), name)
		}
	}
}

// table is what the vault command printed as one, by field.
func table(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if m := row.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			fields[m[1]] = m[2]
		}
	}
	return fields
}
