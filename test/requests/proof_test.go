package requests

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// constant is an answer without what differs from request to request: its id and the date.
func constant(r harness.Response) string {
	header := r.Header.Clone()
	header.Del("Date")
	var lines strings.Builder
	header.Write(&lines)
	return http.StatusText(r.Status) + "\n" + lines.String() + requestID.ReplaceAllString(string(r.Raw), "")
}

func TestEveryTextThatIsNotProvenGetsTheSameVerdict(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	texts := unproven(t, e, k)
	texts["a space before"], texts["a newline after"] = " "+k.Text, k.Text+"\n" // to rotate and revoke they are mistakes
	want := constant(e.Want(t, 200, "POST", "verify", fields{"key": "wanted"}))
	before := e.Stored(t)
	if !strings.Contains(want, `"data":{"code":"invalid","http_status":401,"valid":false}`) || !strings.Contains(want, `"warnings":null`) {
		t.Fatalf("an unproven key is answered with %s", want)
	}
	for reason, text := range texts {
		for _, path := range []string{"verify", "verify/web", "verify/admin", "verify/absent", "verify/..a"} {
			for _, more := range []fields{nil, {"scopes": []string{"read:x"}}, {"client_ip": "10.0.0.1"}} {
				body := fields{"key": text}
				for name, value := range more {
					body[name] = value
				}
				if got := constant(e.Ask(t, "POST", path, body)); got != want {
					t.Errorf("%s, to %s with %v:\n%s\nwanted\n%s", reason, path, more, got, want)
				}
			}
		}
		if strings.TrimSpace(text) != text {
			continue // HTTP takes white space off a header
		}
		if got := constant(e.Ask(t, "GET", "verify", nil, "X-API-Key: "+text)); got != want {
			t.Errorf("%s, in the header:\n%s\nwanted\n%s", reason, got, want)
		}
	}
	for _, path := range []string{"verify/admin", "verify/absent", "verify/..a"} {
		if got := constant(e.Ask(t, "POST", path, fields{"key": k.Text})); got != want {
			t.Errorf("a live key of another role, to %s:\n%s\nwanted\n%s", path, got, want)
		}
	}
	e.WantStored(t, before)
	e.WantCode(t, "valid", k.Text)
}

func TestRotateAndRevokeTellNothingAboutATextThatIsNotProven(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	texts := unproven(t, e, k)
	before := e.Stored(t)
	for path, more := range map[string][]fields{
		"rotate": {{}, {"grace_period": "9000h"}, {"ttl": "1h", "expected_version": 7}},
		"revoke": {{}, {"reason": "a test"}},
	} {
		for _, body := range more {
			body["key"] = "wanted"
			r := e.Want(t, 404, "POST", path, body)
			if !strings.Contains(r.Errors(), "key not found") {
				t.Errorf("%s: %s", path, r.Raw)
			}
			for reason, text := range texts {
				body["key"] = text
				if strings.TrimSpace(text) != text {
					wantRefused(t, e, 400, path, body, "white space")
				} else if got := constant(e.Ask(t, "POST", path, body)); got != constant(r) {
					t.Errorf("%s, %s:\n%s\nwanted\n%s", path, reason, got, constant(r))
				}
			}
		}
	}
	e.WantStored(t, before)
	e.WantCode(t, "valid", k.Text)
}

// mutations are what could be taken for a key by who reads it generously.
func mutations(k surface.Key) []string {
	text := k.Text
	swap := func(old, new string) string { return strings.Replace(text, old, new, 1) }
	at := len(text) - 30 // in the secret
	replaced := func(with string) string { return text[:at] + with + text[at+1:] }
	list := []string{
		" " + text, text + " ", text + "\n", "\n" + text, text + "\r\n", "\t" + text, text + "\t", text + "\x00", "\x00" + text, text[:at] + "\x00" + text[at:],
		"\ufeff" + text, text + "\u200b", text[:at] + "\u200b" + text[at:], text + "\u00a0", strings.ToUpper(text), strings.ToLower(text),
		swapCase(text, at), swapCase(text, 0), swap("vak", "VAK"), swap("vak", "vаk"), swap("_", "-"), swap("_", "__"), swap("_", ""), swap("_", "＿"), swap("_", "%5F"),
		"Bearer " + text, "bearer " + text, "X-API-Key: " + text, `"` + text + `"`, "'" + text + "'", text + "=", text + "==", text + "0", text + "_", "_" + text, "0" + text,
		text[1:], text[:len(text)-1], text + text, text + "," + text, text + ";", text + "#", "vak_" + text, replaced("\u0430"), replaced("０"), replaced("+"), replaced("/"),
		replaced("-"), replaced("_"), replaced(""), text[:at] + text[at+1:at+2] + text[at:at+1] + text[at+2:], text[:at] + text[at:at+1] + text[at:], strings.ReplaceAll(text, "_", "."),
		k.ID, text[:len("vak_")+16], text[:len(text)-6], text[:len(text)-17], reverse(text), `\u0076` + text[1:], "vak_" + k.ID + "_", "{{" + text + "}}", "$" + text,
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == text })
}

func swapCase(text string, at int) string {
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case c >= 'a' && c <= 'z':
			return text[:at] + strings.ToUpper(string(c)) + text[at+1:]
		case c >= 'A' && c <= 'Z':
			return text[:at] + strings.ToLower(string(c)) + text[at+1:]
		}
	}
	return text + "?"
}

func reverse(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}

func TestNothingButTheVeryKeyIsTakenForIt(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	e.WantCode(t, "valid", k.Text)
	before, pids := e.Stored(t), e.PluginPIDs(t)
	all := mutations(k)
	if len(all) < 40 {
		t.Fatalf("only %d mutations", len(all))
	}
	for _, text := range all {
		for _, path := range []string{"verify", "verify/web"} {
			r := e.Want(t, 200, "POST", path, fields{"key": text})
			if d := r.Data(); d["code"] != "invalid" || d["valid"] != false || len(d) != 3 {
				t.Errorf("%s of %q: %s", path, text, shown(r))
			}
		}
		for _, path := range []string{"rotate", "revoke"} {
			status, message := 404, "key not found"
			if strings.TrimSpace(text) != text {
				status, message = 400, "key has white space around it"
			}
			wantRefused(t, e, status, path, fields{"key": text}, message)
		}
	}
	for _, path := range []string{"verify", "verify/web", "rotate", "revoke"} {
		wantRefused(t, e, 400, path, fields{"key": ""}, "key must not be empty")
		wantRefused(t, e, 400, path, fields{}, `missing parameter "key"`)
		wantRefused(t, e, 400, path, nil, `missing parameter "key"`)
	}
	e.WantStored(t, before)
	wantSameProcess(t, e, pids)
	e.WantCode(t, "valid", k.Text)
}
