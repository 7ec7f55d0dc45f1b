package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// beside are gates beside a server, each a process of its own.
type beside struct {
	bed *gateBed
	all []*harness.Gate
}

// start starts n gates, and answers when all are ready.
func (b *gateBed) start(n int) *beside { return b.startAt(n, b.server.Address()) }

// startAt is start of gates that reach Vault at another address.
func (b *gateBed) startAt(n int, vault string) *beside {
	g := &beside{bed: b}
	for i := range n {
		g.all = append(g.all, harness.StartGate(b.t, b.server, harness.GateOptions{
			Name: fmt.Sprint("edge-", i), Mount: gateMount, Token: b.client.token, Vault: vault,
			Config: "roles = [\"web\"]\nstale_grace = \"0s\"",
		}))
	}
	for _, one := range g.all {
		one.Ready(b.t)
	}
	return g
}

func (g *beside) end() {
	for _, one := range g.all {
		one.Kill()
	}
}

func (g *beside) addresses() (all []string) {
	for _, one := range g.all {
		all = append(all, one.Address)
	}
	return all
}

// question asks whether a key is good, as nginx does for a client at an address.
func question(key, address string) []byte {
	return client{address: "gate"}.request(http.MethodGet, gateMount+"/authorize/web", nil,
		"X-API-Key: "+key, "X-Required-Scopes: "+webScope, "X-Client-Ip: "+address)
}

// questions about keys, in turn.
func questions(holders []holder) func(i int64) []byte {
	all := make([][]byte, len(holders))
	for i := range holders {
		all[i] = question(holders[i].Text, webFrom)
	}
	return func(i int64) []byte { return all[i%int64(len(all))] }
}

// learn has each gate asked about all keys, until each of them is answered so. Many ask
// at a time, or a gate would ask Vault about few keys in a call.
func (g *beside) learn(holders []holder, status int) {
	next := questions(holders)
	each := min(500, 5000/len(g.all))
	var group sync.WaitGroup
	failed := make([]error, each*len(g.all))
	for c := range failed {
		group.Go(func() {
			a, err := dialBrief(g.all[c%len(g.all)].Address)
			if err != nil {
				failed[c] = err
				return
			}
			defer a.Close()
			for i := c / len(g.all); i < len(holders) && failed[c] == nil; i += each {
				failed[c] = a.await(next(int64(i)), status)
			}
		})
	}
	group.Wait()
	g.bed.t.must(errors.Join(failed...))
}

// await asks until it is answered so.
func (a *brief) await(asked []byte, status int) error {
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		got, err := a.ask(asked)
		switch {
		case err != nil, got == status:
			return err
		case time.Since(began) > time.Minute:
			return fmt.Errorf("a key is answered %d for long, and not %d", got, status)
		}
	}
}

// figure is one of a gate's own, the sum of those whose labels match.
func (g *beside) figure(gate int, name, labels string) (sum float64) {
	r, err := g.all[gate].Watch("/metrics")
	g.bed.t.must(err)
	found := regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*`+labels+`[^}]*\})? (\S+)$`).FindAllSubmatch(r.Raw, -1)
	if found == nil {
		g.bed.t.Fatalf("a gate has no figure %s %s", name, labels)
	}
	for _, one := range found {
		value, err := strconv.ParseFloat(string(one[1]), 64)
		g.bed.t.must(err)
		sum += value
	}
	return sum
}

// meter measures the cores that are used by Vault, the plugin, the gates, and this
// program, which shares them.
type meter struct {
	bed   *gateBed
	of    [4][]process
	began time.Time
	used  [4]time.Duration
}

// metered are the columns of a meter.
var metered = []string{"cores of Vault", "plugin", "gates", "this program"}

func (g *beside) meter() *meter {
	vault, plugin := g.bed.servers()
	m := &meter{bed: g.bed, of: [4][]process{{vault}, {plugin}, nil, {self()}}, began: time.Now()}
	for _, one := range g.all {
		m.of[2] = append(m.of[2], process(one.PID()))
	}
	for i, of := range m.of {
		m.used[i] = m.bed.effort(of)
	}
	return m
}

func (m *meter) cores() (columns []string) {
	took := time.Since(m.began)
	for i, of := range m.of {
		columns = append(columns, fmt.Sprintf("%.2f", (m.bed.effort(of)-m.used[i]).Seconds()/took.Seconds()))
	}
	return columns
}
