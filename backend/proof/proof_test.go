package proof

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

const (
	plain  = "acme_live_3kTMd9Xq2LwVb7Rc_001K4cYbT0u3uBvXb1yqzMHHyPZ4V9gQ9qCpeUzJ2WrLnXE7AbCdEfGhIj123456"
	stored = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

var text, phc = apikey.Present(plain), keyhash.Stored(stored)

func TestAProofIsOfOneTextAndOneHash(t *testing.T) {
	t.Parallel()
	c := New(100)
	c.Add(text, phc)
	for name, tc := range map[string]struct {
		text, phc string
		want      bool
	}{
		"the very pair":                       {plain, stored, true},
		"another text":                        {plain[:len(plain)-1] + "7", stored, false},
		"another hash":                        {plain, strings.Replace(stored, "AAEC", "AAED", 1), false},
		"other costs":                         {plain, strings.Replace(stored, "t=2", "t=3", 1), false},
		"another case":                        {strings.ToUpper(plain), stored, false},
		"a longer text":                       {plain + " ", stored, false},
		"a shorter text":                      {plain[1:], stored, false},
		"no text":                             {"", stored, false},
		"no hash":                             {plain, "", false},
		"nothing":                             {"", "", false},
		"the two in the other order":          {stored, plain, false},
		"the same bytes, split further left":  {plain[:20], plain[20:] + stored, false},
		"the same bytes, split further right": {plain + stored[:20], stored[20:], false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.Has(apikey.Present(tc.text), keyhash.Stored(tc.phc)); got != tc.want {
				t.Errorf("proven: %v", got)
			}
		})
	}
}

func TestAnEmptyCacheProvesNothing(t *testing.T) {
	t.Parallel()
	c := New(100)
	if c.Has(text, phc) || c.Len() != 0 {
		t.Error("it proves what it never saw")
	}
	if c.Has(text, phc); c.Len() != 0 {
		t.Error("asking added a proof")
	}
}

func TestAProofIsWorthNothingToAnotherCache(t *testing.T) {
	t.Parallel()
	one, other := New(100), New(100)
	one.Add(text, phc)
	if one.macs.Of(text, phc.Reveal()) == other.macs.Of(text, phc.Reveal()) {
		t.Error("two caches make the same mac")
	}
	if other.Has(text, phc) {
		t.Error("another cache takes the proof")
	}
}

func TestTheBoundHolds(t *testing.T) {
	t.Parallel()
	c := New(64)
	for i := range 2000 {
		c.Add(apikey.Present(fmt.Sprint(i)), phc)
	}
	if c.Len() > 64 {
		t.Errorf("%d proofs in a cache of 64", c.Len())
	}
	c.Configure(record.Config{VerifyCacheSize: 640})
	for i := range 5000 {
		c.Add(apikey.Present(fmt.Sprint(i)), phc)
	}
	if c.Len() <= 64 || c.Len() > 640 {
		t.Errorf("%d proofs in a cache of 640", c.Len())
	}
}

// The pool's scratch space is the only memory of the package that ever holds a
// text; what stays are macs.
func TestNoTextStaysInMemory(t *testing.T) {
	t.Parallel()
	c := New(100)
	m := c.macs.makers.New().(*maker)
	c.macs.makers.New = func() any { return m } // also when the race detector empties the pool
	c.Add(text, phc)
	if !c.Has(text, phc) {
		t.Fatal("not proven")
	}
	if cap(m.buffer) < len(plain)+len(stored) {
		t.Fatal("the scratch space was not used, so this test looks at nothing")
	}
	if left := bytes.Trim(m.buffer[:cap(m.buffer)], "\x00"); len(left) != 0 {
		t.Errorf("%d bytes stay in the scratch space", len(left))
	}
	// The hash keeps what has not filled a block yet: the end of the PHC.
	if kept := held(reflect.ValueOf(m.hash)); bytes.Contains(kept, []byte(plain[27:60])) || !bytes.Contains(kept, []byte(stored[len(stored)-8:])) {
		t.Error("the hash keeps the secret, or this test looks at nothing")
	}
}

func TestManyAtOnceDoNotMixTheirProofs(t *testing.T) {
	t.Parallel()
	c := New(100_000)
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 300 {
				mine, not := apikey.Present(fmt.Sprint("text", w, ".", i)), apikey.Present(fmt.Sprint("wrong", w, ".", i))
				c.Add(mine, phc)
				if !c.Has(mine, phc) || c.Has(not, phc) {
					t.Errorf("worker %d, text %d", w, i)
					return
				}
			}
		})
	}
	workers.Wait()
}

func TestAProofIsFoundWithoutAllocating(t *testing.T) {
	c := New(100)
	m := c.macs.makers.New()
	c.macs.makers.New = func() any { return m } // the race detector empties the pool at random
	c.Add(text, phc)
	if n := testing.AllocsPerRun(100, func() { c.Has(text, phc) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHit(b *testing.B) {
	c := New(100)
	c.Add(text, phc)
	b.ReportAllocs()
	for b.Loop() {
		if !c.Has(text, phc) {
			b.Fatal("not proven")
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	c := New(100)
	b.ReportAllocs()
	for b.Loop() {
		if c.Has(text, phc) {
			b.Fatal("proven")
		}
	}
}

// A gate's MACs are of texts alone, so there is no hash behind the text to be kept.
func TestNoTextStaysInTheHashWhereNothingFollowsIt(t *testing.T) {
	t.Parallel()
	for _, with := range []string{"", "web", strings.Repeat("w", 63), strings.Repeat("w", 64)} {
		macs := NewMACs()
		m := macs.makers.New().(*maker)
		macs.makers.New = func() any { return m }
		macs.Of(text, with)
		kept := held(reflect.ValueOf(m.hash))
		for i := 0; i+8 <= len(plain); i++ {
			if bytes.Contains(kept, []byte(plain[i:i+8])) {
				t.Fatalf("with %q the hash keeps the text from %d on", with, i)
			}
		}
	}
}

// held are all bytes that can be reached from a value.
func held(v reflect.Value) (all []byte) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return held(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, held(v.Field(i))...)
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() == reflect.Uint8 {
				all = append(all, byte(e.Uint()))
			} else {
				all = append(all, held(e)...)
			}
		}
	}
	return all
}
