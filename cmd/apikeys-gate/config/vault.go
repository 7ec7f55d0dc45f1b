package config

import (
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// vault reads where Vault is. The environment goes before the file, as in Vault Agent.
func (b *block) vault(c *Config, environment func(string) string) {
	v := &c.Vault
	text := func(name, like, variable string) string {
		written, _ := b.text(name, like)
		if set := environment(variable); set != "" {
			if written != "" && written != set {
				c.warn(variable + " is set and goes before " + name + " in the file")
			}
			return set
		}
		return written
	}
	v.CACert = text("ca_cert", "/etc/vault/ca.pem", "VAULT_CACERT")
	v.CAPath = text("ca_path", "/etc/vault/ca", "VAULT_CAPATH")
	v.ClientCert = text("client_cert", "/etc/apikeys-gate/cert.pem", "VAULT_CLIENT_CERT")
	v.ClientKey = text("client_key", "/etc/apikeys-gate/key.pem", "VAULT_CLIENT_KEY")
	v.ServerName = text("tls_server_name", "vault.example.com", "VAULT_TLS_SERVER_NAME")
	v.Namespace = text("namespace", "team", "VAULT_NAMESPACE")
	if _, line := b.setting("namespace"); v.Namespace != "" && !isPath(strings.TrimSuffix(v.Namespace, "/")) {
		b.of.wrong(line, `namespace must be the path of one, without a slash before it; write namespace = "team", or set VAULT_NAMESPACE`)
	}
	v.AllowHTTP = b.flag("allow_http")
	b.address(c, text("address", "https://vault.example.com:8200", "VAULT_ADDR"))
	if skip := environment("VAULT_SKIP_VERIFY"); skip != "" {
		var err error
		if v.SkipVerify, err = strconv.ParseBool(skip); err != nil {
			b.of.wrong(b.line, "the environment's VAULT_SKIP_VERIFY is neither true nor false")
		}
	}
	if v.SkipVerify {
		c.warn("VAULT_SKIP_VERIFY is set: whoever stands between the gate and Vault reads every key that the gate does not know yet, and answers for Vault")
	}
	b.login(c, environment("VAULT_TOKEN"))
	b.finish("address, allow_http, ca_cert, ca_path, client_cert, client_key, tls_server_name, namespace, token_file, auth")
}

func (c *Config) warn(text string) { c.Warnings = append(c.Warnings, text) }

// address refuses what would send keys in clear over a network.
func (b *block) address(c *Config, address string) {
	_, line := b.setting("address")
	c.Vault.Address = address
	const like = `write address = "https://vault.example.com:8200" in vault { … }, or set VAULT_ADDR`
	if address == "" {
		if b.items["address"] == nil {
			b.of.wrong(line, "Vault's address is missing; %s", like)
		}
		return
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil || u.Port() != "" && !isPort(u.Port()) {
		b.of.wrong(line, "Vault's address is no URL of http or https with a host and nothing else; %s", like)
		return
	}
	if private(u) {
		return
	}
	if !c.Vault.AllowHTTP {
		b.of.wrong(line, "over http:// keys and the gate's token cross the network in clear; write https://, or allow_http = true in vault { … } if something else encrypts the way")
		return
	}
	c.warn("Vault's address is http:// of another machine: keys and the gate's token cross that way as it is")
}

// private tells whether what is sent there is for nobody else to read.
func private(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	near, err := loopback(net.JoinHostPort(u.Hostname(), port))
	return err == nil && near
}

// Admits tells whether keys and the token may be sent there, be it because Vault says
// that another of its nodes answers.
func (v *Vault) Admits(u *url.URL) bool { return v.AllowHTTP || private(u) }

// login reads how to log in: in one way.
func (b *block) login(c *Config, token string) {
	v := &c.Vault
	v.TokenFile, _ = b.text("token_file", "/run/vault-agent/token")
	ways := b.blocks("auth", "approle", "kubernetes")
	for _, way := range ways {
		mountPath, line := way.text("mount_path", "auth/"+way.label)
		if mountPath != "" && !isPath(mountPath) {
			b.of.wrong(line, "mount_path must be a path without slashes at its ends; write mount_path = %q, or leave it out", "auth/"+way.label)
		}
		if way.label == "approle" {
			v.AppRole = &AppRole{MountPath: mountPath}
			v.AppRole.RoleIDFile = way.needed("role_id_file", "/etc/apikeys-gate/role-id")
			v.AppRole.SecretIDFile = way.needed("secret_id_file", "/etc/apikeys-gate/secret-id")
			way.finish("role_id_file, secret_id_file, mount_path")
			continue
		}
		v.Kubernetes = &Kubernetes{MountPath: mountPath, Role: way.needed("role", "apikeys-gate")}
		v.Kubernetes.TokenPath, _ = way.text("token_path", "/var/run/secrets/kubernetes.io/serviceaccount/token")
		way.finish("role, token_path, mount_path")
	}
	count := len(ways)
	if v.TokenFile != "" {
		count++
	}
	switch {
	case count > 1:
		b.of.wrong(b.line, "there is more than one way to log in; leave one of token_file and auth")
	case token != "":
		v.Token = token
		c.warn("VAULT_TOKEN is set and goes before the file: it is for trying out, since nobody renews it")
	case count == 0 && b.items["token_file"] == nil && b.items["auth"] == nil:
		b.of.wrong(b.line, `there is no way to log in; write token_file = "/run/vault-agent/token", auth "approle" { … } or auth "kubernetes" { … } in vault { … }`)
	case v.TokenFile != "":
		b.awaited(c, "token_file", v.TokenFile)
	case v.AppRole != nil:
		ways[0].awaited(c, "role_id_file", v.AppRole.RoleIDFile)
		ways[0].awaited(c, "secret_id_file", v.AppRole.SecretIDFile)
	}
}

// awaited warns of a file that is needed to log in, and may come later.
func (b *block) awaited(c *Config, name, file string) {
	_, line := b.setting(name)
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		b.of.wrong(line, "%s is a directory; write the path of a file", name)
	} else if file != "" && (err != nil || !readable(file)) {
		c.warn(name + " is not there yet, or cannot be read: it is awaited")
	}
}

// readable tells whether this user may open a file, and waits for nobody at a pipe.
func readable(file string) bool {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		_ = f.Close()
	}
	return err == nil
}

// needed is text that must be there.
func (b *block) needed(name, like string) string {
	text, line := b.text(name, like)
	if text == "" && b.items[name] == nil {
		b.of.wrong(line, "%s is missing; write %s = %q", name, name, like)
	}
	return text
}
