package record

import "slices"

// OnlyRenewed tells whether k is what it was before, but that versions of it live longer.
func (k *Key) OnlyRenewed(before *Key) bool {
	return k.likened(before, func(v, b *Version) bool { return v.ExpiresAt >= b.ExpiresAt })
}

// OnlyForgot tells whether k is what it was before, but for hashes.
func (k *Key) OnlyForgot(before *Key) bool {
	return k.likened(before, func(v, b *Version) bool { return v.ExpiresAt == b.ExpiresAt })
}

// likened tells whether k is what it was before to all who decide by it, as far as a
// renewal, tidy and a mended date could change that, and its ends are alike.
func (k *Key) likened(before *Key, ends func(v, b *Version) bool) bool {
	return k.CreatedAt == before.CreatedAt && k.RevokedAt == before.RevokedAt && k.OrphanedAt == before.OrphanedAt &&
		slices.EqualFunc(k.Versions, before.Versions, func(v, b Version) bool {
			return v.Number == b.Number && ends(&v, &b) &&
				v.CreatedAt == b.CreatedAt && v.SupersededAt == b.SupersededAt && v.ValidUntil == b.ValidUntil && v.Cut == b.Cut &&
				v.PendingUntil == b.PendingUntil && v.ActivatedAt == b.ActivatedAt && v.CancelledAt == b.CancelledAt
		})
}
