package paths

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// policy is metadata, scopes and networks of so many bytes together, each within
// its own bounds; scopes under this name.
func policy(bytes int, scopes string) params {
	metadata, granted, networks := params{}, []any{}, []any{}
	for i := range 20 {
		metadata[fmt.Sprintf("%08d", i)] = strings.Repeat("é", 248)
	}
	for i := range 50 {
		granted = append(granted, fmt.Sprintf("%0100d", i))
	}
	for i := range 100 {
		networks = append(networks, fmt.Sprintf("10.0.0.%d", 100+i))
	}
	metadata["rest"] = strings.Repeat("x", bytes-20*504-50*100-100*10-4)
	return params{"metadata": metadata, scopes: granted, "bound_cidrs": networks}
}

func TestWhatOneRecordHoldsIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	for path, scopes := range map[string]string{
		"issue/web": "scopes", "issue": "scopes", "delegate": "scopes", "keys/{id}": "scopes", "owners/acme/keys/{id}": "scopes",
		"roles/web": "allowed_scopes", "roles/new": "allowed_scopes",
	} {
		for bytes, ok := range map[int]bool{record.MaxPolicy: true, record.MaxPolicy + 1: false} {
			t.Run(fmt.Sprint(path, " ", bytes), func(t *testing.T) {
				t.Parallel()
				sv, key := issued(t)
				sv.role(t, "web", func(r *record.Role) {
					r.AllowedScopes, r.MaxDelegationDepth = []string{"*"}, 1
					r.OwnerMayWiden = []string{"scopes", "bound_cidrs", "metadata"}
				})
				id := key["key_id"].(string)
				sv.must(t, logical.UpdateOperation, "keys/"+id, params{"scopes": "*"})
				data := policy(bytes, scopes)
				switch path {
				case "issue":
					data["role"] = "web"
				case "delegate":
					data["key"] = key["key"]
				case "roles/new", "roles/web":
					data["default_scopes"] = []any{}
				}
				read := func() any {
					return sv.must(t, logical.ReadOperation, "keys/"+id, nil).Data
				}
				before := read()
				got := sv.coded(t, logical.UpdateOperation, strings.Replace(path, "{id}", id, 1), data)
				if (got == http.StatusOK) != ok || !ok && got != http.StatusBadRequest {
					t.Errorf("%d bytes are answered %d", bytes, got)
				}
				if !ok && !reflect.DeepEqual(read(), before) {
					t.Error("it is refused and has changed the key")
				}
			})
		}
	}
}

// Fields that were in bounds alone must not pass the bound one after the other.
func TestABoundInBytesHoldsOverSeveralWrites(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.AllowedScopes = []string{"*"} })
	whole := policy(record.MaxPolicy+1, "scopes")
	path := "keys/" + key["key_id"].(string)
	var refused int
	for _, field := range []string{"metadata", "scopes", "bound_cidrs"} {
		if sv.coded(t, logical.UpdateOperation, path, params{field: whole[field]}) == http.StatusBadRequest {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d of three writes were refused", refused)
	}
	if got := sv.coded(t, logical.UpdateOperation, path, params{"name": "x", "disabled": true}); got != http.StatusOK {
		t.Errorf("a full key cannot be disabled: %d", got)
	}
}

func TestATokensLongNameIsCut(t *testing.T) {
	t.Parallel()
	sv, _ := issued(t)
	resp, err := sv.send(t, params{}, &logical.Request{Operation: logical.UpdateOperation, Path: "issue/web", DisplayName: strings.Repeat("n", 1<<20)})
	if err != nil || resp.IsError() {
		t.Fatalf("%v, %v", resp, err)
	}
	if by := resp.Data["created_by"].(map[string]any)["display_name"]; by != strings.Repeat("n", 256) {
		t.Errorf("it is kept with %d bytes", len(by.(string)))
	}
}
