package memory

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestItAnswersAsVaultsStorageDoes plays at random beside the SDK's own.
func TestItAnswersAsVaultsStorageDoes(t *testing.T) {
	ours, vaults := New(), &logical.InmemStorage{}
	random := rand.New(rand.NewPCG(1, 1))
	letters := []string{"a", "b", "-", ".", "0"}
	path := func() (p string) {
		for range 1 + random.IntN(3) {
			p += letters[random.IntN(len(letters))] + letters[random.IntN(len(letters))] + "/"
		}
		return p
	}
	for step := range 3000 {
		p := path() + "x"
		if random.IntN(3) == 0 {
			p = p[:len(p)-2] // an entry beside a folder of the same name
		}
		for _, s := range []logical.Storage{ours, vaults} {
			var err error
			if step%3 == 0 {
				err = s.Delete(t.Context(), p)
			} else {
				err = s.Put(t.Context(), &logical.StorageEntry{Key: p, Value: fmt.Append(nil, step)})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, folder := range []string{"", path()} {
			got, err := ours.List(t.Context(), folder)
			want, errWant := vaults.List(t.Context(), folder)
			slices.Sort(want)
			if err != nil || errWant != nil || !slices.Equal(got, want) {
				t.Fatalf("the list of %q is %q, %v, and %q, %v", folder, got, err, want, errWant)
			}
		}
		a, err := ours.Get(t.Context(), p)
		b, errB := vaults.Get(t.Context(), p)
		if err != nil || errB != nil || (a == nil) != (b == nil) || a != nil && !reflect.DeepEqual(a.Value, b.Value) {
			t.Fatalf("%s is %v, %v, and %v, %v", p, a, err, b, errB)
		}
	}
}
