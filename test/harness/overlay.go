package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// OlderPlugin builds the plugin as it was before there were gates: without the paths that they ask at.
func OlderPlugin(t testing.TB) Plugin {
	t.Helper()
	over := make(map[string]string)
	for _, name := range []string{"gate.go", "gates.go", "resolve.go", "gatespend.go"} {
		file := filepath.Join(repository(), "paths", name)
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		const routes = ") routes() []route {"
		if strings.Count(string(source), routes) != 1 {
			t.Fatalf("the paths of %s are declared otherwise than expected", name)
		}
		over[file] = strings.Replace(string(source), routes, routes+" return nil;", 1)
	}
	program, err := buildOver(t.TempDir(), ".", PluginName, over)
	if err != nil {
		t.Fatal(err)
	}
	return Plugin{Binary: program}
}

// buildOver builds a program of a module of this repository with some files of its source replaced.
func buildOver(folder, module, name string, over map[string]string) (program string, err error) {
	replace := make(map[string]string)
	for file, text := range over {
		laid := filepath.Join(folder, fmt.Sprint(len(replace), ".go"))
		if err := os.WriteFile(laid, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[file] = laid
	}
	list := filepath.Join(folder, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(folder, name)
	build := exec.Command("go", "build", "-overlay", list, "-trimpath", "-buildvcs=false", "-o", program, "vault-plugin-secrets-apikeys/cmd/"+name)
	build.Dir, build.Env = filepath.Join(repository(), module), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build another %s: %w: %s", name, err, out)
	}
	return program, nil
}
