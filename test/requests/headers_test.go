package requests

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

var badAddresses = []string{
	"unknown", "1.2.3.4, 10.0.0.1", "1.2.3.4,10.0.0.1", "[::1]:80", "[::1]", "1.2.3.4:80", "fe80::1%eth0", "010.0.0.1", "10.0.0", "10.0.0.1/32", "10.0.0.0/8",
	" 10.0.0.1", "10.0.0.1 ", "10.0.0.1\n", "0x0a000001", "167772161", "10.0.0.256", "::ffff:10.0.0.1%1", "localhost", "-", "*", "10.0.0.1\x00", "１0.0.0.1", ":::", "_",
}

func TestAnAddressThatCannotBeParsedIsAMistakeWhateverTheKey(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	revoked := e.Issue(t, "web", "acme")
	e.Write(t, "revoke/"+revoked.ID, nil)
	for _, address := range badAddresses {
		for _, text := range []string{k.Text, revoked.Text, "x", strings.Repeat("x", 300)} {
			for _, path := range []string{"verify", "verify/web", "verify/absent"} {
				wantRefused(t, e, 400, path, fields{"key": text, "client_ip": address}, "client_ip")
			}
		}
	}
	for _, address := range []any{nil, "", 1, true, []string{"10.0.0.1"}, fields{}} {
		wantRefused(t, e, 400, "verify", fields{"key": "x", "client_ip": address}, "client_ip")
	}
}

func TestOnlyClientIPSaysWhereACallerIs(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/web", fields{"bound_cidrs": []string{"10.0.0.0/8", "127.0.0.0/8"}})
	k := e.Issue(t, "web", "acme")
	for _, header := range []string{"X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Client-IP: 10.0.0.1", "True-Client-IP: 10.0.0.1"} {
		for _, row := range []struct{ address, code string }{{"", "ip_denied"}, {"192.0.2.1", "ip_denied"}, {"::1", "ip_denied"}, {"10.2.3.4", "valid"}, {"::ffff:10.2.3.4", "valid"}} {
			body, query := fields{"key": k.Text}, ""
			if row.address != "" {
				body["client_ip"], query = row.address, "?client_ip="+row.address
			}
			r := e.Want(t, 200, "POST", "verify/web", body, header)
			if r.Data()["code"] != row.code {
				t.Errorf("from %q with %s: %v, wanted %s", row.address, header, r.Data()["code"], row.code)
			}
			r = e.Want(t, 200, "GET", "verify/web"+query, nil, header, "X-API-Key: "+k.Text)
			if r.Data()["code"] != row.code {
				t.Errorf("a read from %q with %s: %v, wanted %s", row.address, header, r.Data()["code"], row.code)
			}
		}
	}
}

func TestAReadTakesExactlyOneKeyFromTheHeader(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, path := range []string{"verify", "verify/web"} {
		for _, name := range []string{"X-API-Key", "x-api-key", "X-Api-Key"} {
			if d := e.Want(t, 200, "GET", path, nil, name+": "+k.Text).Data(); d["code"] != "valid" {
				t.Errorf("%s with %s: %v", path, name, d["code"])
			}
		}
		for _, row := range []struct {
			headers []string
			words   string
		}{
			{nil, "passthrough_request_headers"},
			{[]string{"X-API-Key:"}, "is empty"},
			{[]string{"X-API-Key: " + k.Text, "X-API-Key: " + k.Text}, "more than one"},
			{[]string{"X-API-Key: x", "X-API-Key: " + k.Text}, "more than one"},
			{[]string{"X-API-Key: " + k.Text, "X-API-Key:"}, "more than one"},
			{[]string{"Authorization: Bearer hvs.x", "Api-Key: " + k.Text}, "no header X-API-Key"},
		} {
			r := e.Ask(t, "GET", path, nil, row.headers...)
			if r.Status != 400 || !strings.Contains(r.Errors(), row.words) {
				t.Errorf("GET %s with %d headers: %d %s, wanted 400 with %q", path, len(row.headers), r.Status, shown(r), row.words)
			}
		}
		if d := e.Want(t, 200, "GET", path, nil, "X-API-Key: "+k.Text+","+k.Text).Data(); d["code"] != "invalid" {
			t.Errorf("two keys in one header: %v", d["code"])
		}
	}
	bare := surface.Engine{Server: e.Server, Mount: e.MountNew(t, harness.Mount{})}
	if r := bare.Want(t, 400, "GET", "verify", nil, "X-API-Key: "+k.Text); !strings.Contains(r.Errors(), "passthrough_request_headers") {
		t.Errorf("a mount that passes on no header: %s", shown(r))
	}
}

func TestAKeyInTheQueryIsRefusedUnlessTheMountAllowsIt(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, path := range []string{"verify?key=", "verify/web?key="} {
		r := e.Want(t, 400, "GET", path+k.Text, nil)
		if !strings.Contains(r.Errors(), "audit log") || strings.Contains(r.Errors(), k.Text) {
			t.Errorf("%s: %s", path, shown(r))
		}
		e.Want(t, 400, "GET", path+k.Text, nil, "X-API-Key: "+k.Text)
	}
	e.Write(t, "config", fields{"allow_key_in_query": true})
	for _, path := range []string{"verify?key=", "verify/web?key="} {
		if d := e.Want(t, 200, "GET", path+k.Text, nil).Data(); d["code"] != "valid" {
			t.Errorf("%s where it is allowed: %v", path, d["code"])
		}
		e.Want(t, 400, "GET", path, nil)
		e.Want(t, 400, "GET", path+k.Text, nil, "X-API-Key: "+k.Text)
		e.Want(t, 400, "GET", path+k.Text+"&key="+k.Text, nil)
	}
	// A write's query is nobody's: Vault does not read it.
	for _, path := range []string{"verify", "verify/web", "rotate", "revoke"} {
		r := e.Want(t, 400, "POST", path+"?key="+k.Text, fields{})
		if !strings.Contains(r.Errors(), `missing parameter "key"`) {
			t.Errorf("POST %s with a key in the query: %s", path, shown(r))
		}
		e.Want(t, 400, "POST", path, fields{}, "X-API-Key: "+k.Text)
	}
	e.Write(t, "config", fields{"allow_key_in_query": false})
	e.Want(t, 400, "GET", "verify?key="+k.Text, nil)
	e.WantCode(t, "valid", k.Text)
}
