package apikey

import (
	"errors"
	"fmt"
	"io"
)

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base     = uint64(len(alphabet))

	// maxTag is the largest uint64 in base62. Eleven symbols reach further, so
	// larger texts must be refused: they would name a number a second time.
	maxTag = "LygHa16AHYF"
)

// places is where each symbol stands in the alphabet, counted from 1; 0 is of what
// is no symbol. It is a table because Parse asks it for every byte of a key.
var places = func() (of [256]uint8) {
	for i := range len(alphabet) {
		of[alphabet[i]] = uint8(i + 1)
	}
	return of
}()

func allSymbols(s string) bool {
	for i := range len(s) {
		if places[s[i]] == 0 {
			return false
		}
	}
	return true
}

// putNumber fills dst with n, padded with 0 on the left. What does not fit is
// lost; callers choose dst so that everything fits.
func putNumber(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = alphabet[n%base]
		n /= base
	}
}

// number reads what putNumber wrote. The caller has checked the symbols and
// that the value fits.
func number(s string) (n uint64) {
	for i := range len(s) {
		n = n*base + uint64(places[s[i]]-1)
	}
	return n
}

// maxDraws bounds how often drawSymbols asks for more bytes. One byte in 32 is
// thrown away, so a sound source needs two or three draws, and one that has
// not delivered after this many is broken: better an error than a loop.
const maxDraws = 32

var errRandom = errors.New("the source of randomness repeats itself")

// drawSymbols fills dst with uniformly random symbols. Bytes from 248 = 4×62
// up are thrown away: folding them in would favour the first eight symbols.
func drawSymbols(rand io.Reader, dst []byte) error {
	const fair = 256 / len(alphabet) * len(alphabet)
	rest := dst
	for range maxDraws {
		if _, err := io.ReadFull(rand, rest); err != nil {
			return fmt.Errorf("read randomness: %w", err)
		}
		kept := 0
		for _, b := range rest {
			if int(b) < fair {
				rest[kept] = alphabet[int(b)%len(alphabet)]
				kept++
			}
		}
		if rest = rest[kept:]; len(rest) == 0 {
			return nil
		}
	}
	return errRandom
}
