package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestAnUpdateAnswersWhatAReadShowsAndKeepsWhatIsNotSent(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false, "allowed_scopes": []string{"read:*", "write:*"}})
	k := e.issue(t, "web", fields{"owner": "acme", "name": "ci", "scopes": []string{"read:users", "write:users"}, "metadata": fields{"a": "1"}})
	before := e.read(t, "keys/"+k.id)

	changed := e.write(t, "keys/"+k.id, fields{
		"name": "", "metadata": fields{"b": "2"}, "scopes": []string{"read:users"}, "bound_cidrs": []string{"192.0.2.0/24"},
	})
	wantKeyRead(t, "update", changed)
	wantSame(t, "a read after the update", e.read(t, "keys/"+k.id), changed)
	wantFields(t, "update", changed, fields{
		"name": "", "metadata": fields{"b": "2"}, "scopes": []string{"read:users"}, "bound_cidrs": []string{"192.0.2.0/24"},
	})
	for name := range readShape {
		if !slices.Contains([]string{"name", "metadata", "scopes", "bound_cidrs"}, name) {
			wantFields(t, "what was not sent", changed, fields{name: before[name]})
		}
	}
	from := fields{"client_ip": "192.0.2.9"}
	e.wantCode(t, "ip_denied", k.text)
	e.wantCode(t, "insufficient_scope", k.text, from, fields{"scopes": []string{"write:users"}})

	disabled := e.write(t, "keys/"+k.id, fields{"disabled": true})
	wantFields(t, "update", disabled, fields{"disabled": true, "status": "disabled", "scopes": []string{"read:users"}})
	e.wantCode(t, "disabled", k.text, from)
	e.write(t, "keys/"+k.id, fields{"disabled": false, "metadata": fields{}, "bound_cidrs": []string{}})
	d := e.wantCode(t, "valid", k.text)
	wantFields(t, "verify", d, fields{"metadata": fields{}, "scopes": []string{"read:users"}, "owner": "acme"})

	// What was read can be written back.
	now := e.read(t, "keys/"+k.id)
	same := fields{}
	for _, name := range []string{"name", "metadata", "scopes", "bound_cidrs", "disabled"} {
		same[name] = now[name]
	}
	wantSame(t, "writing back what was read", e.write(t, "keys/"+k.id, same), now)
	for _, name := range []string{"key_id", "owner", "role", "ttl", "expires_at", "created_at", "version", "status", "revoked_at", "key", "hint"} {
		body := fields{name: "x"}
		e.refused(t, 400, "keys/"+k.id, body, name)
	}
	e.refused(t, 400, "keys/"+k.id, fields{"scopes": []string{"delete:users"}}, "allowed_scopes")
	e.write(t, "revoke/"+k.id, nil)
	e.refused(t, 409, "keys/"+k.id, fields{"name": "x"})
}

func TestADeletedKeyIsGoneAndDeletingTwiceIsNoError(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{})
	k := e.issue(t, "web", fields{"owner": "acme"})
	for range 2 {
		e.ask(t, 204, "DELETE", "keys/"+k.id, nil)
		e.wantCode(t, "invalid", k.text)
		e.ask(t, 404, "GET", "keys/"+k.id, nil)
		e.ask(t, 404, "LIST", "keys", nil)
		e.ask(t, 404, "LIST", "owners/acme/keys", nil)
	}
	e.ask(t, 204, "DELETE", "keys/nonsense", nil)
	// Its lease ends without trouble.
	e.endLease(t, k.lease)
}

func TestAnOwnersDoorsReachItsKeysAndNoOther(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false, "allowed_scopes": []string{"*"}})
	mine, foreign, nobodys := e.issue(t, "web", fields{"owner": "acme"}), e.issue(t, "web", fields{"owner": "umbrella"}), e.issue(t, "web", nil)
	own := "owners/acme/keys/"

	for _, k := range []key{foreign, nobodys} {
		before := e.read(t, "keys/"+k.id)
		e.ask(t, 404, "GET", own+k.id, nil)
		e.refused(t, 404, own+k.id, fields{"disabled": true}, "key not found")
		e.refused(t, 404, own+k.id+"/rotate", nil, "key not found")
		e.refused(t, 404, own+k.id+"/revoke", fields{"reason": "mine"}, "key not found")
		e.ask(t, 204, "DELETE", own+k.id, nil)
		wantSame(t, "a foreign key after all that", e.read(t, "keys/"+k.id), before)
		e.wantCode(t, "valid", k.text)
	}
	e.refused(t, 400, own+mine.id, fields{"owner": "umbrella"}, "owner")

	wantSame(t, "the owner's read", e.read(t, own+mine.id), e.read(t, "keys/"+mine.id))
	wantFields(t, "the owner's update", e.write(t, own+mine.id, fields{"name": "renamed"}), fields{"name": "renamed"})
	next := e.minted(t, own+mine.id+"/rotate", fields{"grace_period": 0, "expected_version": 1})
	wantFields(t, "the owner's rotation", next.data, fields{"version": 2, "owner": "acme", "name": "renamed"})
	wantFields(t, "the owner's revocation", e.write(t, own+mine.id+"/revoke", fields{"reason": "r"}), fields{"revoke_reason": "r"})
	e.wantCode(t, "revoked", next.text)
	e.ask(t, 204, "DELETE", own+mine.id, nil)
	e.wantCode(t, "invalid", next.text)
	owners := e.ask(t, 200, "LIST", "owners", nil).Data()
	wantFields(t, "owners", owners, fields{"keys": []string{"acme", "umbrella"}})
}

func TestListingPagesInOrderOfTheIds(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"generate_lease": false, "rotation_period": "1h"})
	e.ask(t, 404, "LIST", "keys", nil)
	var ids, acmes []any
	for i := range 7 {
		k := e.issue(t, "web", fields{"owner": []string{"acme", "umbrella"}[i%2], "name": fmt.Sprint("n", i)})
		ids = append(ids, k.id)
		if i%2 == 0 {
			acmes = append(acmes, k.id)
		}
	}
	for _, l := range [][]any{ids, acmes} {
		slices.SortFunc(l, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	ended := ids[2].(string)
	e.write(t, "revoke/"+ended, nil)

	for path, wanted := range map[string][]any{"keys": ids, "owners/acme/keys": acmes} {
		all := e.ask(t, 200, "LIST", path, nil)
		wantFields(t, path, all.Data(), fields{"keys": wanted})
		if warnings(all) != "" {
			t.Errorf("%s: a list of all warns: %s", path, warnings(all))
		}
		info, _ := all.Data()["key_info"].(fields)
		if len(info) != len(wanted) {
			t.Errorf("%s: key_info has %d keys", path, len(info))
		}
		for _, id := range wanted {
			line, _ := info[id.(string)].(fields)
			wantShape(t, path, line, lineShape)
			read := e.read(t, "keys/"+id.(string))
			for name := range lineShape {
				wantFields(t, path, line, fields{name: read[name]})
			}
		}
		e.pageThrough(t, path, wanted)
	}
	e.ask(t, 404, "LIST", "owners/nobody/keys", nil)
	for _, bad := range []string{"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "after=a/b", "before=x"} {
		e.ask(t, 400, "LIST", "keys?"+bad, nil)
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
		if warned := strings.Contains(warnings(r), "after="+last); warned != more {
			t.Errorf("%s: after %d of %d keys the warning is %q", path, len(got), len(wanted), warnings(r))
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
	r := e.ask(t, 200, "LIST", path+"?limit=1&after="+between, nil)
	wantFields(t, path, r.Data(), fields{"keys": wanted[:1]})
}
