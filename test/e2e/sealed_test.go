package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// sealed are keys that are answered to recipients only, each of whom opens each.
type sealed struct {
	engine
	to    []opener.Opener
	texts search
}

func (s *sealed) recipients() (to []string) {
	for _, o := range s.to {
		to = append(to, o.Recipient)
	}
	return to
}

// open is the key of an answer, as each of the recipients reads it alone.
func (s *sealed) open(t *testing.T, what string, data fields) string {
	t.Helper()
	if _, clear := data["key"]; clear || fmt.Sprint(data["recipients"]) != fmt.Sprint(s.recipients()) {
		t.Errorf("%s is answered in clear: %t, to %v", what, clear, data["recipients"])
	}
	file, _ := data["sealed_key"].(string)
	text := s.to[0].Open(t, file)
	for _, o := range s.to[1:] {
		if o.Open(t, file) != text {
			t.Errorf("%s: not all open the same", what)
		}
	}
	s.texts.add(what, text)
	s.WantCode(t, "valid", text)
	return text
}

// live takes sealed keys through everything that answers a key. A key's text is presented where its holder must:
// to verify, and on the holder's paths.
func (s *sealed) live(t *testing.T) (lease string) {
	t.Helper()
	s.Write(t, "roles/leased", fields{"ttl": "1h", "max_delegation_depth": 1, "require_recipients": true})
	s.Write(t, "roles/free", fields{"generate_lease": false, "max_delegation_depth": 1})
	for _, role := range []string{"leased", "free"} {
		r := s.Expect(t, 200, "POST", s.path("issue/"+role), fields{"owner": "acme", "recipients": s.recipients()})
		id := r.Data()["key_id"].(string)
		text := s.open(t, "issue of "+role, r.Data())
		if role == "leased" {
			lease, _ = r.JSON["lease_id"].(string)
		}
		s.open(t, "delegate of "+role, s.Write(t, "delegate", fields{"key": text, "recipients": s.recipients()}))
		text = s.open(t, "the operator's rotation of "+role, s.Write(t, "rotate/"+id, nil))
		s.open(t, "the holder's rotation of "+role, s.Write(t, "rotate", fields{"key": text}))
		s.open(t, "the owner's rotation of "+role, s.Write(t, "owners/acme/keys/"+id+"/rotate", nil))
		wrapped := s.Expect(t, 200, "POST", s.path("rotate/"+id), nil, "X-Vault-Wrap-TTL: 60")
		token := wrapped.JSON["wrap_info"].(fields)["token"].(string)
		s.open(t, "a wrapped rotation of "+role, s.Expect(t, 200, "POST", "sys/wrapping/unwrap", nil, "X-Vault-Token: "+token).Data())
		s.Refused(t, 400, "rotate/"+id, fields{"recipients": []string{}}, "in clear again")
	}
	s.Refused(t, 400, "issue/leased", nil, "requires recipients")
	return lease
}

// TestASealedKeyIsInClearNowhere also where an audit device is told to show everything: what that shows of a sealed key is
// what its holder sends.
func TestASealedKeyIsInClearNowhere(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true, Audit: true})
	for name, to := range map[string][]opener.Opener{
		"X25519 and hardware": {opener.X25519(t), opener.Tagged(t), opener.X25519(t)},
		"post-quantum":        {opener.Hybrid(t), opener.TaggedHybrid(t)},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sealed{engine: mountedOn(t, server), to: to, texts: search{}}
			raw := t.TempDir() + "/raw.log"
			s.Expect(t, 204, "PUT", "sys/audit/"+s.Mount+"-raw", fields{"type": "file", "options": fields{"file_path": raw, "log_raw": "true"}})
			defer s.Expect(t, 204, "DELETE", "sys/audit/"+s.Mount+"-raw", nil)
			lease := s.live(t)

			audited, err := os.ReadFile(raw)
			if err != nil {
				t.Fatal(err)
			}
			shown := 0
			for line := range strings.Lines(string(audited)) {
				if strings.Contains(line, "AGE ENCRYPTED FILE") {
					shown++
					s.texts.wantNothing(t, "an answer in the raw audit log", []byte(line[strings.Index(line, `"response":`):]))
				}
			}
			if _, _, found := s.texts.find(audited); !found {
				t.Error("the search misses keys that their holders sent")
			}
			if shown < 10 {
				t.Errorf("the raw audit log shows %d sealed keys", shown)
			}
			s.texts.wantNothing(t, "the audit log", []byte(s.AuditLog(t)))
			s.texts.wantNothing(t, "the server's log", []byte(s.Log()))
			held := false
			s.WalkRaw(t, "", func(path string, value []byte) {
				held = held || path == "sys/expire/id/"+lease && bytes.Contains(value, []byte("AGE ENCRYPTED FILE"))
				s.texts.wantNothing(t, path, value)
			})
			if !held {
				t.Error("the lease does not hold the sealed form")
			}
		})
	}
}
