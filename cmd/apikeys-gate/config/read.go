package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/hcl/token"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/strict"
)

// Read reads the file at path. environment answers as os.Getenv does.
func Read(path string, environment func(name string) string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, text, environment)
}

// Parse reads a configuration. path stands in messages.
func Parse(path string, text []byte, environment func(name string) string) (Config, error) {
	f := &file{name: path}
	top := f.parse(text)
	if len(f.mistakes) > 0 {
		return Config{}, f.err()
	}
	var c Config
	top.identity(&c)
	top.freshness(&c)
	top.keyHeaders(&c)
	c.RateShare = top.share()
	c.ColdTimeout = top.duration("cold_timeout", 2*time.Second, 100*time.Millisecond, time.Minute)
	top.one("vault").vault(&c, environment)
	top.listeners(&c)
	top.telemetry(&c)
	top.decisionLog(&c)
	if level := environment("VAULT_LOG_LEVEL"); level != "" && !slices.Contains(levels, strings.ToLower(level)) {
		c.warn("VAULT_LOG_LEVEL is none of " + strings.Join(levels, ", ") + ": info is meant")
	}
	top.finish("name, mount, roles, max_staleness, stale_grace, key_headers, rate_share, cold_timeout, vault, listener, telemetry, decision_log")
	return c, f.err()
}

// levels are how much may be logged.
var levels = []string{"trace", "debug", "info", "warn", "error", "off"}

// decisionLog reads where decisions are noted. The file is made at the start, by the gate's own user.
func (b *block) decisionLog(c *Config) {
	file, line := b.text("decision_log", "/var/log/apikeys-gate/decisions.json")
	c.DecisionLog = file
	if file == "" {
		return
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		b.of.wrong(line, `decision_log is a directory; write decision_log = "/var/log/apikeys-gate/decisions.json"`)
	} else if err == nil && !writable(info) {
		b.of.wrong(line, `decision_log is neither a file nor a device, and to open it may hang; write decision_log = "/var/log/apikeys-gate/decisions.json"`)
	} else if _, err := os.Stat(filepath.Dir(file)); err != nil {
		c.warn("the directory of decision_log is not there: the gate does not make it, and does not start without it")
	}
}

// writable tells whether something can be opened to write lines into it, without having to wait for somebody. Of pipes
// those can that this process has already: /dev/stderr is one in a container.
func writable(info fs.FileInfo) bool {
	switch info.Mode().Type() {
	case 0, fs.ModeDevice | fs.ModeCharDevice:
		return true
	case fs.ModeNamedPipe:
		return slices.ContainsFunc([]*os.File{os.Stdout, os.Stderr}, func(own *os.File) bool {
			of, err := own.Stat()
			return err == nil && os.SameFile(info, of)
		})
	}
	return false
}

// segment is a part of a mount's path.
var segment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~@-]*$`)

// isPath tells whether a text is a path in Vault, without slashes at its ends.
func isPath(text string) bool {
	return !slices.ContainsFunc(strings.Split(text, "/"), func(s string) bool { return !segment.MatchString(s) })
}

func (b *block) identity(c *Config) {
	name, line := b.text("name", "edge-1")
	if name == "" {
		name, _ = os.Hostname()
	}
	if err := record.CheckName("name", name); err != nil {
		b.of.wrong(line, "%v; without a name it is the host's", err)
	}
	mount, line := b.text("mount", "apikeys")
	switch {
	case b.items["mount"] == nil:
		b.of.wrong(line, `mount is missing; write mount = "apikeys", the path at which the engine is mounted`)
	case mount != "" && !isPath(mount):
		b.of.wrong(line, `mount must be the path at which the engine is mounted, without a slash at its ends; write mount = "apikeys"`)
	}
	roles, line := b.texts("roles", "web")
	for i, role := range roles {
		if err := record.CheckName("role", role); err != nil {
			b.of.wrong(line, "entry %d of roles: %v", i+1, err)
		} else if slices.Contains(roles[:i], role) {
			b.of.wrong(line, "roles names %s twice", role)
		}
	}
	c.Name, c.Mount, c.Roles = name, mount, roles
}

func (b *block) freshness(c *Config) {
	c.MaxStaleness = b.duration("max_staleness", 10*time.Second, 3*time.Second, 5*time.Minute)
	// Neither answer is right for everyone, and a default would be read as advice.
	if b.items["stale_grace"] == nil {
		b.taken["stale_grace"] = true
		b.of.wrong(b.line, `stale_grace is missing and has no default; write stale_grace = "0s" to refuse all keys once nothing was heard from Vault for max_staleness, or for how long after that keys that are held go on, like "1h"`)
		return
	}
	c.StaleGrace = b.duration("stale_grace", 0, 0, 24*time.Hour)
}

// milliseconds is a part of a second.
var milliseconds = regexp.MustCompile(`^[1-9]\d{0,5}ms$`)

func (b *block) duration(name string, fallback, least, most time.Duration) time.Duration {
	value, line, ok := b.literal(name, `"`+fallback.String()+`"`, token.STRING, token.NUMBER)
	if !ok {
		return fallback
	}
	var d time.Duration
	text, _ := value.(string)
	if milliseconds.MatchString(text) {
		d, _ = time.ParseDuration(text)
	} else if seconds, err := strict.Duration.Decode(name, value); err != nil {
		b.of.wrong(line, `%s must be a time like "10s", "5m" or "1h"`, name)
		return fallback
	} else {
		whole, _ := seconds.(record.Seconds)
		d = time.Duration(whole) * time.Second
	}
	if d < least || d > most {
		b.of.wrong(line, "%s must lie between %v and %v", name, least, most)
	}
	return d
}

func (b *block) keyHeaders(c *Config) {
	entries, line := b.texts("key_headers", "X-API-Key")
	for _, entry := range entries {
		var header KeyHeader
		switch strings.ToLower(entry) {
		case "x-api-key":
			header = APIKey
		case "authorization: bearer":
			header = Bearer
		default:
			b.of.wrong(line, `key_headers knows two: write key_headers = ["X-API-Key", "Authorization: Bearer"], or one of them`)
			return
		}
		if slices.Contains(c.KeyHeaders, header) {
			b.of.wrong(line, "key_headers names %s twice", header.Name)
		}
		c.KeyHeaders = append(c.KeyHeaders, header)
	}
	if entries == nil {
		c.KeyHeaders = []KeyHeader{APIKey}
	}
}

// fraction is a number above 0 and of at most 1, which is checked after it.
var fraction = regexp.MustCompile(`^[01](?:\.\d{1,9})?$`)

func (b *block) share() Share {
	value, line, ok := b.literal("rate_share", `"1"`, token.STRING, token.NUMBER, token.FLOAT)
	if !ok {
		return Share{Fraction: 1}
	}
	text := fmt.Sprint(value)
	if text == "auto" {
		return Share{Auto: true}
	}
	n, _ := strconv.ParseFloat(text, 64)
	if !fraction.MatchString(text) || n <= 0 || n > 1 {
		b.of.wrong(line, `rate_share must be "1", a fraction like "0.25", or "auto"`)
	}
	return Share{Fraction: n}
}

func (b *block) telemetry(c *Config) {
	t := b.one("telemetry")
	c.Telemetry = "127.0.0.1:9102"
	if address, line := t.text("address", c.Telemetry); address != "" {
		if _, err := loopback(address); err != nil {
			t.of.wrong(line, `telemetry's address %v; write address = "127.0.0.1:9102"`, err)
		}
		if slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Address == address && !strings.HasSuffix(address, ":0") }) {
			t.of.wrong(line, "telemetry and a listener have one address; write another for one of them")
		}
		c.Telemetry = address
	}
	t.finish("address")
}
