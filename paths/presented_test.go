package paths

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Who found a key in a file has it with a line break, as vault write key=@file
// sends it, and must not take a typing mistake for 'this key is harmless'.
func TestAKeyWithWhiteSpaceAroundItIsAMistakeAtTheHoldersDoors(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.MaxDelegationDepth = 1 })
	text := key["key"].(string)
	for _, path := range []string{"rotate", "delegate", "revoke"} {
		for name, presented := range map[string]string{
			"a line break": text + "\n", "a line break of Windows": text + "\r\n", "a blank before": " " + text, "a tab": text + "\t",
			"a no-break space": text + "\u00a0", "blanks alone": "  ", "around what is no key": "no key ",
		} {
			if status := sv.coded(t, logical.UpdateOperation, path, params{"key": presented}); status != http.StatusBadRequest {
				t.Errorf("%s with %s: %d", path, name, status)
			}
		}
		if status := sv.coded(t, logical.UpdateOperation, path, params{"key": text[:20] + "\n" + text[20:]}); status != http.StatusNotFound {
			t.Errorf("%s with a line break inside: %d", path, status)
		}
	}
	for _, path := range []string{"verify", "verify/web"} {
		if got := sv.must(t, logical.UpdateOperation, path, params{"key": text + "\n"}).Data; got["code"] != "invalid" || len(got) != 3 {
			t.Errorf("%s answers %v", path, got)
		}
	}
	if got := sv.must(t, logical.UpdateOperation, "authorize", params{"key": text + "\n"}).Data[logical.HTTPStatusCode]; got != http.StatusUnauthorized {
		t.Errorf("authorize answers %v", got)
	}
	if got := sv.must(t, logical.UpdateOperation, "verify", params{"key": text}).Data["code"]; got != "valid" {
		t.Errorf("the key is %v after all that", got)
	}
}
