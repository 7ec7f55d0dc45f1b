package upkeep

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var errDisk = errors.New("disk trouble")

// disk is storage in memory that counts writes and can be told to fail.
type disk struct {
	logical.InmemStorage
	fail   func(op, path string) error
	writes atomic.Int64
}

func (d *disk) failing(op, path string) error {
	if d.fail == nil {
		return nil
	}
	return d.fail(op, path)
}

func (d *disk) Get(ctx context.Context, path string) (*logical.StorageEntry, error) {
	if err := d.failing("get", path); err != nil {
		return nil, err
	}
	return d.InmemStorage.Get(ctx, path)
}

func (d *disk) List(ctx context.Context, path string) ([]string, error) {
	if err := d.failing("list", path); err != nil {
		return nil, err
	}
	return d.InmemStorage.List(ctx, path)
}

func (d *disk) Put(ctx context.Context, e *logical.StorageEntry) error {
	d.writes.Add(1)
	if err := d.failing("put", e.Key); err != nil {
		return err
	}
	return d.InmemStorage.Put(ctx, e)
}

func (d *disk) Delete(ctx context.Context, path string) error {
	d.writes.Add(1)
	return d.InmemStorage.Delete(ctx, path)
}

// fails is a hook for one operation on paths that begin so.
func fails(op, prefix string) func(op, path string) error {
	return func(o, path string) error {
		if o == op && strings.HasPrefix(path, prefix) {
			return errDisk
		}
		return nil
	}
}

// ticks is a clock that moves when told, and is as certain as it is told to be.
type ticks struct {
	now     atomic.Int64
	certain func(ago record.Seconds) bool // nil: always
	dated   func(t record.Time) record.Time
	backs   int
}

func (c *ticks) Now() record.Time       { return record.Time(c.now.Load()) }
func (c *ticks) move(s record.Seconds)  { c.now.Add(int64(s)) }
func (c *ticks) Elapsed() time.Duration { return time.Duration(c.now.Load()) * time.Second }
func (c *ticks) TakenBack() int         { return c.backs }

func (*ticks) Undone(_, _ time.Duration) bool { return false }

func (c *ticks) Settled(ago record.Seconds) bool { return c.certain == nil || c.certain(ago) }

func (c *ticks) Dated(t record.Time) record.Time {
	if c.dated == nil {
		return t
	}
	return c.dated(t)
}
