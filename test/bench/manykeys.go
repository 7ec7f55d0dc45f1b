package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/crypto/argon2"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// holder has a key that clients of an API present.
type holder struct{ Text, ID, Owner string }

// web is a role that uses what a request at a gateway can be held to, and that no
// request here meets the limit of.
var web = map[string]any{
	"generate_lease": false, "require_scopes": true,
	"allowed_scopes": []string{"read:*", "write:orders"}, "default_scopes": []string{"read:orders", "read:users", "write:orders"},
	"bound_cidrs": []string{"10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32"}, "rate_limit": 1_000_000_000,
	"metadata": map[string]any{"plan": "gold"},
}

// What the requests of holders need.
const (
	webScope = "read:orders"
	webFrom  = "127.0.0.1"
)

// owners are how many there are of many keys.
const owners = 100

// crowd makes n keys of the role web. They are copies of real records under other
// ids, written past the engine, because each hash of the least cost that may be
// configured takes as long as a thousand requests: here each is of the least cost
// that is checked at all. What a key costs that is known does not depend on it.
//
// The engine renews such a hash when it verifies the key itself: whoever asks it and
// not a gate takes keys that it made.
func (b *gateBed) crowd(n int) []holder {
	b.server.Expect(b.t, http.StatusOK, http.MethodPost, gateMount+"/roles/web", web)
	// As the README advises: above the number of keys in use, which gates report.
	b.server.Expect(b.t, http.StatusOK, http.MethodPost, gateMount+"/config", map[string]any{"verify_cache_size": max(1<<16, 2*n)})
	tags, records := b.patterns()
	all := make([]holder, n)
	keys := make([]key, n)
	values := make(map[string]string, n)
	for i := range all {
		of := records[i%len(records)]
		made, value := of.another(b.t, tags)
		all[i] = holder{made.Reveal(), made.ID, of.Owner}
		keys[i] = key{ID: made.ID}
		values[made.ID] = value
	}
	root := client{b.client.address, b.server.Token}
	folder := "sys/raw/" + b.server.MountRoot(b.t, gateMount)
	b.eachOn(32, keys, func(l *line, k *key) error {
		body := map[string]any{"value": base64.StdEncoding.EncodeToString([]byte(values[k.ID])), "encoding": "base64"}
		c := contender{name: "write a key"}
		return c.call(l, root.request(http.MethodPut, folder+"key/"+k.ID[:2]+"/"+k.ID, body))
	})
	return all
}

// pattern is a real key and its record.
type pattern struct {
	holder
	prefix, record string
}

// patterns are records of real keys, one of each owner, and the tag key.
func (b *gateBed) patterns() (tags *apikey.TagKey, all []pattern) {
	made := make(map[string]pattern)
	for i := range owners {
		h := b.made(i)
		k, err := apikey.Parse(apikey.Present(h.Text))
		b.t.must(err)
		made[h.ID] = pattern{holder: h, prefix: k.Prefix}
	}
	b.server.WalkMount(b.t, gateMount, func(path string, value []byte) {
		if path == "tag-key" {
			var stored struct{ Record struct{ Secret []byte } }
			b.t.must(json.Unmarshal(value, &stored))
			var err error
			tags, err = apikey.NewTagKey(stored.Record.Secret)
			b.t.must(err)
		}
		if p, ok := made[path[strings.LastIndex(path, "/")+1:]]; ok && strings.HasPrefix(path, "key/") {
			p.record = string(value)
			all = append(all, p)
		}
	})
	if tags == nil || len(all) != owners {
		b.t.Fatal("the records or the tag key are not where this program looks for them")
	}
	return tags, all
}

// made is a key that the engine makes, of one of the owners.
func (b *gateBed) made(i int) holder {
	owner := fmt.Sprintf("owner-%02d", i%owners)
	answer := b.server.Expect(b.t, http.StatusOK, http.MethodPost, gateMount+"/issue/web", map[string]any{"owner": owner, "name": "bench"})
	text, _ := answer.Data()["key"].(string)
	id, _ := answer.Data()["key_id"].(string)
	return holder{text, id, owner}
}

var storedHash = regexp.MustCompile(`\$argon2id\$[^"]*`)

// another is a key of its own like this one, and its record.
func (p pattern) another(t *runner, tags *apikey.TagKey) (made apikey.Key, record string) {
	id, err := apikey.NewID(rand.Reader)
	t.must(err)
	made, err = apikey.Generate(rand.Reader, tags, p.prefix, id, 1)
	t.must(err)
	salt := make([]byte, 16)
	rand.Read(salt)
	hash := argon2.IDKey([]byte(made.HashInput()), salt, 1, 8, 1, 32)
	text := base64.RawStdEncoding.EncodeToString
	phc := "$argon2id$v=19$m=8,t=1,p=1$" + text(salt) + "$" + text(hash)
	return made, storedHash.ReplaceAllLiteralString(strings.ReplaceAll(p.record, p.ID, id), phc)
}
