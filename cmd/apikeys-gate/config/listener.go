package config

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/hcl/token"
)

func (b *block) listeners(c *Config) {
	for _, l := range b.blocks("listener", "unix", "tcp") {
		var read Listener
		if l.label == "tcp" {
			read = l.tcp()
		} else {
			read = l.unix(c)
		}
		if slices.ContainsFunc(c.Listeners, func(other Listener) bool {
			return other.Address == read.Address && other.Network == read.Network && read.Address != ""
		}) {
			l.of.wrong(l.line, "there are two listeners of one address; leave one of them")
		}
		c.Listeners = append(c.Listeners, read)
	}
	if len(c.Listeners) == 0 && b.items["listener"] == nil {
		b.of.wrong(b.line, `there is no listener; write listener "unix" { address = "/run/apikeys-gate/gate.sock" } or listener "tcp" { address = "127.0.0.1:8280" }`)
	}
}

// octal is a mode of a file.
var octal = regexp.MustCompile(`^0?[0-7]{3}$`)

// maxSocket is how long the path of a socket may be (unix(7)).
const maxSocket = 107

func (b *block) unix(c *Config) Listener {
	l := Listener{Network: "unix", Address: b.needed("address", "/run/apikeys-gate/gate.sock"), Mode: 0o600}
	if _, line := b.setting("address"); len(l.Address) > maxSocket {
		b.of.wrong(line, `a socket's path has at most %d bytes; write address = "/run/apikeys-gate/gate.sock"`, maxSocket)
	}
	if _, line := b.setting("address"); strings.HasPrefix(l.Address, "@") {
		b.of.wrong(line, `the listener's address must be a path: what begins with @ is in no directory and has no mode, and every process of this machine could ask there; write address = "/run/apikeys-gate/gate.sock"`)
	}
	if mode, line := b.text("socket_mode", "0660"); mode != "" {
		n, err := strconv.ParseUint(mode, 8, 32)
		if err != nil || !octal.MatchString(mode) || n&0o600 != 0o600 {
			b.of.wrong(line, `socket_mode must be octal, with reading and writing for the gate's own user; write socket_mode = "0660" for its group, too`)
		}
		l.Mode = fs.FileMode(n)
		if n&0o002 != 0 {
			c.warn("socket_mode lets every user of this machine ask about keys and use up quotas")
		}
	}
	b.caller(&l)
	b.finish("address, socket_mode, client_ip_from, trusted_hops")
	return l
}

func (b *block) tcp() Listener {
	l := Listener{Network: "tcp", Address: b.needed("address", "127.0.0.1:8280")}
	_, line := b.setting("address")
	l.CertFile, _ = b.text("tls_cert_file", "/etc/apikeys-gate/cert.pem")
	l.KeyFile, _ = b.text("tls_key_file", "/etc/apikeys-gate/key.pem")
	l.ClientCAFile, _ = b.text("tls_client_ca_file", "/etc/apikeys-gate/clients.pem")
	disabled := b.flag("tls_disable")
	near, err := loopback(l.Address)
	switch {
	case l.Address == "":
	case err != nil:
		b.of.wrong(line, `the listener's address %v; write address = "127.0.0.1:8280"`, err)
	case (l.CertFile == "") != (l.KeyFile == ""):
		b.of.wrong(b.line, "of tls_cert_file and tls_key_file there is only one; write both")
	case l.ClientCAFile != "" && l.CertFile == "":
		b.of.wrong(b.line, "tls_client_ca_file needs tls_cert_file and tls_key_file beside it")
	case disabled && l.CertFile != "":
		b.of.wrong(b.line, "tls_disable stands beside certificates; leave one of them")
	case !near && l.CertFile == "" && !disabled:
		b.of.wrong(line, "keys would cross the network in clear, and everyone who reaches this address could ask about keys and use up quotas; write tls_cert_file and tls_key_file, or tls_disable = true if something else protects the way")
	}
	b.caller(&l)
	b.finish("address, tls_cert_file, tls_key_file, tls_client_ca_file, tls_disable, client_ip_from, trusted_hops")
	return l
}

// headerName is the grammar of a header's name that people use.
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`)

// caller reads from where the caller's address is taken.
func (b *block) caller(l *Listener) {
	l.TrustedHops = 1
	from, line := b.text("client_ip_from", "X-Forwarded-For")
	if from != "" {
		l.ClientIPFrom = http.CanonicalHeaderKey(from)
		reserved := []string{"X-Api-Key", "Authorization", "X-Required-Scopes", "X-Client-Ip", "X-Apikey-Min-Cursor", "Forwarded"} // whose form is another
		if !headerName.MatchString(from) || slices.Contains(reserved, l.ClientIPFrom) {
			b.of.wrong(line, `client_ip_from must name a header that the gateway sets, like "X-Forwarded-For"; X-Client-Ip is read without it`)
		}
	}
	hops, line, ok := b.literal("trusted_hops", "1", token.NUMBER)
	n, _ := hops.(int64)
	switch {
	case ok && from == "":
		b.of.wrong(line, `trusted_hops needs client_ip_from = "X-Forwarded-For" beside it`)
	case ok && (n < 1 || n > 16):
		b.of.wrong(line, "trusted_hops must lie between 1, for the address that the gateway itself saw, and 16")
	case ok:
		l.TrustedHops = int(n)
	}
}

// loopback tells whether an address can be reached from this machine only.
func loopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false, errors.New("must be HOST:PORT")
	}
	if !isPort(port) {
		return false, errors.New("has no port from 0 to 65535")
	}
	if host == "localhost" {
		return true, nil
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback(), nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == text
}
