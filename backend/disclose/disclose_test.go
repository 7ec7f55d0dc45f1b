package disclose_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/disclose"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestAConfirmationNamesWhatIsAnotherRecordOrNone(t *testing.T) {
	t.Parallel()
	storage, known := filled(t, 4)
	known[1].Fingerprint = strings.Repeat("A", wire.FingerprintLength)
	known[3].ID = strings.Repeat("Z", wire.IDLength)
	a, err := started(storage).Confirm(t.Context(), wire.Confirm{Nonce: "n", Known: wire.Join(known)})
	if err != nil || a.Nonce != "n" || a.Cursor != (feed{}).Cursor() || !slices.Equal(a.Changed, []string{known[1].ID, known[3].ID}) {
		t.Errorf("it answers %+v, %v", a, err)
	}
}

// slow has each read of a record take a second.
func slow(storage *memory.Storage) {
	storage.Intercept(memory.Before(func(op, path string) error {
		if op == "get" && strings.HasPrefix(path, "key/") {
			time.Sleep(time.Second)
		}
		return nil
	}))
}

// Nobody holds up Vault for longer than some seconds: what there was no time for is said
// to be so, and is no answer.
func TestACallEndsInTimeHoweverSlowStorageIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage, known := filled(t, 20)
		slow(storage)
		begun := time.Now()
		if _, err := started(storage).Confirm(t.Context(), wire.Confirm{Known: wire.Join(known)}); !errors.Is(err, disclose.ErrNoTime) {
			t.Errorf("a confirmation ends with %v", err)
		}
		if took := time.Since(begun); took > 7*time.Second {
			t.Errorf("a confirmation took %s", took)
		}
		var q disclose.Question
		for _, h := range known {
			q.KeyIDs = append(q.KeyIDs, h.ID)
		}
		begun = time.Now()
		var undecided []error
		a, err := started(storage).Resolve(t.Context(), q, func(err error) wire.Result {
			undecided = append(undecided, err)
			return wire.Result{}
		})
		if err != nil || len(a.Records) == 0 || len(a.Records)+len(undecided) != len(known) {
			t.Fatalf("of %d records %d were told and %d not, %v", len(known), len(a.Records), len(undecided), err)
		}
		for _, err := range undecided {
			if !errors.Is(err, disclose.ErrNoTime) {
				t.Errorf("a record was not told for %v", err)
			}
		}
		if took := time.Since(begun); took > 7*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestWhoHangsUpIsNotAnswered(t *testing.T) {
	t.Parallel()
	storage, known := filled(t, 1)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := started(storage)
	if _, err := r.Confirm(gone, wire.Confirm{Known: wire.Join(known)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a confirmation ends with %v", err)
	}
	if _, err := r.Resolve(gone, disclose.Question{KeyIDs: []string{known[0].ID}}, func(error) wire.Result { return wire.Result{} }); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// An answer that is full leaves the rest out, and the next one has room again.
func TestAnAnswerHasABoundAndLeavesTheRestOut(t *testing.T) {
	t.Parallel()
	const bytes = 1 << 20
	storage, known := filled(t, 20, func(k *record.Key) { k.Metadata = map[string]string{"a": strings.Repeat("x", bytes)} })
	r := started(storage)
	var q disclose.Question
	for _, h := range known {
		q.KeyIDs = append(q.KeyIDs, h.ID)
	}
	for range 8 { // more than there is room for at a time, if the room were not given back
		var full int
		a, err := r.Resolve(t.Context(), q, func(err error) wire.Result {
			if busy := record.Busy(""); errors.As(err, &busy) {
				full++
			}
			return wire.Result{}
		})
		if err != nil || full == 0 || len(a.Records)+full != len(known) || len(a.Records) < 15 || len(a.Records) > 16 {
			t.Fatalf("%d records of a megabyte were told and %d not, %v", len(a.Records), full, err)
		}
	}
}
