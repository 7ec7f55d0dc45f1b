package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// changed is least with something else in one place.
func changed(t *testing.T, replace, by string, environment func(string) string) (Config, error) {
	t.Helper()
	if !strings.Contains(least, replace) {
		t.Fatalf("least has no %q", replace)
	}
	return Parse("gate.hcl", []byte(strings.Replace(least, replace, by, 1)), environment)
}

// TestAMistakeIsNamedOnceAndBeforeTheStart is of what would else be found out at the start, or never, and of what one
// mistake must not be taken for besides.
func TestAMistakeIsNamedOnceAndBeforeTheStart(t *testing.T) {
	t.Parallel()
	const socket = "\"unix\" {\n  address = \"s\""
	for name, tc := range map[string]struct {
		replace, by string
		says        string // all of it, or how it begins
	}{
		"YAML":                               {least, "mount: apikeys\n", "gate.hcl:1: this is no HCL: illegal char; write settings as mount ="},
		"single quotes":                      {`"apikeys"`, "'apikeys'", "gate.hcl:1: this is no HCL: illegal char; write settings as mount ="},
		"a listener's address twice":         {`address = "127.0.0.1:8280"`, "address = \"127.0.0.1:8280\"\n  address = \"127.0.0.1:8281\"", "gate.hcl:9: address is written twice, first in line 8; leave one of them"},
		"an empty mount":                     {`"apikeys"`, `""`, `gate.hcl:1: mount is empty`},
		"a mount as a block":                 {`mount = "apikeys"`, "mount \"x\" {\n}", "gate.hcl:1: mount is a setting, not a block; write mount = …"},
		"several addresses of Vault":         {`"http://127.0.0.1:8200"`, `["https://a", "https://b"]`, `gate.hcl:4: address must be written as address = "https://vault.example.com:8200"`},
		"a port of Vault's beyond all":       {`http://127.0.0.1:8200`, `https://vault:99999`, "gate.hcl:4: Vault's address is no URL"},
		"a token_file as a number":           {`"/dev/null"`, `1`, `gate.hcl:5: token_file must be written as token_file = "/run/vault-agent/token"`},
		"a token_file that is a directory":   {`"/dev/null"`, `"/dev"`, "gate.hcl:5: token_file is a directory; write the path of a file"},
		"a login without a kind":             {`token_file = "/dev/null"`, "auth {\n  }", `gate.hcl:5: there is no such auth; write auth "approle" or "kubernetes" { … }`},
		"a login's path with slashes":        {`token_file = "/dev/null"`, "auth \"kubernetes\" {\n    role = \"x\"\n    mount_path = \"/auth/k8s\"\n  }", "gate.hcl:7: mount_path must be a path without slashes at its ends"},
		"a namespace with a slash before":    {`token_file =`, "namespace = \"/team\"\n  token_file =", "gate.hcl:5: namespace must be the path of one"},
		"a socket's path that is too long":   {`"tcp" {` + "\n" + `  address = "127.0.0.1:8280"`, "\"unix\" {\n  address = \"/" + strings.Repeat("x", 107) + `"`, "gate.hcl:8: a socket's path has at most 107 bytes"},
		"an address from Forwarded":          {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  client_ip_from = \"Forwarded\"", "gate.hcl:9: client_ip_from must name a header that the gateway sets"},
		"telemetry where a listener is":      {"listener", "telemetry {\n  address = \"127.0.0.1:8280\"\n}\nlistener", "gate.hcl:8: telemetry and a listener have one address"},
		"a decision_log that is a directory": {`stale_grace =`, "decision_log = \"/dev\"\nstale_grace =", "gate.hcl:2: decision_log is a directory"},
		"a socket_mode without quotes":       {"\"tcp\" {\n  address = \"127.0.0.1:8280\"", socket + "\n  socket_mode = 0660", `gate.hcl:9: socket_mode must be written as socket_mode = "0660"`},
		"a negative time":                    {`"0s"`, `"-1s"`, `gate.hcl:2: stale_grace must be a time like "10s", "5m" or "1h"`},
		"a number of hops as text":           {`"127.0.0.1:8280"`, "\"127.0.0.1:8280\"\n  client_ip_from = \"X-Forwarded-For\"\n  trusted_hops = \"1\"", "gate.hcl:10: trusted_hops must be written as trusted_hops = 1"},
	} {
		_, err := changed(t, tc.replace, tc.by, nothingSet)
		if says := fmt.Sprint(err); !strings.HasPrefix(says, tc.says) || strings.Contains(says, "\n") {
			t.Errorf("of %s it says %s", name, says)
		}
	}
}

// TestADecisionLogIsAFileOrADevice has a log that nobody reads, which would hold the gate up where it is opened.
func TestADecisionLogIsAFileOrADevice(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := errors.Join(os.WriteFile(at("file"), nil, 0o600), syscall.Mkfifo(at("fifo"), 0o600), os.Symlink(at("fifo"), at("link"))); err != nil {
		t.Fatal(err)
	}
	for path, refused := range map[string]bool{
		at("fifo"): true, at("link"): true, at("socket"): true,
		at("file"): false, at("new"): false, "/dev/null": false,
	} {
		_, err := changed(t, `stale_grace =`, fmt.Sprintf("decision_log = %q\nstale_grace =", path), nothingSet)
		if says := fmt.Sprint(err); refused != strings.HasPrefix(says, "gate.hcl:2: decision_log is neither a file nor a device") {
			t.Errorf("of %s it says %s", path, says)
		}
	}
	// In a container standard error is a pipe, with a reader.
	read, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer pipe.Close()
	before := os.Stderr
	os.Stderr = pipe
	defer func() { os.Stderr = before }()
	if _, err := changed(t, `stale_grace =`, fmt.Sprintf("decision_log = \"/proc/self/fd/%d\"\nstale_grace =", pipe.Fd()), nothingSet); err != nil {
		t.Errorf("of its own standard error it says %v", err)
	}
}

func TestWhatIsAllowedAndShouldBeKnownIsWarnedOf(t *testing.T) {
	t.Parallel()
	const tcp = "\"tcp\" {\n  address = \"127.0.0.1:8280\""
	for name, tc := range map[string]struct{ replace, by, level, warns string }{
		"a socket for everyone":                {tcp, "\"unix\" {\n  address = \"s\"\n  socket_mode = \"0666\"", "", "socket_mode lets every user of this machine ask"},
		"a socket for a group":                 {tcp, "\"unix\" {\n  address = \"s\"\n  socket_mode = \"0660\"", "DEBUG", ""},
		"a decision_log in no directory":       {`stale_grace =`, "decision_log = \"/nowhere/d.json\"\nstale_grace =", "", "the directory of decision_log is not there"},
		"a level of the log that there is not": {`stale_grace =`, "stale_grace =", "loud", "VAULT_LOG_LEVEL is none of trace, debug"},
	} {
		c, err := changed(t, tc.replace, tc.by, func(variable string) string { return map[string]string{"VAULT_LOG_LEVEL": tc.level}[variable] })
		if got := strings.Join(c.Warnings, "\n"); err != nil || !strings.HasPrefix(got, tc.warns) || tc.warns == "" && got != "" {
			t.Errorf("of %s it warns %q, %v", name, got, err)
		}
	}
}

// A socket is there and cannot be read, by whoever it is.
func TestAFileThatIsThereAndCannotBeReadIsWarnedOf(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Parse("gate.hcl", []byte(strings.Replace(least, "/dev/null", file, 1)), nothingSet)
	if err != nil || len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "token_file is not there yet, or cannot be read") {
		t.Errorf("it warns of %q, %v", c.Warnings, err)
	}
}
