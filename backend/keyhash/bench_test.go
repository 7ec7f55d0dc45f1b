package keyhash

import (
	"crypto/rand"
	"testing"
)

func BenchmarkMatchDefault(b *testing.B) {
	h := NewHasher(2)
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := h.Match(b.Context(), Stored(vectors[0].phc), vectors[0].text); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkSumDefault(b *testing.B) {
	h := NewHasher(2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Sum(b.Context(), rand.Reader, DefaultParams(), "text"); err != nil {
			b.Fatal(err)
		}
	}
}

// What a check costs besides Argon2.
func BenchmarkMatchWithoutArgon2(b *testing.B) {
	h := NewHasher(2)
	hash, stored := make([]byte, hashLength), Stored(vectors[0].phc)
	h.argon2 = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte { return hash }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Match(b.Context(), stored, vectors[0].text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNeedsRehash(b *testing.B) {
	hash, want := Stored(vectors[0].phc), DefaultParams()
	b.ReportAllocs()
	for b.Loop() {
		if NeedsRehash(hash, want) {
			b.Fatal("needed")
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(vectors[0].phc); err != nil {
			b.Fatal(err)
		}
	}
}
