package requests

import (
	"net/url"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

var badNames = []string{
	".", "..", ".a", "-a", "_a", "@a", "a..b", "a b", " a", "a ", "a/b", "a\\b", "a\x00", "a\n", "a\r\nb", "a\t", "é", "а", "ａ", "a\u200b", "\ufeffa", "a+b", "a*", "*", "+",
	"a,b", "a:b", "a%b", "a{b}", "{{identity.entity.name}}", "a\"b", "a'b", "a;b", "a?b", "a#b", "a&b", "a=b", "~", "a~", "😀", strings.Repeat("a", 129), strings.Repeat("a", 4000),
}

var goodNames = []string{"a", "0", "A", "A.b_c@d-e", "a.b.c", "a--b", "a__b", "a@b.example", "Z9", "a.", "a-", strings.Repeat("a", 128)}

// onPaths are those with a name in them, and what a good name that nobody has is answered with.
var onPaths = []struct {
	method, path string
	body         any
	absent       int
}{
	{"POST", "issue/{}", fields{}, 404},
	{"GET", "roles/{}", nil, 404},
	{"LIST", "owners/{}/keys", nil, 404},
	{"GET", "owners/{}/keys/0000000000000000", nil, 404},
	{"POST", "owners/{}/keys/0000000000000000", fields{}, 404},
	{"POST", "owners/{}/keys/0000000000000000/rotate", fields{}, 404},
	{"POST", "owners/{}/keys/0000000000000000/revoke", fields{}, 404},
	{"GET", "keys/{}", nil, 404},
	{"POST", "keys/{}", fields{}, 404},
	{"POST", "rotate/{}", fields{}, 404},
	{"POST", "revoke/{}", fields{}, 404},
	{"DELETE", "roles/{}", nil, 204},
	{"DELETE", "keys/{}", nil, 204},
	{"DELETE", "owners/{}/keys/0000000000000000", nil, 204},
}

func TestANameOutsideTheGrammarIsRefusedInEveryPath(t *testing.T) {
	e := mounted(t)
	before := e.Stored(t)
	for _, name := range badNames {
		escaped := strings.ReplaceAll(url.PathEscape(name), "..", "%2e%2e")
		for _, row := range onPaths {
			r := e.Ask(t, row.method, strings.Replace(row.path, "{}", escaped, 1), row.body)
			ok := r.Status/100 == 4 || r.Status == row.absent || r.Status/100 == 3 // Vault sends on what it cleans
			if !ok {
				t.Errorf("%s %s with %q: %d: %s", row.method, row.path, name, r.Status, shown(r))
			}
		}
		if r := e.Ask(t, "POST", "roles/"+escaped, fields{}); r.Status/100 != 4 && r.Status/100 != 3 {
			t.Errorf("a role named %q: %d: %s", name, r.Status, shown(r))
		}
	}
	e.WantStored(t, before)
}

func TestANameOutsideTheGrammarIsRefusedInData(t *testing.T) {
	e := mounted(t)
	before := e.Stored(t)
	for _, name := range append(badNames, "") {
		wantRefused(t, e, 400, "issue", fields{"role": name}, "role")
		wantRefused(t, e, 400, "issue/web", fields{"owner": name}, "owner")
		wantRefused(t, e, 400, "issue", fields{"role": "web", "owner": name}, "owner")
	}
	e.WantStored(t, before)
}

func TestNamesOfTheGrammarAreTakenByteByByte(t *testing.T) {
	e := mounted(t)
	for _, row := range onPaths {
		for _, name := range goodNames {
			if r := e.Ask(t, row.method, strings.Replace(row.path, "{}", name, 1), row.body); r.Status != row.absent {
				t.Errorf("%s %s with %q: %d, wanted %d: %s", row.method, row.path, name, r.Status, row.absent, shown(r))
			}
		}
	}
	for _, name := range goodNames {
		e.Want(t, 200, "POST", "roles/"+name, fields{"generate_lease": false})
		k := e.Issue(t, name, name)
		if k.Role != name || k.Owner != name {
			t.Errorf("a key of %q has the role %q and the owner %q", name, k.Role, k.Owner)
		}
		e.Want(t, 200, "GET", "owners/"+name+"/keys/"+k.ID, nil)
		if d := e.Write(t, "verify/"+name, fields{"key": k.Text}); d["code"] != "valid" {
			t.Errorf("a key of the role %q is %v", name, d["code"])
		}
	}
	k := e.Issue(t, "a", "A")
	e.Want(t, 404, "GET", "owners/a/keys/"+k.ID, nil)
	if d := e.Write(t, "verify/A", fields{"key": k.Text}); d["code"] != "invalid" {
		t.Errorf("a key of the role a is %v to verify/A", d["code"])
	}
}

func TestUnderARoleThatIsNoneEveryKeyIsInvalid(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, name := range append([]string{"absent", "WEB", "admin"}, badNames...) {
		escaped := strings.ReplaceAll(url.PathEscape(name), "..", "%2e%2e")
		r := e.Ask(t, "POST", "verify/"+escaped, fields{"key": k.Text})
		if r.Status/100 == 5 || r.Data()["code"] != nil && r.Data()["code"] != "invalid" {
			t.Errorf("verify/%q: %d: %s", name, r.Status, shown(r))
		}
	}
}

// TestBytesThatAreNoUTF8StopBeforeThePlugin pins that Vault itself refuses them, with a status of its choice: they
// cannot cross to a plugin's process. No verdict comes of it, and nothing happens.
func TestBytesThatAreNoUTF8StopBeforeThePlugin(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	before, pids := e.Stored(t), e.PluginPIDs(t)
	for _, path := range []string{"issue/%ff", "roles/%ff", "verify/%ff", "rotate/%ff", "owners/%c0%ae/keys/" + k.ID} {
		if r := e.Ask(t, "POST", path, fields{}); r.Status < 400 || r.Data() != nil {
			t.Errorf("POST %s: %d: %s", path, r.Status, shown(r))
		}
	}
	if r := e.Ask(t, "GET", "verify", nil, "X-API-Key: "+k.Text+"\xff"); r.Status < 400 || r.Data() != nil || strings.Contains(string(r.Raw), k.ID) {
		t.Errorf("a header that is no UTF-8: %d: %s", r.Status, shown(r))
	}
	e.WantStored(t, before)
	wantSameProcess(t, e, pids)
}

func wantSameProcess(t *testing.T, e surface.Engine, before []int) {
	t.Helper()
	after := e.PluginPIDs(t)
	if len(before) != 1 || len(after) != 1 || before[0] != after[0] {
		t.Errorf("the plugin's processes were %v and are %v", before, after)
	}
}
