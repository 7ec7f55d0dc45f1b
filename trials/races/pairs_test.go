package races

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestVerifyAndRevokeAtOnce(t *testing.T) {
	m := raceMount(t)
	for range rounds {
		k := m.Must("issue/web", nil)
		text, id := k.Str("key"), k.Str("key_id")
		var revoked atomic.Bool
		verify := func() {
			for range 4 {
				before := revoked.Load()
				if code := m.Code(text); before && code != "revoked" {
					t.Errorf("a verify that began after the revocation's answer: %s", code)
				}
			}
		}
		together(verify, verify, func() {
			m.Must("revoke/"+id, nil)
			revoked.Store(true)
		})
		if code := m.Code(text); code != "revoked" {
			t.Fatalf("afterwards: %s", code)
		}
	}
}

func TestManyRotationsAtOnce(t *testing.T) {
	m := raceMount(t)
	for range 20 {
		k := m.Must("issue/web", nil)
		answers := make([]mount.Answer, 10)
		work := make([]func(), len(answers))
		for i := range work {
			work[i] = func() {
				if i%2 == 0 {
					answers[i] = m.Write("rotate/"+k.Str("key_id"), nil)
				} else {
					answers[i] = m.Write("rotate", map[string]any{"key": k.Str("key")})
				}
			}
		}
		together(work...)
		texts, worked := []string{k.Str("key")}, 0
		for _, a := range answers {
			switch a.Status {
			case http.StatusOK:
				texts = append(texts, a.Str("key"))
				worked++
			case http.StatusConflict:
			default:
				t.Fatalf("a rotation answered %d %s", a.Status, a.Text)
			}
		}
		valid := 0
		for _, text := range texts {
			if m.Code(text) == "valid" {
				valid++
			}
		}
		newest := m.Read("keys/" + k.Str("key_id")).Data["version"]
		if worked == 0 || newest != float64(1+worked) || valid != 2 {
			t.Fatalf("%d rotations worked, the newest version is %v, %d texts are valid", worked, newest, valid)
		}
	}
}

func TestRotateAndRevokeAtOnce(t *testing.T) {
	m := raceMount(t)
	for range rounds {
		k := m.Must("issue/web", nil)
		var rotated mount.Answer
		together(
			func() { rotated = m.Write("rotate/"+k.Str("key_id"), nil) },
			func() { m.Must("revoke/"+k.Str("key_id"), nil) },
		)
		texts := []string{k.Str("key")}
		if rotated.OK() {
			texts = append(texts, rotated.Str("key"))
		} else if rotated.Status != http.StatusConflict {
			t.Fatalf("the rotation answered %d %s", rotated.Status, rotated.Text)
		}
		for _, text := range texts {
			if code := m.Code(text); code != "revoked" {
				t.Fatalf("after both: %s", code)
			}
		}
	}
}

func TestIssueDuringTidy(t *testing.T) {
	m := raceMount(t)
	m.Must("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "revoked_retention": 0})
	mount.SetCost(t, m.Storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
	m.Backend.InvalidateKey(t.Context(), "config")
	var texts [4][]string
	work := make([]func(), len(texts))
	for n := range work {
		work[n] = func() {
			for i := range 60 {
				k := m.Must("issue/web", map[string]any{"owner": []string{"acme", "b"}[i%2]})
				if i%3 == 0 {
					m.Must("revoke/"+k.Str("key_id"), nil)
					continue
				}
				texts[n] = append(texts[n], k.Str("key"))
			}
		}
	}
	var stop atomic.Bool
	go func() {
		defer stop.Store(true)
		together(work...)
	}()
	for !stop.Load() {
		if state := m.Tidy(); state != "done" {
			t.Fatalf("tidy: %s", state)
		}
	}
	m.Tidy()
	live := 0
	for _, list := range texts {
		for _, text := range list {
			live++
			if code := m.Code(text); code != "valid" {
				t.Fatalf("a live key is %s", code)
			}
		}
	}
	if keys := m.Do(logical.ListOperation, "keys/", nil).Data["keys"].([]any); len(keys) != live {
		t.Errorf("tidy leaves %d keys, %d live", len(keys), live)
	}
}

func TestRoleDeletionAndIssueAtOnce(t *testing.T) {
	m := raceMount(t)
	for range rounds {
		m.Must("roles/tmp", map[string]any{"generate_lease": false})
		var issued, deleted mount.Answer
		together(
			func() { issued = m.Write("issue/tmp", nil) },
			func() { deleted = m.Do(logical.DeleteOperation, "roles/tmp", nil) },
		)
		switch {
		case issued.OK() && deleted.Status == http.StatusConflict:
			if code := m.Code(issued.Str("key")); code != "valid" {
				t.Fatalf("the issued key is %s", code)
			}
			m.Must("revoke/"+issued.Str("key_id"), nil)
		case issued.Status == http.StatusNotFound && deleted.OK():
		default:
			t.Fatalf("issue %d %s, delete %d %s", issued.Status, issued.Text, deleted.Status, deleted.Text)
		}
		if a := m.Do(logical.DeleteOperation, "roles/tmp", nil); !a.OK() {
			t.Fatalf("delete the role: %d %s", a.Status, a.Text)
		}
	}
}

// TestUpdateRevokeAndRehashAtOnce changes the hashing cost each time, so that the
// first verify offers a re-hash, which must not write an old record over a new.
func TestUpdateRevokeAndRehashAtOnce(t *testing.T) {
	m := raceMount(t)
	for n := range 40 {
		var keys []mount.Answer
		for range 4 {
			keys = append(keys, m.Must("issue/web", map[string]any{"owner": "acme"}))
		}
		mount.SetCost(t, m.Storage, keyhash.Params{MemoryKiB: uint32(9 + n), Iterations: 1, Parallelism: 1})
		m.Restart() // a re-hash at once: one that follows another waits
		var work []func()
		for i, k := range keys {
			id, text := k.Str("key_id"), k.Str("key")
			work = append(work, func() { m.Code(text) }, func() { m.Write("keys/"+id, map[string]any{"name": "x"}) })
			if i%2 == 0 {
				work = append(work, func() { m.Must("revoke/"+id, nil) })
			}
		}
		together(work...)
		for i, k := range keys {
			want := []string{"revoked", "valid"}[i%2]
			if code := m.Code(k.Str("key")); code != want {
				t.Errorf("key %d is %s, want %s", i, code, want)
			}
			if i%2 == 1 && m.Read("keys/"+k.Str("key_id")).Str("name") != "x" {
				t.Error("an update was lost")
			}
		}
	}
}

func TestRightAndWrongSecretsAtOnceOnAColdKey(t *testing.T) {
	m := raceMount(t)
	k := m.Must("issue/web", nil)
	right := k.Str("key")
	wrong := m.Sibling(right)
	for range 3 {
		m.Restart()
		var valid, invalid atomic.Int32
		work := make([]func(), 200)
		for i := range work {
			work[i] = func() {
				text, count, want := right, &valid, "valid"
				if i%2 == 1 {
					text, count, want = wrong, &invalid, "invalid"
				}
				if code := m.Code(text); code == want {
					count.Add(1)
				} else {
					t.Errorf("%s, want %s", code, want)
				}
			}
		}
		together(work...)
		if valid.Load() != 100 || invalid.Load() != 100 {
			t.Errorf("%d valid, %d invalid of 100 each", valid.Load(), invalid.Load())
		}
	}
}
