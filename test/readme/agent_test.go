package readme

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

// start runs a vault command until the test ends.
func start(t *testing.T, e surface.Engine, home string, arguments ...string) {
	t.Helper()
	path := vaultOnPath(t)
	output := new(screen)
	vault := exec.Command(filepath.Join(strings.SplitN(path, ":", 2)[0], "vault"), arguments...)
	vault.Env = []string{"PATH=" + path, "HOME=" + home, "VAULT_ADDR=" + e.Address()}
	vault.Stdout, vault.Stderr = output, output
	vault.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread ends
		err := vault.Start()
		started <- err
		if err == nil {
			vault.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		vault.Process.Kill()
		<-ended
		if t.Failed() {
			t.Log(output)
		}
	})
}
