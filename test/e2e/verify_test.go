package e2e

import (
	"bytes"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestVerifyAnswersEveryFieldOfAProvenKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{
		"generate_lease": false, "allowed_scopes": []string{"read:*"}, "default_scopes": []string{"read:*"},
		"metadata": fields{"tier": "gold", "env": "prod"}, "bound_cidrs": []string{"10.0.0.0/8"},
	})
	k := e.issue(t, "web", fields{"owner": "acme", "name": "ci", "metadata": fields{"env": "test"}, "bound_cidrs": []string{"10.1.0.0/16"}})
	inside := fields{"client_ip": "10.1.2.3"}

	d := e.WantCode(t, "valid", k.Text, inside)
	wantShape(t, "valid", d, verifyShape)
	surface.WantFields(t, "valid", d, fields{
		"key_id": k.ID, "version": 1, "role": "web", "owner": "acme", "name": "ci", "scopes": []string{"read:*"},
		"metadata": fields{"env": "test", "tier": "gold"}, "expires_at": k.Data["expires_at"], "rotation_due": false,
		"superseded": false, "valid_until": "",
	})
	e.WantCode(t, "valid", k.Text, fields{"client_ip": "::ffff:10.1.2.3"})
	e.WantCode(t, "ip_denied", k.Text)
	e.WantCode(t, "ip_denied", k.Text, fields{"client_ip": "10.2.0.1"})
	wantShape(t, "ip_denied", e.WantCode(t, "ip_denied", k.Text, fields{"client_ip": "2001:db8::1"}), verifyShape)
	e.WantCode(t, "valid", k.Text, inside, fields{"scopes": "read:users,read:orders:42"})
	d = e.WantCode(t, "insufficient_scope", k.Text, inside, fields{"scopes": []string{"write:users", "read:users", "read"}})
	wantShape(t, "insufficient_scope", d, verifyShape.with(shape{"missing_scopes": aList}))
	surface.WantFields(t, "insufficient_scope", d, fields{"missing_scopes": []string{"write:users", "read"}})
	e.Refused(t, 400, "verify", fields{"key": k.Text, "scopes": "re*d"}, "scopes")
	e.Refused(t, 400, "verify", fields{"key": k.Text, "scope": "read"}, "scope")
	e.Refused(t, 400, "verify", nil, "key")
	e.Refused(t, 400, "verify", fields{"key": ""}, "key")
}

func TestAKeyIsRefusedAtTheSecondOfItsExpiry(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	k := e.issue(t, "web", fields{"ttl": 2})
	end := surface.Moment(t, k.Data, "expires_at")
	for {
		before := time.Now()
		d := e.Verify(t, k.Text)
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
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+k.ID), fields{"status": "expired", "revoked_at": ""})
	e.Refused(t, 409, "rotate/"+k.ID, nil)
	e.Refused(t, 409, "rotate", fields{"key": k.Text})
	e.Refused(t, 409, "keys/"+k.ID, fields{"name": "x"})
}

func TestAKeyInItsHeaderNeedsExactlyOne(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", nil)
	k := e.issue(t, "web", nil)
	for what, headers := range map[string][]string{
		"none": nil, "an empty one": {"X-API-Key:"}, "two": {"X-API-Key: " + k.Text, "X-API-Key: " + k.Text},
	} {
		if r := e.API(t, "GET", e.path("verify"), nil, headers...); r.Status != 400 || bytes.Contains(r.Raw, []byte(k.Text)) {
			t.Errorf("%s: answered %d", what, r.Status)
		}
	}
	d := e.Expect(t, 200, "GET", e.path("verify/web?scopes=read:users"), nil, "x-api-key: "+k.Text).Data()
	surface.WantFields(t, "verify", d, fields{"code": "insufficient_scope"})
}
