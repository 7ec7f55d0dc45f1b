package backend_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
)

func TestVerifyAndRevokeAtOnce(t *testing.T) {
	m := raceMount(t)
	for range rounds {
		k := m.must("issue/web", nil)
		text, id := k.str("key"), k.str("key_id")
		var revoked atomic.Bool
		verify := func() {
			for range 4 {
				before := revoked.Load()
				if code := m.code(text); before && code != "revoked" {
					t.Errorf("a verify that began after the revocation's answer: %s", code)
				}
			}
		}
		together(verify, verify, func() {
			m.must("revoke/"+id, nil)
			revoked.Store(true)
		})
		if code := m.code(text); code != "revoked" {
			t.Fatalf("afterwards: %s", code)
		}
	}
}

func TestManyRotationsAtOnce(t *testing.T) {
	m := raceMount(t)
	for range 20 {
		k := m.must("issue/web", nil)
		answers := make([]answer, 10)
		work := make([]func(), len(answers))
		for i := range work {
			work[i] = func() {
				if i%2 == 0 {
					answers[i] = m.write("rotate/"+k.str("key_id"), nil)
				} else {
					answers[i] = m.write("rotate", map[string]any{"key": k.str("key")})
				}
			}
		}
		together(work...)
		texts, worked := []string{k.str("key")}, 0
		for _, a := range answers {
			switch a.status {
			case http.StatusOK:
				texts = append(texts, a.str("key"))
				worked++
			case http.StatusConflict:
			default:
				t.Fatalf("a rotation answered %d %s", a.status, a.text)
			}
		}
		valid := 0
		for _, text := range texts {
			if m.code(text) == "valid" {
				valid++
			}
		}
		newest := m.read("keys/" + k.str("key_id")).data["version"]
		if worked == 0 || newest != float64(1+worked) || valid != 2 {
			t.Fatalf("%d rotations worked, the newest version is %v, %d texts are valid", worked, newest, valid)
		}
	}
}

func TestRotateAndRevokeAtOnce(t *testing.T) {
	m := raceMount(t)
	for range rounds {
		k := m.must("issue/web", nil)
		var rotated answer
		together(
			func() { rotated = m.write("rotate/"+k.str("key_id"), nil) },
			func() { m.must("revoke/"+k.str("key_id"), nil) },
		)
		texts := []string{k.str("key")}
		if rotated.ok() {
			texts = append(texts, rotated.str("key"))
		} else if rotated.status != http.StatusConflict {
			t.Fatalf("the rotation answered %d %s", rotated.status, rotated.text)
		}
		for _, text := range texts {
			if code := m.code(text); code != "revoked" {
				t.Fatalf("after both: %s", code)
			}
		}
	}
}

func TestIssueDuringTidy(t *testing.T) {
	m := raceMount(t)
	m.must("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "revoked_retention": 0})
	setCost(t, m.storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
	m.backend.InvalidateKey(t.Context(), "config")
	var texts [4][]string
	work := make([]func(), len(texts))
	for n := range work {
		work[n] = func() {
			for i := range 60 {
				k := m.must("issue/web", map[string]any{"owner": []string{"acme", "b"}[i%2]})
				if i%3 == 0 {
					m.must("revoke/"+k.str("key_id"), nil)
					continue
				}
				texts[n] = append(texts[n], k.str("key"))
			}
		}
	}
	var stop atomic.Bool
	go func() {
		defer stop.Store(true)
		together(work...)
	}()
	for !stop.Load() {
		if state := m.tidy(); state != "done" {
			t.Fatalf("tidy: %s", state)
		}
	}
	m.tidy()
	live := 0
	for _, list := range texts {
		for _, text := range list {
			live++
			if code := m.code(text); code != "valid" {
				t.Fatalf("a live key is %s", code)
			}
		}
	}
	if keys := m.do(logical.ListOperation, "keys/", nil).data["keys"].([]any); len(keys) != live {
		t.Errorf("tidy leaves %d keys, %d live", len(keys), live)
	}
}

func TestRoleDeletionAndIssueAtOnce(t *testing.T) {
	m := raceMount(t)
	for range rounds {
		m.must("roles/tmp", map[string]any{"generate_lease": false})
		var issued, deleted answer
		together(
			func() { issued = m.write("issue/tmp", nil) },
			func() { deleted = m.do(logical.DeleteOperation, "roles/tmp", nil) },
		)
		switch {
		case issued.ok() && deleted.status == http.StatusConflict:
			if code := m.code(issued.str("key")); code != "valid" {
				t.Fatalf("the issued key is %s", code)
			}
			m.must("revoke/"+issued.str("key_id"), nil)
		case issued.status == http.StatusNotFound && deleted.ok():
		default:
			t.Fatalf("issue %d %s, delete %d %s", issued.status, issued.text, deleted.status, deleted.text)
		}
		if a := m.do(logical.DeleteOperation, "roles/tmp", nil); !a.ok() {
			t.Fatalf("delete the role: %d %s", a.status, a.text)
		}
	}
}

// TestUpdateRevokeAndRehashAtOnce changes the hashing cost each time, so that the
// first verify offers a re-hash, which must not write an old record over a new.
func TestUpdateRevokeAndRehashAtOnce(t *testing.T) {
	m := raceMount(t)
	for n := range 40 {
		var keys []answer
		for range 4 {
			keys = append(keys, m.must("issue/web", map[string]any{"owner": "acme"}))
		}
		setCost(t, m.storage, keyhash.Params{MemoryKiB: uint32(9 + n), Iterations: 1, Parallelism: 1})
		m.restart() // a re-hash at once: one that follows another waits
		var work []func()
		for i, k := range keys {
			id, text := k.str("key_id"), k.str("key")
			work = append(work, func() { m.code(text) }, func() { m.write("keys/"+id, map[string]any{"name": "x"}) })
			if i%2 == 0 {
				work = append(work, func() { m.must("revoke/"+id, nil) })
			}
		}
		together(work...)
		for i, k := range keys {
			want := []string{"revoked", "valid"}[i%2]
			if code := m.code(k.str("key")); code != want {
				t.Errorf("key %d is %s, want %s", i, code, want)
			}
			if i%2 == 1 && m.read("keys/"+k.str("key_id")).str("name") != "x" {
				t.Error("an update was lost")
			}
		}
	}
}

func TestRightAndWrongSecretsAtOnceOnAColdKey(t *testing.T) {
	m := raceMount(t)
	k := m.must("issue/web", nil)
	right := k.str("key")
	wrong := m.sibling(right)
	for range 3 {
		m.restart()
		var valid, invalid atomic.Int32
		work := make([]func(), 200)
		for i := range work {
			work[i] = func() {
				text, count, want := right, &valid, "valid"
				if i%2 == 1 {
					text, count, want = wrong, &invalid, "invalid"
				}
				if code := m.code(text); code == want {
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
