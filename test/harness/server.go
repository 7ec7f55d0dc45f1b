package harness

import (
	"os"
	"testing"
	"time"
)

// Server is one Vault server as one caller sees it: where it is, and with which token it is asked.
type Server struct {
	Token string
	node  *node
}

// Start runs a server as in production: on disk, initialised with one key share, unsealed, with the root token.
// It ends with the test.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := start(options)
	return owned(t, s, err)
}

// StartDev runs `vault server -dev` with -dev-plugin-dir, which registers the plugin if Options ask for it.
// It keeps nothing on disk, so it can be stopped but not started again.
func StartDev(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := startDev(options)
	return owned(t, s, err)
}

func owned(t testing.TB, s *Server, err error) *Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.node.logTail())
		}
		s.node.discard()
	})
	return s
}

func start(options Options) (s *Server, err error) {
	n, err := newNode("server", options)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.discard()
		}
	}()
	s = &Server{node: n}
	if err = n.configure(nil); err != nil {
		return nil, err
	}
	if err = n.launch(); err != nil {
		return nil, err
	}
	if err = s.initialize(); err != nil {
		return nil, err
	}
	if err = s.unseal(); err != nil {
		return nil, err
	}
	return s, s.equip()
}

func startDev(options Options) (s *Server, err error) {
	n, err := newNode("dev server", options)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.discard()
		}
	}()
	if options.Plugin {
		if err = n.install(); err != nil {
			return nil, err
		}
	}
	s = &Server{node: n, Token: "root"}
	n.arguments = []string{
		"server", "-dev", "-dev-no-store-token", "-dev-root-token-id=" + s.Token,
		"-dev-listen-address=" + n.ports.address(), "-dev-plugin-dir=" + n.pluginDir, "-log-level=trace", "-config=" + n.path("vault.hcl"),
	}
	hcl := "raw_storage_endpoint = true\n" + options.HCL
	if err = os.WriteFile(n.path("vault.hcl"), []byte(hcl), 0o600); err != nil {
		return nil, err
	}
	if err = n.launch(); err != nil {
		return nil, err
	}
	if err = n.waitHealth("the dev server to be active", 200); err != nil {
		return nil, err
	}
	n.options.Plugin = false // registered from its directory
	return s, s.equip()
}

// equip does what the options ask of a server that is active.
func (s *Server) equip() error {
	if s.node.options.Audit {
		body := map[string]any{"type": "file", "options": map[string]any{"file_path": s.node.auditFile}}
		if err := s.put("sys/audit/file", body); err != nil {
			return err
		}
	}
	if s.node.options.Plugin {
		return s.register(Plugin{})
	}
	return nil
}

// As is the same server asked with another token; an empty one asks without.
func (s *Server) As(token string) *Server {
	other := *s
	other.Token = token
	return &other
}

// Address is the server's URL, as in VAULT_ADDR.
func (s *Server) Address() string { return s.node.url() }

// Log is all that the server and its plugins have logged so far, restarts included.
func (s *Server) Log() string { return s.node.log() }

// AuditLog is what the audit device that Options.Audit enabled has written so far.
func (s *Server) AuditLog(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.node.auditFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Stop ends the server as a service manager would, and waits for it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.check(t, s.node.process.stop(patience))
}

// Kill ends the server and its plugins at once, as a power cut would.
func (s *Server) Kill(testing.TB) { s.node.process.kill() }

// Launch starts a stopped server on the storage it had. It is sealed then.
func (s *Server) Launch(t testing.TB) {
	t.Helper()
	s.node.client.CloseIdleConnections()
	s.check(t, s.node.launch())
}

// Restart stops the server if it runs, starts it again and unseals it. It answers how long that took.
func (s *Server) Restart(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	s.Stop(t)
	s.Launch(t)
	s.Unseal(t)
	return time.Since(began)
}

// check fails the test on an error, with the end of the server's log.
func (s *Server) check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, s.node.logTail())
	}
}
