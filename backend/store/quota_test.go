package store_test

import (
	"errors"
	"reflect"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestAQuotaIsStoredAndGoesWithItsKey(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	if q, _, err := s.Quota(t.Context(), one); !reflect.DeepEqual(q, record.Quota{}) || err != nil {
		t.Errorf("of a key that spent nothing there is %+v, %v", q, err)
	}
	want := record.Quota{Total: 20, By: "node", Until: 1500, Marks: []record.Mark{{At: 1400, Total: 3}}}
	if err := s.PutQuota(t.Context(), one, want); err != nil {
		t.Fatal(err)
	}
	if q, _, err := s.Quota(t.Context(), one); !reflect.DeepEqual(q, want) || err != nil || d.Holds("quota/aa/"+one) == "" {
		t.Errorf("it is %+v, %v", q, err)
	}
	check(t, d, 0)
	if _, err := s.DeleteKey(t.Context(), one, func(*record.Key) bool { return false }); err != nil || d.Holds("quota/aa/"+one) != "" {
		t.Errorf("it outlived its key, %v", err)
	}
}

func TestAQuotaOfNoKeyIsALeftover(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	for _, id := range []string{one, idIn("zz", 1)} {
		if err := s.PutQuota(t.Context(), id, record.Quota{Total: 1, By: "node", Until: 1500}); err != nil {
			t.Fatal(err)
		}
	}
	check(t, d, 1)
	n, err := s.SweepLeftovers(t.Context(), func() {})
	if n != 1 || err != nil || d.Holds("quota/aa/"+one) == "" {
		t.Errorf("it removed %d, %v", n, err)
	}
	check(t, d, 0)
	d.Intercept(memory.Before(memory.On("list", "quota/", errDisk)))
	if _, err := s.SweepLeftovers(t.Context(), func() {}); !errors.Is(err, errDisk) {
		t.Errorf("with trouble it answered %v", err)
	}
}

func TestAFailedReservationIsAnError(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	d.Intercept(memory.Before(memory.On("put", "quota/", errDisk)))
	if err := s.PutQuota(t.Context(), one, record.Quota{Total: 1, By: "node", Until: 1}); !errors.Is(err, errDisk) {
		t.Errorf("it answered %v", err)
	}
	d.Intercept(memory.After(memory.On("put", "quota/", errDisk)))
	if err := s.PutQuota(t.Context(), one, record.Quota{Total: 2, By: "node", Until: 1}); err != nil {
		t.Errorf("one that took effect answered %v", err)
	}
	d.Intercept(memory.Before(memory.On("get", "quota/", errDisk)))
	if _, _, err := s.Quota(t.Context(), one); !errors.Is(err, errDisk) {
		t.Errorf("a read answered %v", err)
	}
}
