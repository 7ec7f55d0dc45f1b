package feed_test

import (
	"crypto/rand"
	"testing"

	"vault-plugin-secrets-apikeys/backend/feed"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestWithoutGatesTellingAllocatesNothing(t *testing.T) {
	w := &world{T: t}
	f := feed.New(w, w, rand.Reader, func() bool { return true })
	if n := testing.AllocsPerRun(1000, func() { f.Tell(wire.KeyKind, "3kTMd9Xq2LwVb7Rc") }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkTell(b *testing.B) {
	for _, gates := range []string{"without", "with"} {
		b.Run(gates+" a gate", func(b *testing.B) {
			w := new(world)
			f := feed.New(w, w, rand.Reader, func() bool { return true })
			if gates == "with" {
				if _, err := f.Poll(b.Context(), wire.Poll{Gate: "edge", Run: "r"}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Tell(wire.KeyKind, "3kTMd9Xq2LwVb7Rc")
			}
		})
	}
}
