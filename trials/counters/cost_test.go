package counters

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// TestAFlushCostsWhatWasUsed counts what 5,000 decisions of 2,000 keys write, where these are all keys and where many
// more were used before: COUNTERS_KEYS, else 20,000.
func TestAFlushCostsWhatWasUsed(t *testing.T) {
	t.Parallel()
	many, err := strconv.Atoi(os.Getenv("COUNTERS_KEYS"))
	if err != nil {
		many = 20_000
	}
	for _, before := range []int{2000, many} {
		disk := memory.New()
		// In the order of their paths, which the disk sorts.
		for i := range before {
			id := fmt.Sprintf("%016d", i)
			disk.Plant("key/"+id[:2]+"/"+id, `{"v":1,"record":{"id":"`+id+`","versions":[{"number":1,"hash":"","expires_at":9}]}}`)
		}
		for i := range before {
			id := fmt.Sprintf("%016d", i)
			disk.Plant("usage/key/"+id[:2]+"/"+id, `{"v":1,"record":{"usage":{"last":1700000000,"codes":[{"code":"valid","count":7}]},"through":1}}`)
		}
		disk.Plant("usage/mark", `{"v":1,"record":{"in_order":true,"next":2}}`)
		s := store.New(disk)
		tracker := usage.New(s, 65536, func() bool { return true })
		random := rand.New(rand.NewPCG(1, 1))
		used := random.Perm(before)[:2000]
		for i := range 5000 {
			n := used[i%2000]
			tracker.Count(fmt.Sprintf("%016d", n), fmt.Sprint("owner-", n%50), record.Decided{Code: "valid", Valid: true, Version: 1, At: 1_700_000_100})
		}
		if err := s.WriteUsage(t.Context(), 1_700_000_100); err != nil { // reads what is there, which is nothing
			t.Fatal(err)
		}
		disk.Noted()
		if err := tracker.Flush(t.Context(), 1_700_000_100); err != nil {
			t.Fatal(err)
		}
		entries, bytes, largest := 0, 0, 0
		for _, call := range disk.Noted() {
			path, isPut := strings.CutPrefix(call, "put ")
			if !isPut {
				t.Errorf("a flush asks %q", call)
			}
			n := len(disk.Holds(path))
			entries, bytes, largest = entries+1, bytes+n, max(largest, n)
		}
		t.Logf("of %d keys: 5,000 decisions of 2,000 keys and 50 owners write %d entries, %d bytes, the largest %d", before, entries, bytes, largest)
		if entries > 3 || bytes > 2051*200 || largest > 512<<10 {
			t.Errorf("of %d keys it wrote %d entries with %d bytes, the largest of %d", before, entries, bytes, largest)
		}
		if err := s.CompactUsage(t.Context(), func() {}); err != nil {
			t.Fatal(err)
		}
		puts := len(disk.Noted("put"))
		t.Logf("of %d keys: merging them writes %d entries", before, puts)
		if most := 2000 + 50 + 1 + 1; puts != most {
			t.Errorf("of %d keys, merging them wrote %d entries, wanted %d", before, puts, most)
		}
	}
}
