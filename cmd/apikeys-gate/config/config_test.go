package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// whole is a configuration with all that there is.
const whole = `name          = "edge-1"
mount         = "team/apikeys"
roles         = ["web", "batch"]
max_staleness = "10s"
stale_grace   = "1h"
key_headers   = ["X-API-Key", "Authorization: Bearer"]
rate_share    = "auto"
vault {
  address    = "https://vault.example.com:8200"
  token_file = "/nowhere/token"
  namespace  = "team"
}
cold_timeout  = "500ms"
listener "unix" {
  address     = "/run/apikeys-gate/gate.sock"
  socket_mode = "0660"
}
listener "tcp" {
  address            = "0.0.0.0:8280"
  tls_cert_file      = "c.pem"
  tls_key_file       = "k.pem"
  tls_client_ca_file = "ca.pem"
  client_ip_from     = "x-forwarded-for"
  trusted_hops       = 2
}
telemetry {
  address = "127.0.0.1:9103"
}
decision_log = "decisions.json"
`

func nothingSet(string) string { return "" }

func TestAWholeConfigurationIsRead(t *testing.T) {
	t.Parallel()
	got, err := Parse("gate.hcl", []byte(whole), nothingSet)
	want := Config{
		Name: "edge-1", Mount: "team/apikeys", Roles: []string{"web", "batch"}, MaxStaleness: 10 * time.Second, StaleGrace: time.Hour,
		KeyHeaders: []KeyHeader{APIKey, Bearer}, RateShare: Share{Auto: true}, ColdTimeout: 500 * time.Millisecond,
		Vault: Vault{Address: "https://vault.example.com:8200", TokenFile: "/nowhere/token", Namespace: "team"},
		Listeners: []Listener{
			{Network: "unix", Address: "/run/apikeys-gate/gate.sock", Mode: 0o660, TrustedHops: 1},
			{Network: "tcp", Address: "0.0.0.0:8280", CertFile: "c.pem", KeyFile: "k.pem", ClientCAFile: "ca.pem", ClientIPFrom: "X-Forwarded-For", TrustedHops: 2},
		},
		Telemetry: "127.0.0.1:9103", DecisionLog: "decisions.json",
		Warnings: []string{"token_file is not there yet, or cannot be read: it is awaited"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it is %+v, %v", got, err)
	}
}

// least is a configuration with nothing that may be left out, in ten lines.
const least = `mount = "apikeys"
stale_grace = "0s"
vault {
  address = "http://127.0.0.1:8200"
  token_file = "/dev/null"
}
listener "tcp" {
  address = "127.0.0.1:8280"
}
`

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	t.Parallel()
	c, err := Parse("gate.hcl", []byte(least), nothingSet)
	if err != nil || c.Name == "" || c.MaxStaleness != 10*time.Second || c.StaleGrace != 0 || c.ColdTimeout != 2*time.Second || c.RateShare != (Share{Fraction: 1}) ||
		!reflect.DeepEqual(c.KeyHeaders, []KeyHeader{APIKey}) || c.Telemetry != "127.0.0.1:9102" || len(c.Warnings) != 0 || c.Roles != nil {
		t.Errorf("it is %+v, %v", c, err)
	}
}

func TestEachMistakeIsNamedWithItsLineAndWhatToWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		replace, by string // in least
		line        int
		says        string
	}{
		"no HCL":                          {`mount = "apikeys"`, `mount = `, 2, "this is no HCL"},
		"a brace that is not closed":      {"8280\"\n}", "8280\"\n", 10, "this is no HCL"},
		"an unknown setting":              {`stale_grace =`, "stale_gracee = \"0s\"\nstale_grace =", 2, "there is no setting stale_gracee here; write one of name, mount"},
		"an unknown setting of a block":   {`token_file`, "tls_skip_verify = true\n  token_file", 5, "there is no setting tls_skip_verify here; write one of address, allow_http"},
		"a secret as a name":              {`stale_grace =`, "Vak_1 = 1\nstale_grace =", 2, "there is no setting of that name here"},
		"a setting twice":                 {`stale_grace =`, "mount = \"b\"\nstale_grace =", 2, "mount is written twice, first in line 1"},
		"a block twice":                   {"listener", "vault {\n}\nlistener", 7, "vault is there twice, first in line 3"},
		"a block as a setting":            {"vault {", "vault = {", 3, "vault is a block; write vault { … } without a ="},
		"a block with a label":            {"vault {", `vault "x" {`, 3, "there is no such vault; write vault { … }"},
		"a setting as a block":            {`stale_grace = "0s"`, "stale_grace \"0s\" {\n}", 2, "stale_grace is a setting, not a block"},
		"an unknown listener":             {`listener "tcp"`, `listener "udp"`, 7, `there is no such listener; write listener "unix" or "tcp" { … }`},
		"a listener without a kind":       {`listener "tcp"`, `listener`, 7, `there is no such listener`},
		"no listener":                     {"listener \"tcp\" {\n  address = \"127.0.0.1:8280\"\n}\n", "", 1, `there is no listener; write listener "unix"`},
		"two of one address":              {"listener", "listener \"tcp\" {\n  address = \"127.0.0.1:8280\"\n}\nlistener", 10, "two listeners of one address"},
		"no mount":                        {`mount = "apikeys"`, ``, 1, `mount is missing; write mount = "apikeys"`},
		"a mount with a slash":            {`"apikeys"`, `"apikeys/"`, 1, "without a slash at its ends"},
		"an empty mount":                  {`"apikeys"`, `""`, 1, "mount is empty"},
		"a mount as a list":               {`"apikeys"`, `["apikeys"]`, 1, `mount must be written as mount = "apikeys"`},
		"a mount as a number":             {`"apikeys"`, `7`, 1, `mount must be written as mount = "apikeys"`},
		"a name that is none":             {`stale_grace =`, "name = \"a b\"\nstale_grace =", 2, "name"},
		"roles that are empty":            {`stale_grace =`, "roles = []\nstale_grace =", 2, `roles must be a list: write roles = ["web"], or leave it out`},
		"roles as text":                   {`stale_grace =`, "roles = \"web\"\nstale_grace =", 2, `roles must be a list`},
		"a role twice":                    {`stale_grace =`, "roles = [\"web\", \"web\"]\nstale_grace =", 2, "roles names web twice"},
		"a role that is no name":          {`stale_grace =`, "roles = [\"web\", \"..\"]\nstale_grace =", 2, "entry 2 of roles"},
		"no stale_grace":                  {`stale_grace = "0s"`, ``, 1, `stale_grace is missing and has no default; write stale_grace = "0s"`},
		"a stale_grace of two days":       {`"0s"`, `"48h"`, 2, "stale_grace must lie between 0s and 24h0m0s"},
		"a stale_grace without a unit":    {`"0s"`, `"soon"`, 2, `stale_grace must be a time like "10s"`},
		"a max_staleness of a second":     {`stale_grace =`, "max_staleness = \"1s\"\nstale_grace =", 2, "max_staleness must lie between 3s and 5m0s"},
		"a max_staleness beyond numbers":  {`stale_grace =`, "max_staleness = 99999999999999999999\nstale_grace =", 2, "too large a number"},
		"a cold_timeout of nothing":       {`stale_grace =`, "cold_timeout = 0\nstale_grace =", 2, "cold_timeout must lie between 100ms and 1m0s"},
		"another header":                  {`stale_grace =`, "key_headers = [\"Cookie\"]\nstale_grace =", 2, `write key_headers = ["X-API-Key", "Authorization: Bearer"]`},
		"a header twice":                  {`stale_grace =`, "key_headers = [\"X-API-Key\", \"x-api-key\"]\nstale_grace =", 2, "names X-Api-Key twice"},
		"a rate_share of nothing":         {`stale_grace =`, "rate_share = \"0\"\nstale_grace =", 2, `rate_share must be "1", a fraction`},
		"a rate_share above one":          {`stale_grace =`, "rate_share = 1.5\nstale_grace =", 2, `rate_share must be "1", a fraction`},
		"no address of Vault":             {`  address = "http://127.0.0.1:8200"`, ``, 3, "Vault's address is missing"},
		"an address without a scheme":     {`http://127.0.0.1:8200`, `vault:8200`, 4, "Vault's address is no URL"},
		"an address with a path":          {`http://127.0.0.1:8200`, `https://vault/v1`, 4, "Vault's address is no URL"},
		"http to another machine":         {`http://127.0.0.1:8200`, `http://vault:8200`, 4, "allow_http = true"},
		"no way to log in":                {`  token_file = "/dev/null"`, ``, 3, "there is no way to log in"},
		"two ways to log in":              {`  token_file`, "  auth \"kubernetes\" {\n    role = \"gate\"\n  }\n  token_file", 3, "more than one way to log in"},
		"an unknown way to log in":        {`  token_file = "/dev/null"`, "  auth \"userpass\" {\n  }", 5, `there is no such auth; write auth "approle" or "kubernetes"`},
		"an approle without a secret id":  {`  token_file = "/dev/null"`, "  auth \"approle\" {\n    role_id_file = \"r\"\n  }", 5, "secret_id_file is missing"},
		"a kubernetes without a role":     {`  token_file = "/dev/null"`, "  auth \"kubernetes\" {\n  }", 5, "role is missing"},
		"a listener off this machine":     {`127.0.0.1:8280`, `0.0.0.0:8280`, 8, "tls_disable = true"},
		"a listener on every address":     {`127.0.0.1:8280`, `:8280`, 8, "tls_disable = true"},
		"a listener without a port":       {`127.0.0.1:8280`, `127.0.0.1`, 8, "must be HOST:PORT"},
		"a listener on a port beyond":     {`127.0.0.1:8280`, `127.0.0.1:65536`, 8, "has no port from 0 to 65535"},
		"a listener without an address":   {`  address = "127.0.0.1:8280"`, ``, 7, `address is missing; write address = "127.0.0.1:8280"`},
		"a certificate without a key":     {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  tls_cert_file = \"c\"", 7, "write both"},
		"a client CA without TLS":         {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  tls_client_ca_file = \"c\"", 7, "needs tls_cert_file"},
		"TLS that is disabled":            {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  tls_cert_file = \"c\"\n  tls_key_file = \"k\"\n  tls_disable = true", 7, "leave one of them"},
		"a flag as text":                  {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  tls_disable = \"yes\"", 9, "tls_disable must be written as tls_disable = true"},
		"hops without a header":           {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  trusted_hops = 1", 9, "needs client_ip_from"},
		"no hop":                          {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  client_ip_from = \"X-Forwarded-For\"\n  trusted_hops = 0", 10, "trusted_hops must lie between 1"},
		"an address from a key's header":  {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  client_ip_from = \"X-API-Key\"", 9, "client_ip_from must name a header that the gateway sets"},
		"a socket_mode that is decimal":   {"\"tcp\" {\n  address = \"127.0.0.1:8280\"", "\"unix\" {\n  address = \"s\"\n  socket_mode = \"999\"", 9, "socket_mode must be octal"},
		"a socket that everybody may use": {"\"tcp\" {\n  address = \"127.0.0.1:8280\"", "\"unix\" {\n  address = \"@gate\"\n  socket_mode = \"0600\"", 8, "the listener's address must be a path"},
		"a socket that nobody can use":    {"\"tcp\" {\n  address = \"127.0.0.1:8280\"", "\"unix\" {\n  address = \"s\"\n  socket_mode = \"0066\"", 9, "socket_mode must be octal"},
		"a socket with a certificate":     {"\"tcp\" {\n  address = \"127.0.0.1:8280\"", "\"unix\" {\n  address = \"s\"\n  tls_cert_file = \"c\"", 9, "there is no setting tls_cert_file here"},
		"telemetry without a port":        {"listener", "telemetry {\n  address = \"127.0.0.1\"\n}\nlistener", 8, "telemetry's address must be HOST:PORT"},
		"a log with white space":          {`stale_grace =`, "decision_log = \" x\"\nstale_grace =", 2, "decision_log is empty or has white space around it"},
		"a text that escapes nothing":     {`"apikeys"`, `"a\q"`, 1, ""},
		"a heredoc that is not a setting": {`"apikeys"`, "<<A\nx\nA", 1, "mount"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(least, tc.replace) {
				t.Fatalf("least has no %q", tc.replace)
			}
			_, err := Parse("gate.hcl", []byte(strings.Replace(least, tc.replace, tc.by, 1)), nothingSet)
			if err == nil || !strings.Contains("\n"+err.Error(), fmt.Sprintf("\ngate.hcl:%d: ", tc.line)) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "Vak_1") {
				t.Errorf("it says %v, not %q in line %d", err, tc.says, tc.line)
			}
		})
	}
}

func TestAllMistakesAreToldAtOnceInTheOrderOfTheirLines(t *testing.T) {
	t.Parallel()
	_, err := Parse("gate.hcl", []byte("mount = \"a/\"\nfoo = 1\nrate_share = 2\n"), nothingSet)
	var lines []string
	for line := range strings.Lines(fmt.Sprint(err)) {
		lines = append(lines, strings.Split(line, ":")[1])
	}
	if !strings.HasPrefix(strings.Join(lines, ""), "111") || !strings.HasSuffix(strings.Join(lines, ""), "23") {
		t.Errorf("they are told as %v", err)
	}
}

func TestTheEnvironmentGoesBeforeTheFile(t *testing.T) {
	t.Parallel()
	set := map[string]string{"VAULT_ADDR": "https://other:8200", "VAULT_CACERT": "ca.pem", "VAULT_NAMESPACE": "ns", "VAULT_TOKEN": "t", "VAULT_SKIP_VERIFY": "1"}
	c, err := Parse("gate.hcl", []byte(least), func(name string) string { return set[name] })
	if err != nil || c.Vault.Address != "https://other:8200" || c.Vault.CACert != "ca.pem" || c.Vault.Namespace != "ns" || c.Vault.Token != "t" || !c.Vault.SkipVerify {
		t.Errorf("it is %+v, %v", c, err)
	}
	warned := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"VAULT_ADDR is set", "VAULT_SKIP_VERIFY is set", "VAULT_TOKEN is set"} {
		if !strings.Contains(warned, want) {
			t.Errorf("it warns of %q, and not that %s", c.Warnings, want)
		}
	}
	if len(c.Warnings) != 3 {
		t.Errorf("it warns of %q", c.Warnings)
	}
	for name, value := range map[string]string{"VAULT_ADDR": "http://other:8200", "VAULT_SKIP_VERIFY": "perhaps"} {
		if _, err := Parse("gate.hcl", []byte(least), func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		}); err == nil {
			t.Errorf("%s=%s is taken", name, value)
		}
	}
}

func TestThePolicyIsWhatIsNeededAndNoMore(t *testing.T) {
	t.Parallel()
	c := Config{Name: "edge-1", Mount: "team/apikeys", Roles: []string{"web"}}
	got := c.Policy()
	for _, path := range []string{"gate/changes", "gate/confirm", "gate/resolve/web", "gate/reserve/web", "gate/report/web"} {
		if !strings.Contains(got, "path \"team/apikeys/"+path+"\" {\n  capabilities = [\"update\"]\n}") {
			t.Errorf("%s is missing in:\n%s", path, got)
		}
	}
	if strings.Count(got, "path ") != 5 || strings.Contains(got, "+") {
		t.Errorf("it allows more:\n%s", got)
	}
	c.Roles = nil
	if got := c.Policy(); strings.Count(got, "path ") != 6 || !strings.Contains(got, `path "team/apikeys/gate/reserve/+"`) || !strings.Contains(got, `path "team/apikeys/gate/resolve" {`) {
		t.Errorf("for any role it is:\n%s", got)
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := Read(filepath.Join(t.TempDir(), "gate.hcl"), nothingSet); err == nil || !strings.Contains(err.Error(), "gate.hcl") {
		t.Errorf("it says %v", err)
	}
}

func TestWhatALoginNeedsMayComeLaterAndIsWarnedOf(t *testing.T) {
	t.Parallel()
	with := func(login string) []string {
		c, err := Parse("gate.hcl", []byte(strings.Replace(least, `token_file = "/dev/null"`, login, 1)), nothingSet)
		if err != nil {
			t.Fatal(err)
		}
		return c.Warnings
	}
	if got := with("auth \"approle\" {\n role_id_file = \"/dev/null\"\n secret_id_file = \"/nowhere/secret-id\"\n}"); len(got) != 1 || !strings.HasPrefix(got[0], "secret_id_file is not there yet") {
		t.Errorf("it warns of %q", got)
	}
}
