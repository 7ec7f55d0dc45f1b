package scope

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// grammar is the whole language once more, by other means, but for "-".
var grammar = regexp.MustCompile(`\A(\*|[A-Za-z0-9._/-]+(:[A-Za-z0-9._/-]+)*(:\*)?)\z`)

var texts = []string{
	"*", "read", "read:users", "read:users:42", "read:*", "read:users:*", "a.b/c-d_e:F9", "/", "..", "-", "--", "-:a", "-:*", "a:-", "0",
	"", " ", "read ", " read", "read\n", "read\x00", "read users", "read,write", "read;write", "read:", ":read", ":", "::",
	"read::users", "**", "*:*", "*:read", "read:*:users", "rea*", "read:us*", "read:*s", "re*d:users", "read:**", ":*", "*:", "read:*:",
	"réad", "read:ｕsers", "\xff", "read+write", "read|write", "read:%2a", "read:{x}", "read:[a]", "~", "@", "\ufeffread",
}

func TestTheGrammar(t *testing.T) {
	t.Parallel()
	for _, s := range texts {
		if got, want := Validate(s) == nil, grammar.MatchString(s) && s != None; got != want {
			t.Errorf("Validate(%q): valid is %v", s, got)
		}
	}
	longest := strings.Repeat("a", MaxLength)
	if err := Validate(longest); err != nil {
		t.Errorf("%d bytes: %v", MaxLength, err)
	}
	for _, s := range []string{longest + "a", longest[2:] + ":*" + "a", longest + ":*"} {
		if Validate(s) == nil {
			t.Errorf("%d bytes are valid", len(s))
		}
	}
}

func TestAnErrorSaysWhatIsWrongAndNotWithWhat(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       "not empty",
		strings.Repeat("s", 257): "256",
		"s3cret::x":              "empty segments",
		"s3cret:*:x":             "last segment",
		"s3cret x":               "A-Z",
		None:                     "- alone",
	} {
		err := Validate(in)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.20q: got %v", in, err)
		}
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		granted, needed string
		want            bool
	}{
		{"read", "read", true},
		{"read:users", "read:users", true},
		{"read:*", "read:users", true},
		{"read:*", "read:users:42", true},
		{"read:*", "read:*", true},
		{"read:*", "read:users:*", true},
		{"read:users:*", "read:users:42:name", true},
		{"*", "read", true},
		{"*", "read:users:42", true},
		{"*", "read:*", true},
		{"*", "*", true},

		{"read", "readwrite", false},
		{"readwrite", "read", false},
		{"read", "read:users", false},
		{"read", "read:*", false},
		{"read:*", "read", false},
		{"read:*", "readwrite:users", false},
		{"read:*", "write:users", false},
		{"read:*", "*", false},
		{"read:users", "read:*", false},
		{"read:users", "read:users:42", false},
		{"read:users:*", "read:users", false},
		{"read:users:*", "read:*", false},
		{"read:users:*", "read:usersx:1", false},
		{"Read:*", "read:users", false},
		{"read", "READ", false},
		{"a.b", "axb", false},
		{"read", "*", false},
		// not scopes: nothing is granted by accident
		{"", "", false},
		{"", "read", false},
		{"*", "", false},
		{"read:*", "read:", false},
		{"rea*", "read", false},
	} {
		if got := Covers(c.granted, c.needed); got != c.want {
			t.Errorf("Covers(%q, %q) = %v", c.granted, c.needed, got)
		}
	}
}

func TestMissingKeepsTheOrder(t *testing.T) {
	t.Parallel()
	granted := []string{"read:*", "write:users"}
	got := Missing(granted, []string{"write:keys", "read:users", "admin", "write:users", "read"})
	if want := []string{"write:keys", "admin", "read"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if Missing(granted, []string{"read:a", "write:users"}) != nil || Missing(nil, nil) != nil {
		t.Error("something is missing where nothing is")
	}
	if got := Missing(nil, []string{"read"}); !slices.Equal(got, []string{"read"}) {
		t.Errorf("without grants %q is missing", got)
	}
}

func TestIntersect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		grants, allowed, want []string
	}{
		{"all allowed", []string{"a", "b:c"}, []string{"*"}, []string{"a", "b:c"}},
		{"some allowed", []string{"c", "b", "a"}, []string{"a", "c"}, []string{"c", "a"}},
		{"a wider grant shrinks", []string{"read:*"}, []string{"read:users", "write:x", "read:keys:*"}, []string{"read:users", "read:keys:*"}},
		{"what it shrinks to stands in its place", []string{"z", "read:*", "a", "q"}, []string{"a", "read:users", "z", "read:keys"}, []string{"z", "read:users", "read:keys", "a"}},
		{"a list too long to compare one by one", many("z", "y", "x"), many("x", "z", "y")[1:], many("z", "y")},
		{"all shrinks to what is allowed", []string{"*"}, []string{"a", "b:*"}, []string{"a", "b:*"}},
		{"nothing twice or covered", []string{"*", "a:b", "a:*"}, []string{"a:*", "c"}, []string{"a:*", "c"}},
		{"a wildcard is not what it stands below", []string{"read"}, []string{"read:*"}, []string{}},
		{"nothing is allowed", []string{"a"}, nil, []string{}},
		{"nothing is granted", nil, []string{"*"}, nil},
	} {
		got := Intersect(c.grants, c.allowed)
		if !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// many are these scopes before forty others.
func many(first ...string) []string {
	for i := range 40 {
		first = append(first, "other:"+strconv.Itoa(40-i))
	}
	return first
}

// universe holds wildcards and plain scopes at every depth of a small tree.
var universe = func() (all []string) {
	all = []string{"*"}
	for _, a := range []string{"a", "b", "ab"} {
		all = append(all, a, a+":*")
		for _, b := range []string{"a", "b"} {
			all = append(all, a+":"+b, a+":"+b+":*", a+":"+b+":c")
		}
	}
	return all
}()

// covers is the rule over segments instead of over bytes.
func covers(granted, needed string) bool {
	g, n := strings.Split(granted, ":"), strings.Split(needed, ":")
	if last := len(g) - 1; g[last] == "*" {
		return len(n) > last && slices.Equal(g[:last], n[:last])
	}
	return slices.Equal(g, n)
}

func TestCoversIsTheRuleOverSegments(t *testing.T) {
	t.Parallel()
	for _, g := range universe {
		for _, n := range universe {
			if got := Covers(g, n); got != covers(g, n) {
				t.Errorf("Covers(%q, %q) = %v", g, n, got)
			}
		}
	}
}

func TestAnIntersectionGrantsExactlyWhatBothGrant(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func() (some []string) {
		for range random.IntN([]int{5, 40}[random.IntN(2)]) { // compared one by one, and sorted
			some = append(some, universe[random.IntN(len(universe))])
		}
		return some
	}
	anyCovers := func(scopes []string, needed string) bool {
		return slices.ContainsFunc(scopes, func(s string) bool { return covers(s, needed) })
	}
	for range 5000 {
		grants, allowed := pick(), pick()
		got := Intersect(grants, allowed)
		if !Within(got, grants) || !Within(got, allowed) {
			t.Fatalf("Intersect(%q, %q) = %q leaves one of them", grants, allowed, got)
		}
		for _, n := range universe {
			if anyCovers(got, n) != (anyCovers(grants, n) && anyCovers(allowed, n)) {
				t.Fatalf("Intersect(%q, %q) = %q is wrong about %q", grants, allowed, got, n)
			}
		}
		if Within(grants, allowed) != (Missing(allowed, grants) == nil) {
			t.Fatalf("Within and Missing disagree about %q in %q", grants, allowed)
		}
		for _, n := range Missing(allowed, grants) {
			if anyCovers(allowed, n) {
				t.Fatalf("%q is not missing in %q", n, allowed)
			}
		}
	}
}

func TestTheUsualCaseAllocatesNothing(t *testing.T) {
	grants, allowed := []string{"read:users", "write:*"}, []string{"read:*", "write:*"}
	if n := testing.AllocsPerRun(100, func() {
		if &Intersect(grants, allowed)[0] != &grants[0] || Missing(allowed, grants) != nil || !Covers("a:*", "a:b:c") {
			t.Error("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzValidate(f *testing.F) {
	for _, s := range texts {
		f.Add(s, "read:users")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		valid := Validate(s) == nil
		if want := len(s) <= MaxLength && s != None && grammar.MatchString(s); valid != want {
			t.Fatalf("Validate(%q): valid is %v", s, valid)
		}
		if valid && (!Covers(s, s) || !Covers(All, s)) {
			t.Fatalf("%q is not covered by itself and *", s)
		}
		if valid && Validate(other) == nil {
			if Covers(s, other) != covers(s, other) {
				t.Fatalf("Covers(%q, %q) = %v", s, other, Covers(s, other))
			}
			if Covers(s, other) && Covers(other, s) && s != other {
				t.Fatalf("%q and %q cover each other", s, other)
			}
		}
	})
}
