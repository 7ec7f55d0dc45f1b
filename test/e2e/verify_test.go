package e2e

import (
	"bytes"
	"testing"
	"time"
)

func TestVerifyAnswersEveryFieldOfAProvenKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{
		"generate_lease": false, "allowed_scopes": []string{"read:*"}, "default_scopes": []string{"read:*"},
		"metadata": fields{"tier": "gold", "env": "prod"}, "bound_cidrs": []string{"10.0.0.0/8"},
	})
	k := e.issue(t, "web", fields{"owner": "acme", "name": "ci", "metadata": fields{"env": "test"}, "bound_cidrs": []string{"10.1.0.0/16"}})
	inside := fields{"client_ip": "10.1.2.3"}

	d := e.wantCode(t, "valid", k.text, inside)
	wantShape(t, "valid", d, verifyShape)
	wantFields(t, "valid", d, fields{
		"key_id": k.id, "version": 1, "role": "web", "owner": "acme", "name": "ci", "scopes": []string{"read:*"},
		"metadata": fields{"env": "test", "tier": "gold"}, "expires_at": k.data["expires_at"], "rotation_due": false,
		"superseded": false, "valid_until": "",
	})
	e.wantCode(t, "valid", k.text, fields{"client_ip": "::ffff:10.1.2.3"})
	e.wantCode(t, "ip_denied", k.text)
	e.wantCode(t, "ip_denied", k.text, fields{"client_ip": "10.2.0.1"})
	wantShape(t, "ip_denied", e.wantCode(t, "ip_denied", k.text, fields{"client_ip": "2001:db8::1"}), verifyShape)
	e.wantCode(t, "valid", k.text, inside, fields{"scopes": "read:users,read:orders:42"})
	d = e.wantCode(t, "insufficient_scope", k.text, inside, fields{"scopes": []string{"write:users", "read:users", "read"}})
	wantShape(t, "insufficient_scope", d, verifyShape.with(shape{"missing_scopes": aList}))
	wantFields(t, "insufficient_scope", d, fields{"missing_scopes": []string{"write:users", "read"}})
	e.refused(t, 400, "verify", fields{"key": k.text, "scopes": "re*d"}, "scopes")
	e.refused(t, 400, "verify", fields{"key": k.text, "scope": "read"}, "scope")
	e.refused(t, 400, "verify", nil, "key")
	e.refused(t, 400, "verify", fields{"key": ""}, "key")
}

func TestWhatIsNotProvenIsDeniedByteForByteAlike(t *testing.T) {
	t.Parallel()
	e, other := mounted(t), mounted(t)
	for _, m := range []engine{e, other} {
		m.write(t, "roles/web", fields{"prefix": "acme", "generate_lease": false})
		m.write(t, "roles/app", nil)
	}
	k := e.issue(t, "web", nil)
	removed, foreign := e.issue(t, "web", nil), other.issue(t, "web", nil)
	e.ask(t, 204, "DELETE", "keys/"+removed.id, nil)

	changed := func(at int) string {
		b := []byte(k.text)
		if b[at]++; b[at] > 'y' || b[at] == ':' || b[at] == '[' {
			b[at] = 'a'
		}
		return string(b)
	}
	const wanted = `{"code":"invalid","http_status":401,"valid":false}`
	for what, c := range map[string]struct{ path, text string }{
		"nonsense":              {"verify", "nonsense"},
		"a wrong crc":           {"verify", changed(len(k.text) - 1)},
		"a wrong secret":        {"verify", changed(len(k.text) - 30)},
		"a wrong id":            {"verify", changed(8)},
		"a space before":        {"verify", " " + k.text},
		"a newline after":       {"verify", k.text + "\n"},
		"a removed key":         {"verify", removed.text},
		"another mount's":       {"verify", foreign.text},
		"another role's":        {"verify/app", k.text},
		"an unknown role's":     {"verify/nobody", k.text},
		"no role's name":        {"verify/..a", k.text},
		"more than a key holds": {"verify", string(bytes.Repeat([]byte("k"), 300))},
	} {
		r := e.ask(t, 200, "POST", c.path, fields{"key": c.text, "scopes": []string{"read"}})
		if !bytes.Contains(r.Raw, []byte(`"data":`+wanted+`,`)) {
			t.Errorf("%s: the answer is not the same as for all others: %s", what, r.Raw)
		}
		wantShape(t, what, r.Data(), invalidShape)
	}
	e.wantCode(t, "valid", k.text)
	other.wantCode(t, "valid", foreign.text)
}

func TestAKeyIsRefusedAtTheSecondOfItsExpiry(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false})
	k := e.issue(t, "web", fields{"ttl": 2})
	end := moment(t, k.data, "expires_at")
	for {
		before := time.Now()
		d := e.verify(t, k.text)
		after := time.Now()
		if d["valid"] == true && !before.Before(end) {
			t.Fatalf("the key is valid %s after its expiry", before.Sub(end))
		}
		if d["valid"] == false {
			if after.Before(end) || d["code"] != "expired" {
				t.Fatalf("the key answers %v, %s before its expiry", d["code"], end.Sub(after))
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	wantFields(t, "keys/:key_id", e.read(t, "keys/"+k.id), fields{"status": "expired", "revoked_at": ""})
	e.refused(t, 409, "rotate/"+k.id, nil)
	e.refused(t, 409, "rotate", fields{"key": k.text})
	e.refused(t, 409, "keys/"+k.id, fields{"name": "x"})
}

func TestAKeyInItsHeaderNeedsExactlyOne(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", nil)
	k := e.issue(t, "web", nil)
	for what, headers := range map[string][]string{
		"none": nil, "an empty one": {"X-API-Key:"}, "two": {"X-API-Key: " + k.text, "X-API-Key: " + k.text},
	} {
		if r := e.API(t, "GET", e.path("verify"), nil, headers...); r.Status != 400 || bytes.Contains(r.Raw, []byte(k.text)) {
			t.Errorf("%s: answered %d", what, r.Status)
		}
	}
	d := e.Expect(t, 200, "GET", e.path("verify/web?scopes=read:users"), nil, "x-api-key: "+k.text).Data()
	wantFields(t, "verify", d, fields{"code": "insufficient_scope"})
}
