package edge

import (
	"net/netip"
	"time"

	"vault-plugin-secrets-apikeys/backend/cache"
)

// budget bounds what Vault is asked about texts that turn out to be no keys: a flood of
// them is answered here. A text that turns out to be one costs nothing, so that a cold
// start is never limited.
//
// It is used by one goroutine at a time.
type budget struct {
	all  bucket
	each *cache.Cache[netip.Prefix, *bucket] // by the client's address, where it is known
}

// bucket holds what may still turn out invalid.
type bucket struct {
	used float64
	at   time.Duration
	out  int // that were asked about and are not judged yet
}

// burst is for how many seconds a bucket may be used at once.
const (
	allRate  = 500 // a second: 1.8 % of one of Vault's cores
	eachRate = 20
	burst    = 10

	// coldPart is how much of a bucket those that are not judged yet have in a cold start.
	coldPart = 0.25

	addresses = 65536 // that are told apart; who has more is bounded by what all have
)

func newBudget() budget {
	return budget{each: cache.New[netip.Prefix, *bucket](addresses)}
}

// answer of a budget.
type allowance int

const (
	over  allowance = iota // too many turned out invalid
	later                  // many are asked about, and may turn out to be keys
	mayAsk
)

// take asks for one text of a client.
func (b *budget) take(client netip.Prefix, now time.Duration) allowance {
	all := b.all.ask(allRate, now)
	if all != mayAsk || !client.IsValid() {
		return b.out(all, nil)
	}
	of := b.of(client)
	if each := of.ask(eachRate, now); each != mayAsk {
		return each
	}
	return b.out(mayAsk, of)
}

// spent tells whether nothing is left for a text of a client.
func (b *budget) spent(client netip.Prefix, now time.Duration) bool {
	if b.all.ask(allRate, now) == over {
		return true
	}
	of, known := b.each.Peek(client)
	return known && of.ask(eachRate, now) == over
}

func (b *budget) out(all allowance, of *bucket) allowance {
	if all == mayAsk {
		b.all.take()
		if of != nil {
			of.take()
		}
	}
	return all
}

func (b *budget) of(client netip.Prefix) *bucket {
	of, ok, _ := b.each.Get(client)
	if !ok {
		of = new(bucket)
		b.each.Put(client, of)
	}
	return of
}

// settle takes back what was taken for a text, unless it turned out invalid.
func (b *budget) settle(client netip.Prefix, invalid bool) {
	b.all.settle(invalid)
	if client.IsValid() {
		if of, ok := b.each.Peek(client); ok {
			of.settle(invalid)
		}
	}
}

func (b *bucket) ask(rate float64, now time.Duration) allowance {
	b.used = max(float64(b.out), b.used-rate*(now-b.at).Seconds())
	b.at = now
	switch {
	case b.used+1 <= rate*burst:
		return mayAsk
	// What is used up by those that are not judged yet is a cold start, until they are. What
	// is used up by those that were no keys is a flood: whoever waited there would keep a
	// connection of the gateway for as long as one may, and others without.
	case float64(b.out) >= rate*burst*coldPart:
		return later
	}
	return over
}

func (b *bucket) take() { b.used, b.out = b.used+1, b.out+1 }

func (b *bucket) settle(invalid bool) {
	b.out = max(0, b.out-1)
	if !invalid {
		b.used = max(0, b.used-1)
	}
}

// clientOf is whom a budget is for: an IPv4 address, or what one client has of IPv6.
func clientOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	client, _ := addr.Prefix(bits) // the zero Prefix of the zero Addr
	return client
}
