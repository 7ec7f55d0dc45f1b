// Package polls parks polls at servers, as gates do, and keeps how each was answered: for what a server owes them, and for
// what they cost it.
package polls

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// Crowd is gates that poll, each again as soon as it is answered.
type Crowd struct {
	Addresses []string // of servers: a gate asks one of them, and the next one when that does not answer
	Doors     int      // at so many of these gates begin
	Mount     string
	Token     string
	Wait      time.Duration
	// Patience is for how long a gate waits for an answer, at most.
	Patience time.Duration
	// Straight polls are not forwarded by a server that does not answer itself: it says which one does.
	Straight bool
}

// Poll is one that has ended.
type Poll struct {
	Gate        int
	Began       time.Time
	Took        time.Duration
	Status      int // 0 where there was no answer
	Answer      wire.Changes
	Term, Known uint64 // of the answer's cursor, and of the poll's
}

// Ended is when.
func (p Poll) Ended() time.Time { return p.Began.Add(p.Took) }

// Gates are those of a crowd while they poll.
type Gates struct {
	crowd  Crowd
	count  int
	client *http.Client
	done   chan struct{}
	group  sync.WaitGroup

	mu    sync.Mutex
	ended []Poll
}

// Park has n gates poll, evenly spread over the wait, until Stop.
func (c Crowd) Park(n int) *Gates {
	g := &Gates{crowd: c, count: n, done: make(chan struct{}), client: &http.Client{
		Timeout: c.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: n},
	}}
	for i := range n {
		g.group.Go(func() { g.poll(i, c.Wait*time.Duration(i)/time.Duration(n)) })
	}
	return g
}

// Ended are the polls that have ended so far, in the order of their ends. Of no gates there are none.
func (g *Gates) Ended() []Poll {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended
}

// Stop ends all, once their polls have.
func (g *Gates) Stop() []Poll {
	close(g.done)
	g.group.Wait()
	g.client.CloseIdleConnections()
	return g.Ended()
}

// rest is how long a gate waits after a poll that was not answered, and whether it goes on.
func (g *Gates) rest(d time.Duration) bool {
	select {
	case <-g.done:
		return false
	case <-time.After(d):
		return true
	}
}

func (g *Gates) poll(i int, first time.Duration) {
	const afterSilence = 100 * time.Millisecond
	question := wire.Poll{Gate: fmt.Sprint("gate-", i), Run: rand.Text()}
	for at, pause := i%g.crowd.Doors, first; g.rest(pause); pause = 0 {
		p := Poll{Gate: i, Began: time.Now()}
		p.Known = term(question.Cursor)
		p.Status, p.Answer = g.ask(g.crowd.Addresses[at%len(g.crowd.Addresses)], question)
		p.Took, p.Term = time.Since(p.Began), term(p.Answer.Cursor)
		g.mu.Lock()
		g.ended = append(g.ended, p)
		g.mu.Unlock()
		// A gate does not listen to whoever was deposed.
		if p.Status == http.StatusOK && p.Term >= p.Known {
			question.Cursor, question.Wait = p.Answer.Cursor, g.crowd.Wait.Milliseconds()
			continue
		}
		at++
		if !g.rest(afterSilence) {
			return
		}
	}
}

func (g *Gates) ask(address string, question wire.Poll) (status int, answer wire.Changes) {
	question.Nonce = rand.Text()
	body, err := json.Marshal(question)
	if err != nil {
		return 0, answer
	}
	request, err := http.NewRequest(http.MethodPost, address+"/v1/"+g.crowd.Mount+"/gate/changes", bytes.NewReader(body))
	if err != nil {
		return 0, answer
	}
	request.Header.Set("X-Vault-Token", g.crowd.Token)
	if g.crowd.Straight {
		request.Header.Set("X-Vault-No-Request-Forwarding", "true")
	}
	response, err := g.client.Do(request)
	if err != nil {
		return 0, answer
	}
	defer response.Body.Close()
	var envelope struct{ Data wire.Changes }
	err = json.NewDecoder(response.Body).Decode(&envelope)
	if answer = envelope.Data; response.StatusCode == http.StatusOK && (err != nil || answer.Nonce != question.Nonce) {
		return 0, wire.Changes{}
	}
	return response.StatusCode, answer
}

var errUnsettled = errors.New("not yet")

func term(cursor string) uint64 {
	c, _ := wire.ParseCursor(cursor)
	return c.Term
}
