package keyhash

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
)

// vectors were made with the reference implementation in C (libargon2,
// argon2id_hash_encoded).
var vectors = []struct {
	text, phc string
	params    Params
}{
	{"password", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE", Params{19456, 2, 1}},
	{"acme_live_3kTMd9Xq2LwVb7Rc_001", "$argon2id$v=19$m=64,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$gayAQpdyWj/EFlKtT96flMyhhsxVUuQqRvNqKrzbGmM", Params{64, 1, 1}},
	{"", "$argon2id$v=19$m=12288,t=3,p=4$/////////////////////w$7NdNhSuxYm5dytGtn/YpGxO2AIAklrtWipShaV5BT/k", Params{12288, 3, 4}},
}

func TestHashesOfTheReferenceImplementationMatch(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	for _, v := range vectors {
		for text, want := range map[string]bool{v.text: true, v.text + "x": false, "sassword": false} {
			if got, err := h.Match(t.Context(), Stored(v.phc), text); err != nil || got != want {
				t.Errorf("%s: got %v, %v", v.phc, got, err)
			}
		}
		if d, err := decode(v.phc); err != nil || d.params != v.params {
			t.Errorf("%s: got %v, %v", v.phc, d.params, err)
		}
		// Made again from the same salt, it is the same text.
		d, _ := decode(v.phc)
		if got, err := h.Sum(t.Context(), bytes.NewReader(d.salt[:]), v.params, v.text); err != nil || got.Reveal() != v.phc {
			t.Errorf("%s: made %s, %v", v.phc, got.Reveal(), err)
		}
	}
}

func TestASumMatchesItsOwnTextOnly(t *testing.T) {
	t.Parallel()
	h, p := NewHasher(2), Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1}
	for name, sum := range map[string]func() (PHC, error){
		"sum":    func() (PHC, error) { return h.Sum(t.Context(), rand.Reader, p, "text") },
		"rehash": func() (PHC, error) { return h.Rehash(t.Context(), rand.Reader, p, "text") },
	} {
		a, errA := sum()
		b, errB := sum()
		if errA != nil || errB != nil || a.Equal(b) {
			t.Fatalf("%s: two hashes of one text are equal, or %v, %v", name, errA, errB)
		}
		for text, want := range map[string]bool{"text": true, "text ": false, "Text": false, "": false} {
			if got, err := h.Match(t.Context(), a, text); err != nil || got != want {
				t.Errorf("%s: %q: got %v, %v", name, text, got, err)
			}
		}
	}
}

// changed holds texts that come close to a hash.
func changed() []string {
	const salt, hash = "c29tZXNhbHRzb21lc2FsdA", "K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE"
	good := "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + hash
	all := []string{
		"", "$", "$argon2id$", "argon2id", good[1:], good + "$", good + "\n", good + "=", " " + good, good + "\x00", good + good,
		good[:len(good)-1], good + "A", strings.ToUpper(good),
		"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	}
	for _, r := range [][2]string{
		{"argon2id", "argon2i"}, {"argon2id", "argon2d"}, {"argon2id", "Argon2id"}, {"argon2id", "argon2"},
		{"v=19", "v=16"}, {"v=19", "v=019"}, {"v=19$", ""}, {"v=19", "v=20"}, {"v=19", "V=19"},
		{"m=19456", "m=0"}, {"m=19456", "m=7"}, {"m=19456", "m=262145"}, {"m=19456", "m=4194304"}, {"m=19456", "m=019456"},
		{"m=19456", "m=+19456"}, {"m=19456", "m=-1"}, {"m=19456", "m="}, {"m=19456", "m=1945600000000000000000"}, {"m=19456", "m=0x4c00"},
		{"m=19456", "m= 19456"}, {"m=19456", "19456"}, {"m=19456", "M=19456"}, {"m=19456", "m=4294986752"},
		{"t=2", "t=0"}, {"t=2", "t=11"}, {"t=2", "t=02"}, {"t=2", "t="}, {"t=2", "t=-2"}, {"t=2", "t=4294967298"}, {"t=2", "t=2.0"},
		{"p=1", "p=0"}, {"p=1", "p=5"}, {"p=1", "p=01"}, {"p=1", "p="}, {"p=1", "p=257"}, {"p=1", "p=65537"},
		{"m=19456,t=2,p=1", "t=2,m=19456,p=1"}, {"m=19456,t=2,p=1", "m=19456,p=1,t=2"}, {"m=19456,t=2,p=1", "m=19456,t=2"},
		{"m=19456,t=2,p=1", "m=19456,t=2,p=1,"}, {"m=19456,t=2,p=1", "m=19456,m=19456,t=2,p=1"}, {"m=19456,t=2,p=1", "m=19456,t=2,p=1,keyid=AAAA"},
		{"m=19456,t=2,p=1", "m=31,t=2,p=4"}, {"m=19456,t=2,p=1", "m=19456, t=2, p=1"}, {"m=19456,t=2,p=1", ""},
		{salt, ""}, {salt, salt[1:]}, {salt, salt + "A"}, {salt, salt + "=="}, {salt, salt[:21] + "B"}, {salt, "c29tZXNhbHQ"},
		{salt, salt[:21] + "\n"}, {salt, salt[:10] + "\r\n" + salt[12:]}, {salt, salt[:10] + "\n" + salt[10:]}, {salt, salt[:21] + "-"},
		{hash, ""}, {hash, hash[1:]}, {hash, hash[:42] + "F"}, {hash, hash[:42] + "_"}, {hash, hash[:41] + "\n" + hash[42:]}, {hash, hash[:42] + "$"},
		{"$" + hash, ""}, {"$" + hash, hash}, {"$" + hash, "$$" + hash},
	} {
		all = append(all, strings.Replace(good, r[0], r[1], 1))
	}
	return all
}

func TestWhatIsNotOurFormIsAnErrorAndNeverFalse(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	h.argon2 = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte {
		t.Error("a malformed hash was computed")
		return nil
	}
	for _, s := range changed() {
		if ok, err := h.Match(t.Context(), Stored(s), "password"); ok || err != ErrMalformed {
			t.Errorf("%q: got %v, %v", s, ok, err)
		}
	}
}

func TestTheBoundsThemselvesAreRead(t *testing.T) {
	t.Parallel()
	for _, p := range []Params{{8, 1, 1}, {32, 1, 4}, {MaxMemoryKiB, MaxIterations, MaxParallelism}} {
		in := decoded{params: p}
		if out, err := decode(in.encode()); err != nil || out != in {
			t.Errorf("%v: got %v, %v", p, out.params, err)
		}
	}
}

func TestSumRefusesCostsThatNoHashMayHave(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	for _, p := range []Params{{}, {19456, 0, 1}, {19456, 2, 0}, {31, 1, 4}, {MaxMemoryKiB + 1, 1, 1}, {19456, 11, 1}, {19456, 2, 5}} {
		if _, err := h.Sum(t.Context(), rand.Reader, p, "text"); err != errParams {
			t.Errorf("%v: got %v", p, err)
		}
	}
	if _, err := h.Sum(t.Context(), strings.NewReader("short"), DefaultParams(), "text"); err == nil {
		t.Error("a short salt was accepted")
	}
}

func TestARehashNeverCostsLessThanTheHashHas(t *testing.T) {
	t.Parallel()
	have := decoded{params: Params{19456, 2, 1}}.encode()
	for _, c := range []struct {
		want Params
		need bool
	}{
		{Params{19456, 2, 1}, false},
		{Params{19456, 3, 1}, true},
		{Params{65536, 2, 1}, true},
		{Params{19456, 2, 4}, true},
		{Params{38912, 1, 1}, true},  // the same cost, otherwise spent
		{Params{47104, 1, 1}, true},  // more memory × iterations
		{Params{12288, 3, 1}, false}, // OWASP's equal, and less all the same
		{Params{19455, 2, 1}, false},
		{Params{7168, 5, 1}, false},
		{Params{}, false},
	} {
		if got := NeedsRehash(Stored(have), c.want); got != c.need {
			t.Errorf("to %v: %v", c.want, got)
		}
	}
	for _, s := range []string{"", "$argon2id$v=19$m=1,t=1,p=1$", "$argon2id$v=19$m=9999999,t=1,p=1$"} {
		if NeedsRehash(Stored(s), DefaultParams()) {
			t.Errorf("%q needs a rehash", s)
		}
	}
}

func TestNeedsRehashAllocatesNothing(t *testing.T) {
	hash := Stored(vectors[0].phc)
	if n := testing.AllocsPerRun(100, func() { NeedsRehash(hash, DefaultParams()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.phc)
	}
	for _, s := range changed() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := decode(s)
		if err != nil {
			if err != ErrMalformed || h != (decoded{}) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !h.params.computable() || h.encode() != s {
			t.Fatalf("%q was read as %q", s, h.encode())
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add(uint32(19456), uint32(2), uint8(1), []byte("somesaltsomesaltsomehashsomehash"))
	f.Fuzz(func(t *testing.T, m, iterations uint32, p uint8, random []byte) {
		in := decoded{params: Params{m % (MaxMemoryKiB + 2), iterations % (MaxIterations + 2), p % (MaxParallelism + 2)}}
		copy(in.salt[:], random)
		copy(in.hash[:], random[min(len(random), saltLength):])
		out, err := decode(in.encode())
		if in.params.computable() != (err == nil) || err == nil && out != in {
			t.Fatalf("%q: %v", in.encode(), err)
		}
	})
}
