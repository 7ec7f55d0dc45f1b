package inspect

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// phc is the form in which hashes are stored.
var phc = regexp.MustCompile(`^\$argon2id\$v=19\$m=[1-9]\d*,t=[1-9]\d*,p=[1-9]\d*\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)

// key checks one record by itself and notes which hints it calls for.
func (c *checker) key(ctx context.Context, at string) error {
	id := path.Base(at)
	k, found, err := c.records.Key(ctx, id)
	if err != nil {
		return err
	}
	if !found || sharded("key/", id) != at {
		return errors.New("the record belongs elsewhere")
	}
	if len(k.Versions) == 0 {
		return errors.New("the record has no version")
	}
	c.keys[id] = true
	current, working := k.Current(), 0
	if current == nil {
		return errors.New("no version of the record is in effect")
	}
	since := current.InEffectSince() // the last change of which versions work
	if waits := k.Pending(); waits != nil {
		since = waits.CreatedAt
	}
	for i, v := range k.Versions {
		replaced := v.Number < current.Number && v.CancelledAt == 0
		if i > 0 && (v.Number >= k.Versions[i-1].Number || v.Waits()) ||
			replaced != (v.SupersededAt != 0) || v.ValidUntil > v.ExpiresAt || v.CancelledAt != 0 && v.ValidUntil != 0 {
			return fmt.Errorf("version %d does not follow from the one after it", v.Number)
		}
		if !v.Hash.None() && !phc.MatchString(v.Hash.Reveal()) {
			return fmt.Errorf("version %d has a damaged hash", v.Number)
		}
		if v.Waits() || v.Number == current.Number || v.ValidUntil > since {
			working++
		}
	}
	if working > 2 {
		return fmt.Errorf("%d versions work at once", working)
	}
	return c.hintsOf(ctx, k)
}

// hint is what the hint of a key says.
type hint struct {
	Role      string
	ExpiresAt record.Time `json:"expires_at"`
}

// hintsOf notes which hints a record calls for. Tidy takes the role's away when
// the key has ended; until then it is no error.
func (c *checker) hintsOf(ctx context.Context, k record.Key) error {
	role, found, err := c.records.Role(ctx, k.Role)
	if err != nil {
		return err
	}
	standing := record.Standing{}
	if k.Owner != "" {
		if standing.Owner, _, err = c.records.Owner(ctx, k.Owner); err != nil {
			return err
		}
	}
	if found {
		standing.Role = k.IssuedUnder(&role)
	}
	k.Settle(0, c.now)
	ended := standing.Role == nil || k.EndedAt(standing, c.now) != 0
	if k.StaticName != "" {
		c.named[k.ID] = k.StaticName
		if !ended {
			c.declared[k.ID] = k.StaticName
		}
	}
	hint := sharded(fmt.Sprintf("role-key/%s/%s-%d/", k.Role, k.RoleUID, k.RoleGeneration), k.ID)
	if ended {
		c.optional[hint] = true
	} else {
		c.wanted[hint] = true
	}
	c.owners[k.Owner] = true
	if k.Owner == "" {
		return nil
	}
	c.wanted[sharded("owner-key/"+k.Owner+"/", k.ID)] = true
	if !ended && role.MaxKeysPerOwner > 0 {
		roster := "roster/" + k.Owner + "/" + k.Role
		c.counted[roster] = append(c.counted[roster], k.ID)
	}
	return nil
}

func (c *checker) checkHints() {
	for path := range c.wanted {
		if !c.hints[path] {
			c.problem(path, "the hint of a key is missing", false)
		}
	}
	for path := range c.hints {
		if !c.wanted[path] && !c.optional[path] {
			c.problem(path, "the hint leads to no key", true)
		}
	}
}

// checkNames holds static names against the keys: one that lives is reached by its name.
func (c *checker) checkNames() {
	for id, name := range c.declared {
		if c.names[name] != id {
			c.problem("static/"+name, "the name of key "+id+", which lives, does not lead to it", false)
		}
	}
	for name, id := range c.names {
		if c.named[id] != name {
			c.problem("static/"+name, "the name leads to no key", true)
		}
	}
}

// roster is what the roster of an owner says.
type roster struct {
	Count  string
	Keys   []string
	Struck record.Time
	More   bool
}

// checkRosters holds the rosters against the keys that live: one may lack none,
// unless it is begun anew with the next key.
func (c *checker) checkRosters(ctx context.Context) error {
	for path, r := range c.rosters {
		owner, name, _ := strings.Cut(strings.TrimPrefix(path, "roster/"), "/")
		role, found, err := c.records.Role(ctx, name)
		if errors.Is(err, store.ErrUnreadable) {
			continue // which is told of the role already
		}
		if err != nil {
			return err
		}
		if !found || role.MaxKeysPerOwner == 0 || r.Count != role.Count() || !c.owners[owner] {
			c.problem(path, "nobody counts by this roster", true)
			continue
		}
		for _, id := range c.counted[path] {
			if !r.More && c.now >= r.Struck && !slices.Contains(r.Keys, id) {
				c.problem(path, "a key that lives is not on its owner's roster", false)
			}
		}
	}
	return nil
}

// sharded is where an entry about a key lies below a folder.
func sharded(folder, id string) string { return folder + id[:2] + "/" + id }
