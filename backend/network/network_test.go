package network

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func mustParse(t testing.TB, entries ...string) List {
	t.Helper()
	l, err := Parse(entries)
	if err != nil {
		t.Fatalf("%q: %v", entries, err)
	}
	return l
}

// refused are texts that are neither an entry nor, all the more, an address.
var refused = []string{
	"", " ", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1\n", "10.0.0.1\x00", "10.0.0.0/8 ", "10.0.0.0 /8", "10.0.0.0/ 8",
	"010.0.0.1", "10.0.0.01", "10.0.0.010/32", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/-8", "10.0.0.0/", "/8", "10.0.0.0/33",
	"10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.1/8", "10.0.0.1/31", "0.0.0.1/0", "10", "10.0", "10.0.0", "10.0.0.0.0", "256.0.0.1",
	"0x0a.0.0.1", "167772161", "10.0.0.1:80", "10.0.0.1,10.0.0.2", "1.2.3.4, 10.0.0.1", "unknown", "localhost", "*", "10.0.0.*", "10.0.0.1-9",
	"[::1]", "[::1]:80", "::1%eth0", "fe80::1%1", "fe80::%eth0/64", "fe80::1%", "::1/127", "2001:db8::1/32", "2001:db8::/129", "2001:db8::/064",
	"::1::", ":::", "00001::", "12345::", "1:2:3:4:5:6:7", "g::", "::ffff:010.0.0.1", "::ffff:10.0.0.1/104",
	"::ffff:0:0/95", "::ffff:10.0.0.0/8", "::ffff:0.0.0.0/0", "::ffff:10.0.0.0/129", "１0.0.0.1", "10。0。0。1", "\ufeff10.0.0.1", "\xff",
}

func TestAmbiguousTextsAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range refused {
		l, err := Parse([]string{"192.0.2.1", "192.0.2.2", s})
		if err == nil || !l.Empty() {
			t.Errorf("entry %q was accepted", s)
			continue
		}
		if !strings.HasPrefix(err.Error(), "entry 3 ") || len(s) > 3 && strings.Contains(err.Error(), s) {
			t.Errorf("entry %q: the error is %q", s, err)
		}
		if addr, err := ParseAddr(s); err == nil || addr.IsValid() {
			t.Errorf("address %q was accepted", s)
		}
	}
	for _, s := range []string{"10.0.0.0/8", "::1/128", "10.0.0.1/32"} {
		if _, err := ParseAddr(s); err == nil {
			t.Errorf("%q is not an address", s)
		}
	}
}

func TestAnErrorSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"hello":         "entry 1 is not a CIDR or an address",
		"":              "entry 1 is empty",
		"10.0.0.1/8":    "entry 1 has host bits set",
		"fe80::1%eth0":  "entry 1 has a zone",
		"::ffff:0:0/95": "entry 1 is IPv4-mapped and wider than /96",
	} {
		if _, err := Parse([]string{entry}); err == nil || err.Error() != want {
			t.Errorf("%q: got %v", entry, err)
		}
	}
	if _, err := ParseAddr("s3cret"); err == nil || err.Error() != "not an IP address" {
		t.Errorf("got %v", err)
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry    string
		in, outs []string
	}{
		{"10.0.0.0/8", []string{"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "::ffff:a01:203"}, []string{"9.255.255.255", "11.0.0.0", "::a00:1", "::ffff:11.0.0.0", "2002:a00:1::"}},
		{"10.0.0.1", []string{"10.0.0.1", "::ffff:10.0.0.1"}, []string{"10.0.0.0", "10.0.0.2", "::10.0.0.1"}},
		{"10.0.0.1/32", []string{"10.0.0.1"}, []string{"10.0.0.2"}},
		{"0.0.0.0/0", []string{"0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"}, []string{"::", "::1", "2001:db8::1"}},
		{"::/0", []string{"::", "::1", "2001:db8::1", "::10.0.0.1"}, []string{"10.0.0.1", "::ffff:10.0.0.1"}},
		{"::ffff:10.0.0.1", []string{"10.0.0.1", "::ffff:10.0.0.1"}, []string{"10.0.0.2"}},
		{"::ffff:10.0.0.0/104", []string{"10.0.0.0", "10.255.255.255", "::ffff:10.9.9.9"}, []string{"11.0.0.0", "::1"}},
		{"::ffff:0:0/96", []string{"1.2.3.4", "::ffff:1.2.3.4"}, []string{"::1", "2001:db8::1"}},
		{"::ffff:10.0.0.1/128", []string{"10.0.0.1"}, []string{"10.0.0.0"}},
		{"2001:db8::/32", []string{"2001:db8::", "2001:db8:ffff:ffff::1", "2001:0db8:0:0:0:0:0:1", "2001:DB8::A"}, []string{"2001:db9::", "10.0.0.1"}},
		{"2001:db8::1", []string{"2001:db8::1"}, []string{"2001:db8::2"}},
		{"::1", []string{"::1"}, []string{"127.0.0.1", "::ffff:127.0.0.1"}},
		{"2002:a00:1::/48", []string{"2002:a00:1::5"}, []string{"10.0.0.1"}},
		{"64:ff9b::/96", []string{"64:ff9b::10.0.0.1"}, []string{"10.0.0.1"}},
	} {
		l := mustParse(t, "192.0.2.1", c.entry)
		for _, s := range c.in {
			if addr, err := ParseAddr(s); err != nil || !l.Contains(addr) || !l.Contains(netip.MustParseAddr(s)) {
				t.Errorf("%s does not contain %s (%v)", c.entry, s, err)
			}
		}
		for _, s := range c.outs {
			if addr, err := ParseAddr(s); err != nil || l.Contains(addr) || l.Contains(netip.MustParseAddr(s)) {
				t.Errorf("%s contains %s (%v)", c.entry, s, err)
			}
		}
		if l.Contains(netip.Addr{}) || l.Contains(netip.MustParseAddr("2001:db8::1%eth0")) {
			t.Errorf("%s contains what is no address", c.entry)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		inner, outer []string
		want         bool
	}{
		{nil, nil, true},
		{[]string{"10.0.0.0/8"}, nil, true},
		{nil, []string{"10.0.0.0/8"}, false},
		{nil, []string{"0.0.0.0/0", "::/0"}, false},
		{[]string{"10.0.0.0/8"}, []string{"10.0.0.0/8"}, true},
		{[]string{"10.1.0.0/16", "10.0.0.7"}, []string{"10.0.0.0/8"}, true},
		{[]string{"10.1.0.0/16", "11.0.0.7"}, []string{"10.0.0.0/8"}, false},
		{[]string{"10.0.0.0/7"}, []string{"10.0.0.0/8"}, false},
		{[]string{"0.0.0.0/0"}, []string{"10.0.0.0/8"}, false},
		{[]string{"10.0.0.0/8", "2001:db8:1::/48"}, []string{"2001:db8::/32", "10.0.0.0/8"}, true},
		{[]string{"10.0.0.0/8"}, []string{"10.0.0.0/9", "10.128.0.0/9"}, false},
		{[]string{"10.0.0.0/8"}, []string{"::/0"}, false},
		{[]string{"::1"}, []string{"0.0.0.0/0"}, false},
		{[]string{"::ffff:10.0.0.0/104"}, []string{"10.0.0.0/8"}, true},
		{[]string{"10.0.0.1"}, []string{"::ffff:10.0.0.1"}, true},
		{[]string{"::ffff:10.0.0.1"}, []string{"::/0"}, false},
	} {
		if got := mustParse(t, c.inner...).Within(mustParse(t, c.outer...)); got != c.want {
			t.Errorf("%q within %q is %v", c.inner, c.outer, got)
		}
	}
}

func TestAListIsAnsweredAsItWasWritten(t *testing.T) {
	t.Parallel()
	written := []string{"10.0.0.0/8", "::ffff:10.0.0.1", "2001:0DB8::/32", "10.0.0.0/8"}
	l := mustParse(t, written...)
	if !slices.Equal(l.Strings(), written) {
		t.Errorf("got %q", l.Strings())
	}
	if got := (List{}).Strings(); got == nil || len(got) != 0 {
		t.Errorf("the zero list is %#v", got)
	}
}

func TestAListNeverChanges(t *testing.T) {
	t.Parallel()
	written := []string{"10.0.0.0/8"}
	l := mustParse(t, written...)
	written[0] = "0.0.0.0/0"
	l.Strings()[0] = "0.0.0.0/0"
	if got := l.Strings(); got[0] != "10.0.0.0/8" || l.Contains(netip.MustParseAddr("11.0.0.1")) {
		t.Errorf("the list is now %q", got)
	}
}

func TestAListHasAtMost256Entries(t *testing.T) {
	t.Parallel()
	entries := slices.Repeat([]string{"10.0.0.1"}, MaxEntries)
	mustParse(t, entries...)
	if _, err := Parse(append(entries, "10.0.0.1")); err == nil {
		t.Error("one more was accepted")
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	type stored struct {
		Networks List `json:"networks"`
		Optional List `json:"optional,omitzero"`
	}
	for text, entries := range map[string][]string{
		`{"networks":[]}`: nil,
		`{"networks":["10.0.0.0/8","::ffff:1.2.3.4"]}`: {"10.0.0.0/8", "::ffff:1.2.3.4"},
	} {
		in := stored{Networks: mustParse(t, entries...)}
		b, err := json.Marshal(in)
		if err != nil || string(b) != text {
			t.Errorf("%q is written as %s, %v", entries, b, err)
		}
		out := stored{Networks: mustParse(t, "192.0.2.1")}
		if err := json.Unmarshal(b, &out); err != nil || !reflect.DeepEqual(in, out) {
			t.Errorf("%s is read as %v, %v", b, out, err)
		}
	}
	for _, text := range []string{`null`, ` null `, `"10.0.0.0/8"`, `{}`, `[null]`, `[1]`, `["10.0.0.1/8"]`, `[""]`, `["s3cret"]`} {
		l := mustParse(t, "192.0.2.1")
		err := l.UnmarshalJSON([]byte(text))
		if err == nil || strings.Contains(err.Error(), "s3cret") || !slices.Equal(l.Strings(), []string{"192.0.2.1"}) {
			t.Errorf("%s: %v, and the list is %q", text, err, l.Strings())
		}
	}
}

// randomEntry picks among few networks, so that they meet often.
func randomEntry(random *rand.Rand) string {
	if random.IntN(2) == 0 {
		bits := 24 + random.IntN(9)
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(256))}), bits).Masked().String()
	}
	addr := netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", random.IntN(256)))
	return netip.PrefixFrom(addr, 120+random.IntN(9)).Masked().String()
}

func TestWhatIsWithinAListContainsNothingElse(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var addrs []netip.Addr
	for i := range 256 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)))
	}
	within := 0
	for range 2000 {
		inner := mustParse(t, randomEntry(random))
		outer := mustParse(t, randomEntry(random), randomEntry(random))
		if !inner.Within(inner) {
			t.Fatalf("%q is not within itself", inner.Strings())
		}
		if !inner.Within(outer) {
			continue
		}
		within++
		for _, a := range addrs {
			if inner.Contains(a) && !outer.Contains(a) {
				t.Fatalf("%q is within %q but for %s", inner.Strings(), outer.Strings(), a)
			}
		}
	}
	if within < 50 {
		t.Errorf("only %d of the lists met", within)
	}
}

func TestContainsAllocatesNothing(t *testing.T) {
	l, addr := mustParse(t, "10.0.0.0/8", "2001:db8::/32"), netip.MustParseAddr("::ffff:11.0.0.1")
	if n := testing.AllocsPerRun(100, func() { l.Contains(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range refused {
		f.Add(s)
	}
	for _, s := range []string{"10.0.0.0/8", "::ffff:10.0.0.0/104", "2001:db8::/32", "::1", "::/0", "0.0.0.0/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, addrErr := ParseAddr(s)
		if addrErr == nil && (addr.Is4In6() || addr.Zone() != "" || !addr.IsValid()) {
			t.Fatalf("address %q is %s", s, addr)
		}
		l, err := Parse([]string{s})
		if err != nil {
			if addrErr == nil {
				t.Fatalf("%q is an address and not an entry", s)
			}
			return
		}
		p := l.networks[0]
		if p != p.Masked() || p.Addr().Is4In6() || !l.Contains(p.Addr()) || !l.Within(l) {
			t.Fatalf("entry %q is %s", s, p)
		}
		if addrErr == nil && (!p.IsSingleIP() || p.Addr() != addr) {
			t.Fatalf("%q is %s as an entry and %s as an address", s, p, addr)
		}
		if again := mustParse(t, p.String()); again.networks[0] != p {
			t.Fatalf("entry %q is %s, and that is %s", s, p, again.networks[0])
		}
	})
}

func BenchmarkContains(b *testing.B) {
	var entries []string
	for i := range 16 {
		entries = append(entries, fmt.Sprintf("10.%d.0.0/16", i))
	}
	l, addr := mustParse(b, entries...), netip.MustParseAddr("10.15.1.1")
	b.ReportAllocs()
	for b.Loop() {
		if !l.Contains(addr) {
			b.Fatal("not contained")
		}
	}
}

func BenchmarkParseAddr(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAddr("203.0.113.77"); err != nil {
			b.Fatal(err)
		}
	}
}
