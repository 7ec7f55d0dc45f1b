package apikey

import (
	"crypto/rand"
	"strings"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	text := mustGenerate(b, testTagKey(b, 1), "acme_live", 1).Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Present(text)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRefusesWrongCRC(b *testing.B) {
	text := mustGenerate(b, testTagKey(b, 1), "acme_live", 1).Reveal()
	text = replaceAt(text, len(text)-CRCLength, "zzzzzz")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Present(text)); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkParseRefusesAMegabyte(b *testing.B) {
	text := strings.Repeat("a", 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Present(text)); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkGenuine(b *testing.B) {
	tk := testTagKey(b, 1)
	k := mustGenerate(b, tk, "acme_live", 1)
	b.ReportAllocs()
	for b.Loop() {
		if !tk.Genuine(k) {
			b.Fatal("not genuine")
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	tk := testTagKey(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Generate(rand.Reader, tk, "acme_live", "3kTMd9Xq2LwVb7Rc", 1); err != nil {
			b.Fatal(err)
		}
	}
}
