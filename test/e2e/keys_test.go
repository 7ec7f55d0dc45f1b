package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestAnUpdateAnswersWhatAReadShowsAndKeepsWhatIsNotSent(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false, "allowed_scopes": []string{"read:*", "write:*"}})
	k := e.issue(t, "web", fields{"owner": "acme", "name": "ci", "scopes": []string{"read:users", "write:users"}, "metadata": fields{"a": "1"}})
	before := e.Read(t, "keys/"+k.ID)

	changed := e.Write(t, "keys/"+k.ID, fields{
		"name": "", "metadata": fields{"b": "2"}, "scopes": []string{"read:users"}, "bound_cidrs": []string{"192.0.2.0/24"},
	})
	wantKeyRead(t, "update", changed)
	wantSame(t, "a read after the update", e.Read(t, "keys/"+k.ID), changed)
	surface.WantFields(t, "update", changed, fields{
		"name": "", "metadata": fields{"b": "2"}, "scopes": []string{"read:users"}, "bound_cidrs": []string{"192.0.2.0/24"},
	})
	for name := range readShape {
		if !slices.Contains([]string{"name", "metadata", "scopes", "bound_cidrs"}, name) {
			surface.WantFields(t, "what was not sent", changed, fields{name: before[name]})
		}
	}
	from := fields{"client_ip": "192.0.2.9"}
	e.WantCode(t, "ip_denied", k.Text)
	e.WantCode(t, "insufficient_scope", k.Text, from, fields{"scopes": []string{"write:users"}})

	disabled := e.Write(t, "keys/"+k.ID, fields{"disabled": true})
	surface.WantFields(t, "update", disabled, fields{"disabled": true, "status": "disabled", "scopes": []string{"read:users"}})
	e.WantCode(t, "disabled", k.Text, from)
	e.Write(t, "keys/"+k.ID, fields{"disabled": false, "metadata": fields{}, "bound_cidrs": []string{}})
	d := e.WantCode(t, "valid", k.Text)
	surface.WantFields(t, "verify", d, fields{"metadata": fields{}, "scopes": []string{"read:users"}, "owner": "acme"})

	// What was read can be written back.
	now := e.Read(t, "keys/"+k.ID)
	same := fields{}
	for _, name := range []string{"name", "metadata", "scopes", "bound_cidrs", "disabled"} {
		same[name] = now[name]
	}
	wantSame(t, "writing back what was read", e.Write(t, "keys/"+k.ID, same), now)
	for _, name := range []string{"key_id", "owner", "role", "ttl", "expires_at", "created_at", "version", "status", "revoked_at", "key", "hint"} {
		body := fields{name: "x"}
		e.Refused(t, 400, "keys/"+k.ID, body, name)
	}
	e.Refused(t, 400, "keys/"+k.ID, fields{"scopes": []string{"delete:users"}}, "allowed_scopes")
	e.Write(t, "revoke/"+k.ID, nil)
	e.Refused(t, 409, "keys/"+k.ID, fields{"name": "x"})
}

func TestADeletedKeyIsGoneAndDeletingTwiceIsNoError(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{})
	k := e.issue(t, "web", fields{"owner": "acme"})
	for range 2 {
		e.Want(t, 204, "DELETE", "keys/"+k.ID, nil)
		e.WantCode(t, "invalid", k.Text)
		e.Want(t, 404, "GET", "keys/"+k.ID, nil)
		e.Want(t, 404, "LIST", "keys", nil)
		e.Want(t, 404, "LIST", "owners/acme/keys", nil)
	}
	e.Want(t, 204, "DELETE", "keys/nonsense", nil)
	// Its lease ends without trouble.
	e.endLease(t, k.Lease)
}

func TestAnOwnersDoorsReachItsKeysAndNoOther(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false, "allowed_scopes": []string{"*"}})
	mine, foreign, nobodys := e.issue(t, "web", fields{"owner": "acme"}), e.issue(t, "web", fields{"owner": "umbrella"}), e.issue(t, "web", nil)
	own := "owners/acme/keys/"

	for _, k := range []key{foreign, nobodys} {
		before := e.Read(t, "keys/"+k.ID)
		e.Want(t, 404, "GET", own+k.ID, nil)
		e.Refused(t, 404, own+k.ID, fields{"disabled": true}, "key not found")
		e.Refused(t, 404, own+k.ID+"/rotate", nil, "key not found")
		e.Refused(t, 404, own+k.ID+"/revoke", fields{"reason": "mine"}, "key not found")
		e.Want(t, 204, "DELETE", own+k.ID, nil)
		wantSame(t, "a foreign key after all that", e.Read(t, "keys/"+k.ID), before)
		e.WantCode(t, "valid", k.Text)
	}
	e.Refused(t, 400, own+mine.ID, fields{"owner": "umbrella"}, "owner")

	wantSame(t, "the owner's read", e.Read(t, own+mine.ID), e.Read(t, "keys/"+mine.ID))
	surface.WantFields(t, "the owner's update", e.Write(t, own+mine.ID, fields{"name": "renamed"}), fields{"name": "renamed"})
	next := e.Minted(t, own+mine.ID+"/rotate", fields{"grace_period": 0, "expected_version": 1})
	surface.WantFields(t, "the owner's rotation", next.Data, fields{"version": 2, "owner": "acme", "name": "renamed"})
	surface.WantFields(t, "the owner's revocation", e.Write(t, own+mine.ID+"/revoke", fields{"reason": "r"}), fields{"revoke_reason": "r"})
	e.WantCode(t, "revoked", next.Text)
	e.Want(t, 204, "DELETE", own+mine.ID, nil)
	e.WantCode(t, "invalid", next.Text)
	owners := e.Want(t, 200, "LIST", "owners", nil).Data()
	surface.WantFields(t, "owners", owners, fields{"keys": []string{"acme", "umbrella"}})
}

func TestListingPagesInOrderOfTheIds(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false, "rotation_period": "1h"})
	e.Want(t, 404, "LIST", "keys", nil)
	var ids, acmes []any
	for i := range 7 {
		k := e.issue(t, "web", fields{"owner": []string{"acme", "umbrella"}[i%2], "name": fmt.Sprint("n", i)})
		ids = append(ids, k.ID)
		if i%2 == 0 {
			acmes = append(acmes, k.ID)
		}
	}
	for _, l := range [][]any{ids, acmes} {
		slices.SortFunc(l, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	ended := ids[2].(string)
	e.Write(t, "revoke/"+ended, nil)

	for path, wanted := range map[string][]any{"keys": ids, "owners/acme/keys": acmes} {
		all := e.Want(t, 200, "LIST", path, nil)
		surface.WantFields(t, path, all.Data(), fields{"keys": wanted})
		if surface.Warnings(all) != "" {
			t.Errorf("%s: a list of all warns: %s", path, surface.Warnings(all))
		}
		info, _ := all.Data()["key_info"].(fields)
		if len(info) != len(wanted) {
			t.Errorf("%s: key_info has %d keys", path, len(info))
		}
		for _, id := range wanted {
			line, _ := info[id.(string)].(fields)
			wantShape(t, path, line, lineShape)
			read := e.Read(t, "keys/"+id.(string))
			for name := range lineShape {
				surface.WantFields(t, path, line, fields{name: read[name]})
			}
		}
		e.pageThrough(t, path, wanted)
	}
	e.Want(t, 404, "LIST", "owners/nobody/keys", nil)
	for _, bad := range []string{"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "after=a/b", "before=x"} {
		e.Want(t, 400, "LIST", "keys?"+bad, nil)
	}
}

// pageThrough reads a list as the command line does, two keys a page.
func (e engine) pageThrough(t *testing.T, path string, wanted []any) {
	t.Helper()
	var got []any
	arguments := []string{"apikeys/" + path, "list=true", "limit=2"}
	for {
		r := e.cli(t, "read", slices.Clone(arguments)...)
		page, _ := r.Data()["keys"].([]any)
		got = append(got, page...)
		last := page[len(page)-1].(string)
		more := len(got) < len(wanted)
		if warned := strings.Contains(surface.Warnings(r), "after="+last); warned != more {
			t.Errorf("%s: after %d of %d keys the warning is %q", path, len(got), len(wanted), surface.Warnings(r))
		}
		if arguments = append(arguments[:3], "after="+last); len(page) < 2 {
			break
		}
		if !more {
			// A full last page: the next one is Vault's own 404.
			if o := e.ExpectCLI(t, 2, "read", e.path(path), "list=true", "limit=2", "after="+last); !strings.Contains(o.Stderr, "No value found") {
				t.Errorf("%s: an empty page prints %q", path, o.Stderr)
			}
			break
		}
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("%s: the pages hold\n%v, wanted\n%v", path, got, wanted)
	}
	listed := decodedList(t, e.MustCLI(t, "list", "-format=json", e.path(path)))
	if !slices.Equal(listed, wanted) {
		t.Errorf("vault list of %s prints %v", path, listed)
	}
	// The id after which to go on need not exist.
	between := wanted[0].(string)[:15]
	r := e.Want(t, 200, "LIST", path+"?limit=1&after="+between, nil)
	surface.WantFields(t, path, r.Data(), fields{"keys": wanted[:1]})
}
