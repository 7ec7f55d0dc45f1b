package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/trials/opener"
)

// program runs one that the distribution has, on this input.
func program(t testing.TB, input, name string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not there: scripts/packages.sh installs it", name)
	}
	command := exec.CommandContext(t.Context(), path, arguments...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, arguments, err, output)
	}
	return string(output)
}

// TestTheDistributionsAgeOpensASealedKey as who receives one has it: an older program than the library that sealed it.
func TestTheDistributionsAgeOpensASealedKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/sealing", fields{"generate_lease": false})
	identity := filepath.Join(t.TempDir(), "identity.txt")
	program(t, "", "age-keygen", "-o", identity)
	recipient := strings.TrimSpace(program(t, "", "age-keygen", "-y", identity))
	t.Logf("age is %s", program(t, "", "age", "--version"))
	issued := e.Write(t, "issue/sealing", fields{"recipients": []string{opener.X25519(t).Recipient, recipient}})
	rotated := e.Write(t, "rotate/"+issued["key_id"].(string), nil)
	texts := map[string]bool{}
	for _, answer := range []fields{issued, rotated} {
		file := answer["sealed_key"].(string)
		text := program(t, file, "age", "-d", "-i", identity)
		e.WantCode(t, "valid", text)
		texts[text] = true
		kept := filepath.Join(t.TempDir(), "key.age")
		if err := os.WriteFile(kept, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if again := program(t, "", "age", "-d", "-i", identity, kept); again != text {
			t.Error("from a file age opens another text")
		}
	}
	if len(texts) != 2 {
		t.Error("two versions are one text")
	}
}
