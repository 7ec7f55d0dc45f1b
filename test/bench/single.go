package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

const valid = `"valid":true`

// verifies are single questions to the mount's or the floor's verify.
func (b *bed) verifies(name, path string, keys []key, question map[string]any, want string) *contender {
	requests := make([][]byte, len(keys))
	for i, k := range keys {
		body := map[string]any{"key": k.Text}
		maps.Copy(body, question)
		requests[i] = b.client.request(http.MethodPost, path, body)
	}
	return &contender{name: name, next: anyOf(requests...), want: want}
}

// byHeader are questions with the key in a header, as gateways ask them.
func (b *bed) byHeader(name, path string, keys []key, want string) *contender {
	requests := make([][]byte, len(keys))
	for i, k := range keys {
		requests[i] = b.client.request(http.MethodGet, path, nil, "X-API-Key: "+k.Text)
	}
	return &contender{name: name, next: anyOf(requests...), want: want}
}

// single measures one warm key per call against the floor and Vault's own.
func (b *bed) single(k *keyring) {
	const authorized = `{"code":"valid"}`
	contenders := []*contender{
		b.verifies("verify", k.mount+"/verify/plain", k.warm, nil, valid),
		b.verifies("floor", "floor/verify/plain", k.warm, nil, valid),
		b.verifies("verify with all limits", k.mount+"/verify/limited", k.limited, limitedQuestion, valid),
		b.verifies("floor, same answer", "floor/verify/limited", k.limited, limitedQuestion, valid),
		b.byHeader("verify by header", k.mount+"/verify/plain", k.warm, valid),
		b.byHeader("floor by header", "floor/verify/plain", k.warm, valid),
		b.byHeader("authorize", k.mount+"/authorize/plain", k.warm, authorized),
		b.byHeader("floor, same answer", "floor/authorize", k.warm, authorized),
	}
	// Each is followed by its floor.
	const plain, limited, byHeader = 0, 2, 4
	targets := []target{{least: 0.9}, {least: 0.85}, {least: 0.9}, {least: 0.9}}
	firstOther := len(contenders)
	contenders = append(contenders, b.others()...)
	for _, concurrency := range []int{1, 8, 32} {
		b.out.section(fmt.Sprintf("One warm key per call, %d keys, %d at once", k.size, concurrency))
		c := b.contest(concurrency, contenders...)
		for i, goal := range targets {
			b.out.row(c.throughput(2*i, 2*i+1, goal))
		}
		b.out.row(c.throughput(byHeader, plain, target{}))
		for other := firstOther; other < len(contenders); other++ {
			b.out.row(c.throughput(plain, other, target{}))
			b.out.row(c.throughput(limited, other, target{}))
		}
		b.byConcurrency = append(b.byConcurrency, c)
	}
}

// others are what Vault itself offers to check something with.
func (b *bed) others() []*contender {
	if b.rivals != nil {
		return b.rivals
	}
	s, t := b.server, b.t
	secret := map[string]any{}
	for i := range 16 {
		secret[fmt.Sprintf("field_%d", i)] = "a value of some length"
	}
	s.Expect(t, http.StatusOK, http.MethodPost, "kv/data/bench", map[string]any{"data": secret})
	s.Expect(t, http.StatusOK, http.MethodPost, "transit/keys/bench", nil)
	input := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 90)))
	mac := s.Expect(t, http.StatusOK, http.MethodPost, "transit/hmac/bench", map[string]any{"input": input}).Data()["hmac"]
	token := s.TokenWith(t, policy, nil)
	ask := func(name, method, path, want string, body any) *contender {
		return &contender{name: name, next: anyOf(b.client.request(method, path, body)), want: want}
	}
	b.rivals = []*contender{
		ask("KV v2 read", http.MethodGet, "kv/data/bench", `"field_0"`, nil),
		ask("transit HMAC verify", http.MethodPost, "transit/verify/bench", valid, map[string]any{"input": input, "hmac": mac}),
		ask("token lookup", http.MethodPost, "auth/token/lookup", `"accessor"`, map[string]any{"token": token}),
	}
	return b.rivals
}
