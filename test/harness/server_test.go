package harness

import (
	"strings"
	"testing"
)

func TestWhatIsStoredSurvivesARestartAKillAndASeal(t *testing.T) {
	s := Start(t, Options{})
	path := putSecret(t, s, "kept")

	t.Logf("restarted in %s", s.Restart(t))
	wantSecret(t, s, path, "kept")

	s.Kill(t)
	s.Launch(t)
	s.Expect(t, 503, "GET", path, nil)
	s.Unseal(t)
	wantSecret(t, s, path, "kept")

	s.Seal(t)
	s.Expect(t, 503, "GET", path, nil)
	s.Unseal(t)
	wantSecret(t, s, path, "kept")
}

func TestTheServerLogsAtTraceAndAuditsToAFile(t *testing.T) {
	s := servers.Server(t)
	path := putSecret(t, s, "audited")
	if log := s.Log(); !strings.Contains(log, "[TRACE]") || !strings.Contains(log, "[DEBUG]") {
		t.Error("the log has no trace lines")
	}
	if audit := s.AuditLog(t); !strings.Contains(audit, path) || strings.Contains(audit, `"audited"`) {
		t.Error("the audit log must name the path and not show the value")
	}
}

func TestADevServerAnswersWithItsRootToken(t *testing.T) {
	s := StartDev(t, Options{Audit: true})
	wantSecret(t, s, putSecret(t, s, "dev"), "dev")
	if !strings.Contains(s.AuditLog(t), "sys/mounts/") {
		t.Error("the audit log lacks the mount")
	}
}

func TestAConfigurationThatVaultRefusesIsAnErrorWithItsLog(t *testing.T) {
	_, err := start(Options{HCL: "storage \"nonsense\" {\n}\n"})
	if err == nil || !strings.Contains(err.Error(), "exited") || !strings.Contains(err.Error(), "end of the log") {
		t.Errorf("got %v, wanted that the server has exited, with the end of its log", err)
	}
}

func TestAMissingBinaryIsAnErrorThatNamesTheMakeTarget(t *testing.T) {
	if _, err := built("make vault", "no", "such"); err == nil || !strings.Contains(err.Error(), "make vault") {
		t.Errorf("got %v, wanted the target", err)
	}
	t.Setenv("VAULT_BIN", "/no/such/vault")
	if _, err := start(Options{}); err == nil || !strings.Contains(err.Error(), "make vault") {
		t.Errorf("got %v, wanted the target", err)
	}
}
