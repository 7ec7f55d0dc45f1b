package recipes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// workspace is a copy of the Terraform configuration, with its state.
type workspace struct {
	dir         string
	program     string
	environment []string
	run         []string // the commands so far, without options that only a test needs
}

// newWorkspace copies the configuration for a server. The provider is the built one, which no registry is asked for.
func newWorkspace(t *testing.T, s *harness.Server, version, sum string) *workspace {
	t.Helper()
	program, err := harness.Terraform()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := harness.TerraformProvider()
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{dir: t.TempDir(), program: program}
	if err := os.CopyFS(w.dir, os.DirFS("terraform")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "terraform.rc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/vault\" = %q\n  }\n}\n", provider))
	w.environment = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "terraform.rc"),
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "VAULT_ADDR=" + s.Address(), "VAULT_TOKEN=" + s.Token,
		"TF_VAR_plugin_version=" + version, "TF_VAR_plugin_sha256=" + sum,
	}
	return w
}

func (w *workspace) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// edit changes a file of the configuration, as its user does.
func (w *workspace) edit(t *testing.T, file, before, after string) {
	t.Helper()
	text := read(t, filepath.Join(w.dir, file))
	if strings.Count(text, before) != 1 {
		t.Fatalf("%s has %q not once", file, before)
	}
	w.write(t, file, strings.Replace(text, before, after, 1))
}

// terraform runs one command and answers what it printed and its exit code.
func (w *workspace) terraform(t *testing.T, arguments ...string) (string, int) {
	t.Helper()
	w.run = append(w.run, strings.Join(append([]string{"terraform"}, arguments...), " "))
	command := exec.CommandContext(t.Context(), w.program, append(arguments, "-no-color")...)
	command.Dir, command.Env = w.dir, w.environment
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return output.String(), command.ProcessState.ExitCode()
}

func (w *workspace) want(t *testing.T, code int, arguments ...string) string {
	t.Helper()
	output, got := w.terraform(t, arguments...)
	if got != code {
		t.Fatalf("terraform %s: exit code %d, wanted %d\n%s", strings.Join(arguments, " "), got, code, output)
	}
	return output
}

func (w *workspace) apply(t *testing.T) string {
	t.Helper()
	return w.want(t, 0, "apply", "-auto-approve", "-input=false")
}

// unchanged plans, and wants nothing to do.
func (w *workspace) unchanged(t *testing.T, after string) {
	t.Helper()
	if output, code := w.terraform(t, "plan", "-detailed-exitcode", "-input=false"); code != 0 {
		t.Fatalf("after %s there is something to do:\n%s", after, output)
	}
}

// state is the file of that name as it lies on disk.
func (w *workspace) state(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join(w.dir, "terraform.tfstate"))
}

// output is one of the configuration's outputs: by environment.
func (w *workspace) output(t *testing.T, name string) map[string]string {
	t.Helper()
	var state struct {
		Outputs map[string]struct{ Value map[string]string }
	}
	if err := json.Unmarshal([]byte(w.state(t)), &state); err != nil {
		t.Fatal(err)
	}
	if len(state.Outputs[name].Value) == 0 {
		t.Fatalf("there is no output %s", name)
	}
	return state.Outputs[name].Value
}

// files are the configuration and what Terraform keeps beside it, by name: the state and its backup.
func (w *workspace) files(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.dir, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range found {
		texts[filepath.Base(file)] = read(t, file)
	}
	if texts["terraform.tfstate"] == "" || texts["terraform.tfstate.backup"] == "" {
		t.Fatal("there is no state")
	}
	return texts
}
