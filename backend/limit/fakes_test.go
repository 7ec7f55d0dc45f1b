package limit

import (
	"context"
	"errors"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

var errDisk = errors.New("disk trouble")

// disk keeps reservations, counts calls and can be told to fail. failPut gets the
// number of the write and answers whether it takes effect and whether it fails.
type disk struct {
	mu         sync.Mutex
	quotas     map[string]record.Quota
	gets, puts int
	failGet    bool
	failPut    func(n int) (effect, fails bool)
}

func newDisk() *disk { return &disk{quotas: make(map[string]record.Quota)} }

func (d *disk) Quota(_ context.Context, id string) (record.Quota, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gets++
	if d.failGet {
		return record.Quota{}, false, errDisk
	}
	q, found := d.quotas[id]
	return q, found, nil
}

func (d *disk) PutQuota(_ context.Context, id string, q record.Quota) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	effect, fails := true, false
	if d.failPut != nil {
		effect, fails = d.failPut(d.puts)
	}
	d.puts++
	if effect {
		d.quotas[id] = q
	}
	if fails {
		return errDisk
	}
	return nil
}

// created is when every key of these tests was made.
const created record.Time = 1000

func lineOf(id string, l record.Limits) Line { return Line{ID: id, Created: created, Limits: l} }

func rated(limit int64, period record.Seconds) record.Limits {
	return record.Limits{RateLimit: limit, RateLimitPeriod: period}
}

func quotaOf(quota int64, period record.Seconds) record.Limits {
	return record.Limits{RateLimitPeriod: 1, Quota: quota, QuotaPeriod: period}
}

// take spends and fails the test for an error.
func take(t testing.TB, m *Meter, cost int64, now record.Time, chain ...Line) Verdict {
	t.Helper()
	v, err := m.Take(context.Background(), chain, cost, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// spendAll takes one by one until it is refused, and answers how many it got.
func spendAll(t testing.TB, m *Meter, now record.Time, chain ...Line) (n int64) {
	t.Helper()
	for take(t, m, 1, now, chain...).Outcome == Allowed {
		n++
	}
	return n
}
