package inspect

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// usage looks at one entry of what is counted.
func (c *checker) usage(ctx context.Context, at string) error {
	name := strings.TrimPrefix(at, "usage/")
	switch folder, _, _ := strings.Cut(name, "/"); folder {
	case "mark":
		_, err := read[map[string]any](ctx, c.storage, at)
		return err
	case "delta":
		delta, err := read[struct {
			Usage map[record.Subject]any
		}](ctx, c.storage, at)
		for of := range delta.Usage {
			if err == nil {
				err = c.count(ctx, of)
			}
		}
		return err
	case "key":
		c.counts = append(c.counts, at)
		return c.count(ctx, record.OfKey(path.Base(at)))
	default:
		return c.count(ctx, record.Subject(name))
	}
}

// count looks at the usage of a subject, in base and deltas together.
func (c *checker) count(ctx context.Context, of record.Subject) error {
	if !of.Valid() {
		return errNotOurs
	}
	u, err := c.records.Usage(ctx, of)
	if err != nil {
		return err
	}
	c.usages[of] = u
	hours, days := of.Windows()
	if len(u.Hours) > hours || len(u.Days) > days {
		return fmt.Errorf("of %s it has %d hours and %d days", of, len(u.Hours), len(u.Days))
	}
	byTime := func(a, b record.Window) int { return int(a.At - b.At) }
	inDays := int64(0)
	for _, w := range u.Days {
		inDays += w.Total()
	}
	if !slices.IsSortedFunc(u.Hours, byTime) || !slices.IsSortedFunc(u.Days, byTime) || inDays > u.Codes.Total() || u.First > u.Last {
		return errors.New("what is counted does not fit together")
	}
	return nil
}

// checkUsage holds what is counted of keys and owners against whom it is a part of,
// and against whom there is.
func (c *checker) checkUsage() {
	keys, owners := int64(0), int64(0)
	for of, u := range c.usages {
		name, isOwner := of.Owner()
		if !isOwner {
			if of != record.Mount {
				keys += u.Codes.Total()
			}
			continue
		}
		owners += u.Codes.Total()
		if !c.owners[name] && !u.Lately(c.now, of) {
			c.problem("usage/"+string(of), "it has no keys, and had none for a month", true)
		}
	}
	if mount := c.usages[record.Mount].Codes.Total(); owners > mount || keys > mount {
		c.problem("usage/mount", fmt.Sprintf("of %d decisions %d are of owners, %d of keys", mount, owners, keys), false)
	}
}
