package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profileTime is how long each profile is taken.
const profileTime = 5

// profile takes processor profiles of Vault and of the plugin under load and
// writes them into a directory. The plugin is a build that serves its profiles.
func profile(t *runner, p plan, dir string) {
	t.must(os.MkdirAll(dir, 0o755))
	b := newBed(t, p, nil, built("plugin"))
	k := b.keyring("few", p.few)
	for name, c := range map[string]*contender{
		"single": b.verifies("verify", "few/verify/plain", k.warm, nil, valid),
		"limits": b.verifies("verify", "few/verify/limited", k.limited, limitedQuestion, valid),
		"batch":  b.batch("batch", "few/verify/plain", k.warm, 1000, false),
		"brief":  b.batch("batch", "few/verify/plain", k.warm, 1000, true),
	} {
		done := make(chan float64)
		go func() {
			lines := b.lines(8)
			defer hangUp(lines)
			rate, _ := b.pace(lines, c, (2*profileTime+2)*time.Second)
			done <- rate
		}()
		time.Sleep(time.Second)
		b.pluginProfile(filepath.Join(dir, name+"-plugin.pprof"))
		b.vaultProfile(filepath.Join(dir, name+"-vault.pprof"))
		fmt.Printf("%s: %.0f keys/s, profiles in %s/%s-*.pprof\n", name, <-done, dir, name)
	}
}

func (b *bed) vaultProfile(file string) {
	r := b.server.Expect(b.t, http.StatusOK, http.MethodGet, fmt.Sprintf("sys/pprof/profile?seconds=%d", profileTime), nil)
	b.t.must(os.WriteFile(file, r.Raw, 0o644))
}

// pluginProfile asks at the socket beside the plugin's program.
func (b *bed) pluginProfile(file string) {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", b.process()))
	b.t.must(err)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", program+".pprof")
	}}}
	r, err := client.Get(fmt.Sprintf("http://plugin/debug/pprof/profile?seconds=%d", profileTime))
	b.t.must(err)
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	b.t.must(err)
	b.t.must(os.WriteFile(file, content, 0o644))
}
