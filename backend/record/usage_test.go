package record_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

const (
	aKey   record.Subject = "key/3kTMd9Xq2LwVb7Rc"
	acme   record.Subject = "owner/acme"
	midday record.Time    = 20_000*86400 + 12*3600
)

// decided is what came of decisions, one after the other.
func decided(all ...record.Decided) record.Usage {
	var u record.Usage
	for _, d := range all {
		u.Count(d)
	}
	return u
}

func valid(at record.Time) record.Decided {
	return record.Decided{Code: "valid", Valid: true, At: at, Version: 1}
}

func TestADecisionIsCountedInItsHourAndItsDay(t *testing.T) {
	t.Parallel()
	ip := netip.MustParseAddr("10.1.2.3")
	u := decided(
		record.Decided{Code: "expired", At: midday - 1, Version: 1, ClientIP: netip.MustParseAddr("10.9.9.9")},
		record.Decided{Code: "valid", Valid: true, At: midday, Version: 2, ClientIP: ip},
		record.Decided{Code: "valid", Valid: true, At: midday + 5, Version: 1},
		record.Decided{Code: "valid", Valid: true, At: midday + 12*3600, Version: 1},
		record.Decided{Code: "expired", At: midday + 3, Version: 1},
	)
	want := record.Usage{
		Uses:     record.Uses{Last: midday + 12*3600, Versions: []record.Use{{Version: 2, At: midday}, {Version: 1, At: midday + 12*3600}}},
		First:    midday,
		Codes:    record.Codes{{Code: "expired", Count: 2}, {Code: "valid", Count: 3}},
		Hours:    record.Windows{{At: midday - 1, Refused: 1}, {At: midday + 5, Valid: 2, Refused: 1}, {At: midday + 12*3600, Valid: 1}},
		Days:     record.Windows{{At: midday + 5, Valid: 2, Refused: 2}, {At: midday + 12*3600, Valid: 1}},
		ClientIP: ip,
	}
	if !reflect.DeepEqual(u, want) || u.Codes.Total() != 5 {
		t.Errorf("counted are\n%+v, wanted\n%+v", u, want)
	}
}

// In however many pieces decisions are added up, and stored in between, all are
// counted once, and what is added stays as it is.
func TestThePartsAddUpToTheWhole(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var whole record.Usage
		parts := make([]record.Usage, 1+random.IntN(5))
		at := midday
		for i := range parts {
			for range random.IntN(20) {
				at = at.Add(record.Seconds(random.IntN(20_000)))
				d := record.Decided{Code: []string{"valid", "expired", "ip_denied"}[random.IntN(3)], At: at, Version: 1 + random.IntN(3)}
				d.Valid = d.Code == "valid"
				if random.IntN(3) == 0 {
					d.ClientIP = netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(256))})
				}
				parts[i].Count(d)
				whole.Count(d)
			}
		}
		for _, of := range []record.Subject{record.Mount, acme, aKey} {
			var want, sum record.Usage
			want.Add(whole, of)
			for _, part := range parts {
				before := part.Clone()
				sum.Add(part, of)
				if stored(t, &part) != stored(t, &before) {
					t.Fatalf("what was added to %s changed", of)
				}
				if err := json.Unmarshal([]byte(stored(t, &sum)), &sum); err != nil {
					t.Fatal(err)
				}
			}
			if stored(t, &sum) != stored(t, &want) || sum.Codes.Total() != whole.Codes.Total() {
				t.Fatalf("of %s the parts are\n%s, the whole\n%s", of, stored(t, &sum), stored(t, &want))
			}
			hours, days := of.Windows()
			if len(sum.Hours) > hours || len(sum.Days) > days {
				t.Fatalf("of %s there are %d hours and %d days", of, len(sum.Hours), len(sum.Days))
			}
			_, isKey := of.Key()
			if told := sum.Versions != nil || sum.ClientIP.IsValid(); told && !isKey {
				t.Fatalf("%s says %s", of, stored(t, &sum))
			}
		}
	}
}

func stored(t *testing.T, u *record.Usage) string {
	t.Helper()
	raw, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWindowsAreShownWithoutGapsUpToNow(t *testing.T) {
	t.Parallel()
	const day = 86400
	for name, tc := range map[string]struct {
		used []record.Time
		now  record.Time
		want string
	}{
		"never used":           {nil, midday, ""},
		"today":                {[]record.Time{midday, midday + 1}, midday + 2, "0:2"},
		"up to a second":       {[]record.Time{midday}, midday + day/2 - 1, "0:1"},
		"yesterday":            {[]record.Time{midday}, midday + day/2, "0:1 1:0"},
		"with a gap":           {[]record.Time{midday, midday + 3*day, midday + 3*day}, midday + 4*day, "0:1 1:0 2:0 3:2 4:0"},
		"too long ago":         {[]record.Time{midday, midday + 9*day}, midday + 10*day, "6:0 7:0 8:0 9:1 10:0"},
		"all too long ago":     {[]record.Time{midday}, midday + 10*day, "6:0 7:0 8:0 9:0 10:0"},
		"by a clock ahead":     {[]record.Time{midday, midday + 5*day}, midday + day, "0:1 1:0"},
		"only by a clock like": {[]record.Time{midday + 5*day}, midday, ""},
	} {
		u := record.Usage{}
		for _, at := range tc.used {
			u.Count(valid(at))
		}
		var got []string
		for _, w := range u.Days.Until(tc.now, record.Day, 5) {
			got = append(got, fmt.Sprintf("%d:%d", (w.At-20_000*day)/day, w.Total()))
			if w.At%day != 0 || w.Refused != 0 {
				t.Errorf("%s: a day is %+v", name, w)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, wanted %q", name, got, tc.want)
		}
	}
}

// A clock that was ahead for a minute has made no windows of its own, once it is
// known, and has pushed none out.
func TestWhatAWrongClockCountedIsCountedWhenItWas(t *testing.T) {
	t.Parallel()
	const ahead = 400 * 86400
	var u record.Usage
	for day := range 31 {
		u.Add(decided(valid(midday+record.Time(day*86400))), aKey)
	}
	last := midday + 30*86400
	want := u.Clone()
	want.Add(decided(valid(last+60)), aKey)
	u.Add(decided(valid(last+60+ahead)), aKey)
	if !u.Date(func(t record.Time) record.Time {
		if t > last+ahead {
			return t - ahead
		}
		return t
	}) {
		t.Error("nothing moved")
	}
	// What lies ahead takes the place of the oldest day, and of no more.
	if want.Days = want.Days[1:]; !reflect.DeepEqual(u, want) {
		t.Errorf("dated it is\n%+v, wanted\n%+v", u, want)
	}
	if u.Date(func(t record.Time) record.Time { return t }) {
		t.Error("it moves where nothing is wrong")
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	if record.OfKey("3kTMd9Xq2LwVb7Rc") != aKey || record.OfOwner("acme") != acme {
		t.Error("they have other names")
	}
	for of, ok := range map[record.Subject]bool{
		aKey: true, acme: true, record.Mount: true, "": false, "key/": false, "key/x": false, "key/3kTMd9Xq2LwVb7R/": false,
		"owner/": false, "owner/a/b": false, "owner/..": false, "mark": false, "mount/": false,
	} {
		if of.Valid() != ok {
			t.Errorf("%q: valid %t", of, of.Valid())
		}
	}
}

func TestToCountAgainAllocatesNothing(t *testing.T) {
	u := decided(valid(midday))
	d := record.Decided{Code: "valid", Valid: true, At: midday + 1, Version: 1, ClientIP: netip.MustParseAddr("2001:db8::1")}
	if allocs := testing.AllocsPerRun(100, func() { u.Count(d) }); allocs != 0 {
		t.Errorf("it allocates %.1f times", allocs)
	}
}
