package verdict

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

var (
	proven = verify.Decision{Code: verify.Valid, Description: verify.Description{
		Key: record.Key{ID: "i", Role: "web"}, Version: record.Version{Number: 1},
	}}
	limited = with(func(d *verify.Decision) {
		d.Code, d.Limits = verify.RateLimited, record.Limits{RateLimit: 1, RateLimitPeriod: 1, Quota: 1}
	})
	narrow = with(func(d *verify.Decision) { d.Code, d.MissingScopes = verify.InsufficientScope, []string{"read"} })
	full   = verify.Decision{
		Code: verify.QuotaExceeded,
		Description: verify.Description{
			Key:     record.Key{ID: "X7pzDtTZaKwFMUsv", Role: "web", Owner: "acme", Parent: "P7pzDtTZaKwFMUsv", Name: `"é" <&> \` + "\u2028\x00"},
			Version: record.Version{Number: 2, ExpiresAt: 1763806094, SupersededAt: 1763806000, ValidUntil: 1763806010},
			Scopes:  []string{"read:orders", "a&b"}, Metadata: map[string]string{"tier": "gold", "a": "<b>"}, RotationDue: true,
		},
		Allowance: verify.Allowance{
			Limits:    record.Limits{RateLimit: 100, RateLimitPeriod: 1, Quota: 1000},
			Remaining: limit.Remaining{Rate: 9, RateResets: 3, Quota: 7}, QuotaResetsAt: 1763806094, RetryAfter: 60,
		},
	}
)

func with(change func(d *verify.Decision)) verify.Decision {
	d := proven
	change(&d)
	return d
}

// TestSingleAnswersAndBatchItemsAreTheSame holds the two forms of a verdict
// against each other, and a batch's bytes against what encoding/json makes.
func TestSingleAnswersAndBatchItemsAreTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		decision verify.Decision
		brief    bool
		fields   int
	}{
		"the zero decision": {verify.Decision{}, false, 3},
		"not proven":        {verify.Decision{Code: verify.Invalid}, false, 3},
		"proven":            {proven, false, 15},
		"brief":             {limited, true, 5},
		"limited":           {limited, false, 22},
		"narrow":            {narrow, false, 16},
		"full":              {full, false, 22},
	} {
		raw := item(&c.decision, c.brief)
		var of map[string]json.RawMessage
		if err := json.Unmarshal(raw, &of); err != nil {
			t.Fatalf("%s: %v in %s", name, err, raw)
		}
		single := make(map[string]json.RawMessage)
		for field, value := range Data(&c.decision, c.brief) {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			single[field] = encoded
		}
		if len(of) != c.fields || !reflect.DeepEqual(single, of) {
			t.Errorf("%s: a single answer is %s, a batch item %s; want %d fields", name, single, raw, c.fields)
		}
		sorted, err := json.Marshal(Data(&c.decision, c.brief))
		if got := AppendJSON(nil, &c.decision, c.brief); err != nil || string(got) != string(sorted) {
			t.Errorf("%s: in the order of its names it is %s, not %s", name, got, sorted)
		}
	}
}

func item(d *verify.Decision, brief bool) []byte {
	b := NewBatch(1)
	b.Decided(d, brief)
	return []byte(strings.TrimSuffix(strings.TrimPrefix(string(b.JSON()), "["), "]"))
}

func TestABatchIsAListInOrder(t *testing.T) {
	b := NewBatch(3)
	sizes := []int{b.Decided(&full, false), b.Undecided(`missing parameter "key"`, 400), b.Decided(&verify.Decision{Code: verify.Invalid}, false)}
	want := []string{
		`{"valid":false,"code":"quota_exceeded","http_status":429,"key_id":"X7pzDtTZaKwFMUsv","owner":"acme","version":2,"role":"web","name":"\"é\" \u003c\u0026\u003e \\\u2028\u0000","scopes":["read:orders","a\u0026b"],"metadata":{"a":"\u003cb\u003e","tier":"gold"},"expires_at":"2025-11-22T10:08:14Z","rotation_due":true,"superseded":true,"valid_until":"2025-11-22T10:06:50Z","parent_key_id":"P7pzDtTZaKwFMUsv","rate_limit":100,"rate_remaining":9,"rate_reset_after":3,"quota":1000,"quota_remaining":7,"quota_resets_at":"2025-11-22T10:08:14Z","retry_after":60}`,
		`{"error":"missing parameter \"key\"","http_status":400}`,
		`{"valid":false,"code":"invalid","http_status":401}`,
	}
	if got := string(b.JSON()); got != "["+strings.Join(want, ",")+"]" {
		t.Errorf("it is %s", got)
	}
	for i := range want {
		if sizes[i] != len(want[i]) {
			t.Errorf("item %d is counted as %d bytes, not %d", i, sizes[i], len(want[i]))
		}
	}
	if !slices.Equal(b.KeyIDs, []string{"X7pzDtTZaKwFMUsv", "", ""}) || !slices.Equal(b.Owners, []string{"acme", "", ""}) ||
		!slices.Equal(b.Codes, []string{"quota_exceeded", "", "invalid"}) || !slices.Equal(b.Statuses, []int{429, 400, 401}) {
		t.Errorf("an auditor sees %v, %v, %v, %v", b.KeyIDs, b.Owners, b.Codes, b.Statuses)
	}
	if empty := string(NewBatch(0).JSON()); empty != "[]" {
		t.Errorf("none are %s", empty)
	}
}

// Fields are declared by what the zero decision says in them, and shown by rows.
func TestEveryFieldIsExplainedAndOfAKindThatIsEncoded(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range Fields() {
		if f.Help == "" || names[f.Name] {
			t.Errorf("%s is not explained, or there twice", f.Name)
		}
		names[f.Name] = true
		switch v := f.Value(&verify.Decision{}).(type) {
		case bool, int, int64, string, []string, map[string]string:
		default:
			t.Errorf("%s is a %T", f.Name, v)
		}
	}
}

func FuzzTextsAreEncodedAsByTheStandardLibrary(f *testing.F) {
	for _, s := range []string{"", "plain", `"\`, "<&>", "\x00\x1f\x7f", "é€😀\u2028\u2029", "\xff\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, value := range []any{s, []string{s, "", s}, map[string]string{s: s, s + "a": "", "": s}} {
			want, err := json.Marshal(value)
			if got := appendJSON(nil, value); err != nil || string(got) != string(want) {
				t.Errorf("%q is %s, want %s (%v)", value, got, want, err)
			}
		}
	})
}

// What is reckoned before the limits must be no less than what is answered after.
func TestAnAnswerIsNeverLongerThanWasReckoned(t *testing.T) {
	t.Parallel()
	texts := []string{"", "x", `"quoted"`, `\`, "<&>", "é€😀", strings.Repeat("<", 512), strings.Repeat(`"`, 128)}
	most := limit.Remaining{Rate: math.MaxInt64, RateResets: math.MaxInt64, Quota: math.MaxInt64}
	for _, code := range []verify.Code{verify.Valid, verify.InsufficientScope, verify.RateLimited, verify.QuotaExceeded, verify.ParentEnded} {
		for i, s := range texts {
			d := verify.Decision{Code: code, Description: verify.Description{
				Key:     record.Key{ID: strings.Repeat("i", 16), Owner: strings.Repeat("o", 128), Role: s, Name: s, Parent: strings.Repeat("p", 16)},
				Version: record.Version{Number: 238327, ExpiresAt: 253402300799, SupersededAt: 1, ValidUntil: 253402300799},
				Scopes:  slices.Repeat([]string{s}, i*7), MissingScopes: slices.Repeat([]string{s}, i*5), Metadata: map[string]string{},
			}, Allowance: verify.Allowance{
				Limits:    record.Limits{RateLimit: math.MaxInt64, Quota: math.MaxInt64},
				Remaining: most, QuotaResetsAt: 253402300799, RetryAfter: math.MaxInt64,
			}}
			for j := range i {
				d.Metadata[s+string(rune('0'+j))] = s
			}
			if encoded := item(&d, false); len(encoded) > Most(&d.Description) {
				t.Errorf("%s with %q: %d bytes, reckoned %d", code, s, len(encoded), Most(&d.Description))
			}
			if brief := item(&d, true); len(brief) > MostBrief {
				t.Errorf("a brief answer has %d bytes: %s", len(brief), brief)
			}
		}
	}
}

func BenchmarkAnswers(b *testing.B) {
	for name, d := range map[string]*verify.Decision{"proven": &proven, "full": &full} {
		b.Run(name+"/single", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Data(d, false)
			}
		})
		b.Run(name+"/in a batch", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewBatch(1).Decided(d, false)
			}
		})
	}
}
