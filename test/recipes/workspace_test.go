package recipes

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// workspace is a copy of the Terraform configuration, with its state.
type workspace struct {
	dir         string
	program     string
	version     string // of the plugin
	environment []string
}

// newWorkspace copies the configuration for a server, in whose plugin directory the plugin lies. The provider is the
// built one, and no registry is asked.
func newWorkspace(t *testing.T, s *harness.Server) *workspace {
	t.Helper()
	version := surface.New(t, s).Read(t, "info")["version"].(string)
	sum := s.Install(t, harness.PluginName+"-"+version)
	program, err := harness.Terraform()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := harness.TerraformProvider()
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{dir: t.TempDir(), program: program, version: version}
	if err := os.CopyFS(w.dir, os.DirFS("terraform")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "terraform.rc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/vault\" = %q\n  }\n}\n", provider))
	w.environment = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "terraform.rc"),
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "VAULT_ADDR=" + s.Address(), "VAULT_TOKEN=" + s.Token,
	}
	w.set("plugin_version", version)
	w.set("plugin_sha256", sum)
	return w
}

func (w *workspace) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// set gives a variable its value, until it is set again.
func (w *workspace) set(variable, value string) {
	w.environment = append(w.environment, "TF_VAR_"+variable+"="+value)
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

func (w *workspace) apply(t *testing.T, options ...string) string {
	t.Helper()
	return w.want(t, 0, append([]string{"apply", "-auto-approve", "-input=false"}, options...)...)
}

// unchanged plans, and wants nothing to do.
func (w *workspace) unchanged(t *testing.T, after string) {
	t.Helper()
	if output, code := w.terraform(t, "plan", "-detailed-exitcode", "-input=false"); code != 0 {
		t.Fatalf("after %s there is something to do:\n%s", after, output)
	}
}

// output is one of the configuration's outputs, out of the state.
func (w *workspace) output(t *testing.T, name string) any {
	t.Helper()
	var state struct {
		Outputs map[string]struct{ Value any }
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(w.dir, "terraform.tfstate"))), &state); err != nil {
		t.Fatal(err)
	}
	return state.Outputs[name].Value
}

// keys are the output of that name, by environment.
func (w *workspace) keys(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for environment, key := range w.output(t, "keys").(map[string]any) {
		keys[environment] = key.(string)
	}
	return keys
}

// content is what lies in a file that Terraform wrote. A plan is an archive.
func (w *workspace) content(t *testing.T, file string) string {
	t.Helper()
	file = filepath.Join(w.dir, file)
	if filepath.Ext(file) != ".tfplan" {
		return read(t, file)
	}
	archive, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var content strings.Builder
	for _, part := range archive.File {
		text, err := fs.ReadFile(archive, part.Name)
		if err != nil {
			t.Fatal(err)
		}
		content.Write(text)
	}
	return content.String()
}
