// Package network is the list of networks that a key may be used from.
//
// An entry is a CIDR or a single address, written in exactly one of the forms
// that mean one thing everywhere: host bits set, leading zeros in an octet,
// zones, ports and spaces are refused, because readers of such texts disagree
// about what they mean. An IPv4 address inside IPv6 (::ffff:10.0.0.1) is taken
// for the IPv4 address that it is, in entries and in callers' addresses alike,
// since a dual-stack listener reports IPv4 callers in that form. The other
// tunnels (6to4, NAT64) are IPv6 like any other. So ::/0 means all of IPv6 and
// no IPv4.
//
// A list that was parsed never changes. Errors say which entry is wrong and
// how, and never repeat it. Where an address comes from, and whether it can be
// believed, is up to the caller: this package never sees a request.
package network

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// MaxEntries is the length of the longest list. The number is our own: a list
// is walked for every request that it guards.
const MaxEntries = 256

// A List is a list of networks. The zero List is empty.
//
// Contains takes it literally: an empty list contains nothing. That a key
// without networks may be used from anywhere is a rule about keys, so whoever
// applies it asks Empty first.
type List struct {
	written  []string
	networks []netip.Prefix
}

var (
	errTooMany  = fmt.Errorf("a list of networks has at most %d entries", MaxEntries)
	errNot      = errors.New("is not a CIDR or an address")
	errEmpty    = errors.New("is empty")
	errZone     = errors.New("has a zone")
	errHostBits = errors.New("has host bits set")
	errMapped   = errors.New("is IPv4-mapped and wider than /96")
	errNull     = errors.New("a list of networks is not null")
	errAddress  = errors.New("not an IP address")
)

// Parse reads a list of CIDRs and addresses. No entries make an empty list.
func Parse(entries []string) (List, error) {
	if len(entries) > MaxEntries {
		return List{}, errTooMany
	}
	if len(entries) == 0 {
		return List{}, nil
	}
	networks := make([]netip.Prefix, len(entries))
	for i, entry := range entries {
		p, err := parseEntry(entry)
		if err != nil {
			return List{}, fmt.Errorf("entry %d %w", i+1, err)
		}
		networks[i] = p
	}
	return List{written: slices.Clone(entries), networks: networks}, nil
}

func parseEntry(s string) (netip.Prefix, error) {
	switch {
	case s == "":
		return netip.Prefix{}, errEmpty
	case strings.Contains(s, "%"):
		return netip.Prefix{}, errZone
	case strings.Contains(s, "/"):
		return parseCIDR(s)
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, errNot
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

func parseCIDR(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errNot
	}
	if p.Addr().Is4In6() {
		const mapped = 96 // ::ffff:0:0/96 is all of IPv4
		if p.Bits() < mapped {
			return netip.Prefix{}, errMapped
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	if p != p.Masked() {
		return netip.Prefix{}, errHostBits
	}
	return p, nil
}

// ParseAddr reads a caller's address as strictly as an entry of a list. The
// address that it returns is unmapped and has no zone.
func ParseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, errAddress
	}
	return addr.Unmap(), nil
}

// Empty reports whether the list has no entries.
func (l List) Empty() bool { return len(l.networks) == 0 }

// Strings returns the entries as they were written. It is never nil, and the
// caller's to keep.
func (l List) Strings() []string {
	return append([]string{}, l.written...)
}

// Count is the number of entries.
func (l List) Count() int { return len(l.written) }

// Length is that of all entries as they were written, in bytes.
func (l List) Length() (n int) {
	for _, entry := range l.written {
		n += len(entry)
	}
	return n
}

// Contains reports whether the address lies in one of the networks. The zero
// address and addresses with a zone lie in none.
func (l List) Contains(addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(l.networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Within reports whether every network of the list lies inside one network of
// outer. Here an empty list stands for anywhere: everything is within an empty
// outer, and an empty list is within no other. Two halves of a network in
// outer do not count as the whole; this only ever refuses too much.
func (l List) Within(outer List) bool {
	if outer.Empty() {
		return true
	}
	if l.Empty() {
		return false
	}
	for _, p := range l.networks {
		inside := func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }
		if !slices.ContainsFunc(outer.networks, inside) {
			return false
		}
	}
	return true
}

// MarshalJSON writes the entries as a list of strings, an empty one as [].
func (l List) MarshalJSON() ([]byte, error) {
	return json.Marshal(l.Strings())
}

// UnmarshalJSON reads what MarshalJSON writes, under the rules of Parse. It
// refuses null, which MarshalJSON never writes: a restriction that got lost
// must not read as none.
func (l *List) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return errNull
	}
	var entries []string
	if err := json.Unmarshal(data, &entries); err != nil {
		return errors.New("a list of networks is a list of strings")
	}
	parsed, err := Parse(entries)
	if err != nil {
		return err
	}
	*l = parsed
	return nil
}
