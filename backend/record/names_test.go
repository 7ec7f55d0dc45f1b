package record_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestWhatIsAName(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a": true, "Z": true, "0": true, "acme": true, "user@example.com": true, "a.b_c-d@e": true,
		strings.Repeat("a", 128): true, "a.": true, "a.b.c": true, "1.2.3.4": true,
		"": false, strings.Repeat("a", 129): false, ".a": false, "_a": false, "-a": false, "@a": false,
		"..": false, "a..": false, "a..b": false, "a/b": false, "/": false, "a b": false, " a": false, "a ": false,
		"a\n": false, "a\x00": false, "a*": false, "a+b": false, "ä": false, "a\xff": false, "%2e": false, "ａ": false,
	} {
		if got := record.ValidName(s); got != want {
			t.Errorf("%q is a name: %v", s, got)
		}
		if err := record.CheckName("owner", s); isMistake(err) == want || !want && !strings.HasPrefix(err.Error(), "owner ") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestWhatIsText(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s  string
		ok bool
	}{
		"nothing":                    {"", true},
		"as much as is allowed":      {strings.Repeat("x", 20), true},
		"letters of any script":      {"naïve 鍵", true},
		"a byte too much":            {strings.Repeat("x", 21), false},
		"a rune too much, in bytes":  {strings.Repeat("é", 11), false},
		"a line break":               {"a\nb", false},
		"a tab":                      {"a\tb", false},
		"a zero byte":                {"a\x00b", false},
		"an escape":                  {"\x1b[2J", false},
		"a bell of the second block": {"a\u0085b", false},
		"a change of direction":      {"a\u202eb", false},
		"a space of no width":        {"a\u200bb", false},
		"broken UTF-8":               {"a\xc3", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := record.CheckText("label", tc.s, 20)
			if isMistake(err) == tc.ok {
				t.Errorf("it answered %v", err)
			}
		})
	}
}

func TestWhatIsMetadata(t *testing.T) {
	t.Parallel()
	many := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(i)] = "v"
		}
		return m
	}
	for name, tc := range map[string]struct {
		pairs map[string]string
		ok    bool
	}{
		"none":                       {nil, true},
		"an empty value":             {map[string]string{"k": ""}, true},
		"32 pairs":                   {many(32), true},
		"33 pairs":                   {many(33), false},
		"a name of 64 bytes":         {map[string]string{strings.Repeat("k", 64): "v"}, true},
		"a name of 65 bytes":         {map[string]string{strings.Repeat("k", 65): "v"}, false},
		"an empty name":              {map[string]string{"": "v"}, false},
		"a name that cannot be seen": {map[string]string{"k\n": "v"}, false},
		"a value of 512 bytes":       {map[string]string{"k": strings.Repeat("v", 512)}, true},
		"a value of 513 bytes":       {map[string]string{"k": strings.Repeat("v", 513)}, false},
		"a value that is no UTF-8":   {map[string]string{"k": "\xff"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := record.CheckMetadata(tc.pairs); isMistake(err) == tc.ok {
				t.Errorf("it answered %v", err)
			}
		})
	}
}

func TestNoErrorRepeatsWhatItRefuses(t *testing.T) {
	t.Parallel()
	const canary = "CANARY\n"
	for name, err := range map[string]error{
		"a name":           record.CheckName("owner", canary),
		"a text":           record.CheckText("name", canary, 100),
		"a long text":      record.CheckText("name", canary, 1),
		"a metadata name":  record.CheckMetadata(map[string]string{canary: "v"}),
		"a metadata value": record.CheckMetadata(map[string]string{"k": canary}),
		"a scope":          record.CheckScopes("scopes", []string{canary}),
		"a prefix":         record.CheckPrefix("prefix", canary),
	} {
		if !isMistake(err) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimesAreShownInWholeSecondsOfUTC(t *testing.T) {
	t.Parallel()
	for at, want := range map[record.Time]string{0: "", 1: "1970-01-01T00:00:01Z", 1795342094: "2026-11-22T10:08:14Z"} {
		if got := at.String(); got != want {
			t.Errorf("%d is shown as %q", at, got)
		}
	}
	zone := time.FixedZone("east", 7200)
	if got := record.At(time.Date(2026, 11, 22, 12, 8, 14, 999_999_999, zone)).String(); got != "2026-11-22T10:08:14Z" {
		t.Errorf("a moment is shown as %q", got)
	}
	if !record.Time(0).Std().IsZero() {
		t.Error("never is a time")
	}
	if got := record.Time(100).Add(20).Sub(90); got != 30 {
		t.Errorf("100 + 20 - 90 is %d", got)
	}
	for d, want := range map[time.Duration]record.Seconds{0: 0, 999 * time.Millisecond: 0, time.Second: 1, 1999 * time.Millisecond: 1, time.Hour: 3600} {
		if got := record.InSeconds(d); got != want {
			t.Errorf("%s is %d seconds", d, got)
		}
	}
	if record.MaxSeconds.Std() != 10*365*24*time.Hour {
		t.Error("ten years do not fit a duration")
	}
}

func TestEachKindOfErrorKnowsItsStatusAlsoWhenWrapped(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		record.Mistake("m"): 400, record.Mistakef("m %d", 1): 400, record.ErrKeyNotFound: 404, record.ErrRoleNotFound: 404, record.ErrKeyEnded: 409, record.Busy("b"): 503,
	} {
		var told interface{ HTTPStatus() int }
		if !errors.As(fmt.Errorf("load: %w", err), &told) || told.HTTPStatus() != want {
			t.Errorf("%q is %v, not %d", err, told, want)
		}
	}
	if record.ErrKeyNotFound.Error() != "key not found" {
		t.Errorf("it says %q", record.ErrKeyNotFound)
	}
}
