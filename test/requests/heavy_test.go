package requests

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// The most that a gateway and an issuer can build together: a key whose answer is as long as any, because its ancestors
// and its role are all as full as they may be of what JSON escapes, asked about a thousand times in one call.
// Unbounded, an answer to 100 KB would be of almost a gigabyte.

const (
	longestAnswer = 16 << 20
	// For one such call. Most of it is copies, on the way out of the plugin, through Vault, and into its audit log.
	mostInPlugin, mostInVault = 256 << 20, 320 << 20
	// For however many at a time: the engine puts together no more than 64 MiB of answers.
	mostTogether = 1280 << 20
)

func heavy(t *testing.T, e surface.Engine) surface.Key {
	t.Helper()
	full := func(generation int) fields {
		pairs := fields{}
		for i := range 31 {
			pairs[fmt.Sprintf("%d-%d", generation, i)] = strings.Repeat("<", 512)
		}
		return pairs
	}
	e.Write(t, "roles/web", fields{"metadata": full(0), "max_delegation_depth": 8, "quota": 1_000_000})
	k := e.Minted(t, "issue/web", fields{"owner": "acme", "metadata": full(1)})
	for generation := 2; generation < 10; generation++ {
		k = e.Minted(t, "delegate", fields{"key": k.Text, "metadata": full(generation)})
	}
	return k
}

func TestTheHeaviestBatchIsBoundedInBytes(t *testing.T) {
	s := harness.Start(t, harness.Options{Plugin: true, Audit: true})
	e := surface.New(t, s)
	k := heavy(t, e)
	e.WantCode(t, "valid", k.Text)
	plugin := s.PluginPIDs(t)[0]
	vault := number(t, plugin, "PPid:")
	full := slices.Repeat([]any{fields{"key": k.Text}}, 1000)

	inPlugin, inVault := peak(t, plugin), peak(t, vault)
	r := e.Want(t, http.StatusOK, http.MethodPost, "verify/web", batchOf(full...))
	grownPlugin, grownVault := inPlugin(), inVault()
	if len(r.Raw) > longestAnswer || grownPlugin > mostInPlugin || grownVault > mostInVault {
		t.Errorf("an answer of %d bytes; the plugin grew by %d MiB, Vault by %d MiB", len(r.Raw), grownPlugin>>20, grownVault>>20)
	}
	results, _ := r.Data()["batch_results"].([]any)
	valid := 0
	for _, result := range results {
		if result.(map[string]any)["code"] == "valid" {
			valid++
		}
	}
	left := e.Write(t, "verify", fields{"key": k.Text, "cost": 0})["quota_remaining"]
	if want := strconv.Itoa(1_000_000 - 1 - valid); valid == 0 || valid == len(results) || fmt.Sprint(left) != want {
		t.Errorf("%d of %d items are answered, and of the quota %v are left, wanted %s", valid, len(results), left, want)
	}
	brief := slices.Repeat([]any{fields{"key": k.Text, "brief": true}}, 1000)
	if r := e.Want(t, http.StatusOK, http.MethodPost, "verify/web", batchOf(brief...)); strings.Count(string(r.Raw), `"valid"`) != 2000 {
		t.Errorf("brief ones do not all fit: %s", shown(r))
	}

	inPlugin = peak(t, plugin)
	var crowd sync.WaitGroup
	for range 16 {
		crowd.Go(func() { e.Want(t, http.StatusOK, http.MethodPost, "verify/web", batchOf(full...)) })
	}
	crowd.Wait()
	grown := inPlugin()
	if grown > mostTogether {
		t.Errorf("sixteen at a time: the plugin grew by %d MiB", grown>>20)
	}
}

// peak measures by how many bytes a process grows from now on, at its largest.
func peak(t *testing.T, pid int) func() int {
	t.Helper()
	// Linux then counts the largest anew.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Skip("this kernel does not count a process' largest size anew:", err)
	}
	before := number(t, pid, "VmHWM:")
	return func() int { return (number(t, pid, "VmHWM:") - before) << 10 }
}

// number is a line of what the kernel says of a process.
func number(t *testing.T, pid int, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			n, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("the kernel does not tell %s", name)
	return 0
}
