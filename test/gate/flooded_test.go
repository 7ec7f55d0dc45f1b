package gate

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// What a gate may ask Vault about texts that turn out to be no keys: at once, and a second.
var budgets = map[string]struct {
	burst, rate float64
	address     func(i int64) string
}{
	"one address":    {200, 20, func(int64) string { return "198.51.100.7" }},
	"many addresses": {5000, 500, func(i int64) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }},
}

// TestAFloodOfForgedKeysStaysAtTheGate floods a gate with keys that nobody issued: each other than the others, of the
// right form, half of them with the id of a living key. What reaches Vault of them is counted on the way there.
func TestAFloodOfForgedKeysStaysAtTheGate(t *testing.T) {
	t.Parallel()
	e := own(t)
	warm := e.Issue(t, "web", "acme")
	for from, of := range budgets {
		var texts atomic.Int64
		g := beside(t, e, harness.GateOptions{Vault: e.Tap(t, counting(&texts))})
		g.Ready(t)
		becomes(t, g, 200, warm.Text)
		texts.Store(0)
		healthy := awake(t, e)
		answers := hammer(t, g, warm.Text, 5*time.Millisecond, 1)
		begun := time.Now()
		asked, by := flood(t, g, warm.ID, of.address)
		most := of.burst + of.rate*time.Since(begun).Seconds()
		// What Vault did not answer in time is no text that turned out invalid, and is sent again.
		again := 500 * silent(t, g)
		if reached := float64(texts.Load()); float64(by[401]) > most+1 || reached > most+1+again || reached < min(of.burst, float64(asked)) {
			t.Errorf("of %d forged keys from %s %.0f reached Vault, and %.0f may", asked, from, reached, most)
		} else {
			t.Logf("of %d forged keys from %s %.0f reached Vault, and %.0f may; they were answered %v", asked, from, reached, most, by)
		}
		if by[401]+by[503] != asked {
			t.Errorf("forged keys from %s were answered %v", from, by)
		}
		for _, a := range answers() {
			if a.Status != http.StatusOK {
				t.Errorf("a known key is answered %d %s, %v", a.Status, a.Raw, a.err)
			}
		}
		healthy()
		g.Kill()
	}
}

var silentCalls = regexp.MustCompile(`upstream_calls_total{outcome="silent",path="gate/resolve[^"]*"} (\S+)`)

// silent is how many of a gate's questions about keys were not answered.
func silent(t *testing.T, g *harness.Gate) float64 {
	t.Helper()
	r, err := g.Watch("/metrics")
	found := silentCalls.FindSubmatch(r.Raw)
	if err != nil || found == nil {
		t.Fatalf("the gate does not say how many calls were not answered: %v", err)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// counting counts the texts that a gate asks about.
func counting(texts *atomic.Int64) func(path string, body []byte) {
	return func(path string, body []byte) {
		var asked struct{ Keys []string }
		if strings.Contains(path, "/gate/resolve") && json.Unmarshal(body, &asked) == nil {
			texts.Add(int64(len(asked.Keys)))
		}
	}
}

// flood asks about keys that nobody issued until hundreds were not decided about, or for ten seconds where the machine
// has too much else to do. It answers how many there were with which status.
func flood(t *testing.T, g *harness.Gate, living string, address func(i int64) string) (asked int, by map[int]int) {
	t.Helper()
	tagKey, err := apikey.NewTagKey([]byte(rand.Text() + rand.Text())[:apikey.TagKeyLength])
	if err != nil {
		t.Fatal(err)
	}
	by = make(map[int]int)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all sync.WaitGroup
	var index atomic.Int64
	begun := time.Now()
	for range 64 {
		all.Go(func() {
			for enough := false; !enough; {
				i := index.Add(1)
				status := forged(t, client, g, tagKey, living, i, address(i))
				mu.Lock()
				asked, by[status] = asked+1, by[status]+1
				enough = by[http.StatusServiceUnavailable] > 300 || time.Since(begun) > 10*time.Second
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return asked, by
}

// forged asks about one key that nobody issued.
func forged(t *testing.T, client *http.Client, g *harness.Gate, tagKey *apikey.TagKey, id string, i int64, address string) (status int) {
	if i%2 == 0 {
		id, _ = apikey.NewID(rand.Reader)
	}
	key, err := apikey.Generate(rand.Reader, tagKey, "vak", id, 1)
	if err != nil {
		t.Error(err)
		return 0
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+g.Address+"/forward/web", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("X-API-Key", key.Reveal())
	r.Header.Set("X-Client-Ip", address)
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// awake asks Vault for its health until the end, and wants each answer within a second.
func awake(t *testing.T, e surface.Engine) (end func()) {
	t.Helper()
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for n := 0; ; n++ {
			begun := time.Now()
			if r := e.API(t, http.MethodGet, "sys/health", nil); r.Status != http.StatusOK || time.Since(begun) > time.Second {
				t.Errorf("sys/health is %d after %v", r.Status, time.Since(begun))
			}
			select {
			case <-done:
				t.Logf("sys/health was answered %d times", n+1)
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var once sync.Once
	end = func() { once.Do(func() { close(done) }); asking.Wait() }
	t.Cleanup(end)
	return end
}

// TestAnIdleGateAsksOnceASecond counts on the way to Vault what a gate asks that nobody asks anything.
func TestAnIdleGateAsksOnceASecond(t *testing.T) {
	t.Parallel()
	const watched = 10 * time.Second
	e := own(t)
	var calls atomic.Int64
	g := beside(t, e, harness.GateOptions{Vault: e.Tap(t, func(string, []byte) {
		calls.Add(1)
	})})
	g.Ready(t)
	for range 5 {
		becomes(t, g, 200, e.Issue(t, "web", "acme").Text)
	}
	time.Sleep(11 * time.Second) // until its uses are reported
	calls.Store(0)
	begun := time.Now()
	time.Sleep(watched)
	// One more may lie on either edge of the time.
	if n, most := calls.Load(), 1.05*time.Since(begun).Seconds()+1; float64(n) > most || n == 0 {
		t.Errorf("in %v it asks %d times", time.Since(begun), n)
	} else {
		t.Logf("in %v it asks %d times", time.Since(begun).Round(time.Millisecond), n)
	}
}

// TestTenGatesHearOfRevocations hammers keys at ten gates, and revokes them: none of the gates is good for one a second
// later.
func TestTenGatesHearOfRevocations(t *testing.T) {
	t.Parallel()
	const times = 8
	e := own(t)
	var gates []*harness.Gate
	for n := range 10 {
		gates = append(gates, beside(t, e, harness.GateOptions{Name: fmt.Sprint("edge-", n)}))
	}
	var after []time.Duration
	asked := 0
	for range times {
		key := e.Issue(t, "web", "acme")
		var answers []func() []answer
		for _, g := range gates {
			becomes(t, g, 200, key.Text)
			answers = append(answers, hammer(t, g, key.Text, 10*time.Millisecond, 1))
		}
		time.Sleep(50 * time.Millisecond)
		e.Write(t, "revoke/"+key.ID, nil)
		revoked, last := time.Now(), time.Duration(0)
		for i, g := range gates {
			becomes(t, g, 401, key.Text)
			all := answers[i]()
			asked += len(all)
			last = max(last, lastGood(all).Sub(revoked))
		}
		if last > time.Second {
			t.Errorf("%v after its revocation a key is good at a gate", last)
		}
		after = append(after, last)
	}
	showQuantiles(t, after, asked)
}
