package record

// Date moves all dates of the key to what dated says of them, and tells whether
// any moved. An end moves with the moment from which it was counted, so that no
// life and no grace becomes longer or shorter.
func (k *Key) Date(dated func(Time) Time) (moved bool) {
	shift := func(t Time) Seconds {
		if t == 0 {
			return 0
		}
		by := dated(t).Sub(t)
		moved = moved || by != 0
		return by
	}
	move := func(by Seconds, times ...*Time) {
		for _, t := range times {
			if *t != 0 {
				*t = t.Add(by)
			}
		}
	}
	for _, t := range []*Time{&k.CreatedAt, &k.DisabledAt, &k.RevokedAt, &k.OrphanedAt} {
		move(shift(*t), t)
	}
	for i := range k.Versions {
		v := &k.Versions[i]
		move(shift(v.CreatedAt), &v.CreatedAt, &v.ExpiresAt, &v.Until, &v.PendingUntil)
		move(shift(v.ActivatedAt), &v.ActivatedAt)
		move(shift(v.CancelledAt), &v.CancelledAt)
		move(shift(v.SupersededAt), &v.SupersededAt, &v.ValidUntil)
		v.ValidUntil = min(v.ValidUntil, v.ExpiresAt) // a grace given since by the right clock may outlast it
	}
	return moved
}

// FindAhead looks for versions that were made, or replaced, at a moment that lies
// ahead by more than this, and tells whether it changed anything.
//
// The key was dated by a clock that was ahead, or today's is behind. In both
// cases it has lived at least since it was first found so: after its lifetime
// from then on it has ended, and so has a grace. That is all that is certain, so
// dates stay as they are until then, and once they do not lie ahead any more
// nothing has changed.
func (k *Key) FindAhead(now Time, by Seconds) (changed bool) {
	current, ahead := k.Current(), false
	end := func(began Time, ends *Time, life Seconds) {
		if began <= now.Add(by) || *ends <= now {
			return
		}
		ahead = true
		if k.AheadSince != 0 && now >= k.AheadSince.Add(life) {
			*ends, changed = now, true
		}
	}
	life := current.ExpiresAt.Sub(current.CreatedAt)
	if life < current.Lifetime { // renewed by today's clock, which ends it unless it is renewed
		life = current.Until.Sub(current.CreatedAt)
	}
	end(current.CreatedAt, &current.ExpiresAt, life)
	for i := range k.Versions {
		v := &k.Versions[i]
		end(v.SupersededAt, &v.ValidUntil, v.ValidUntil.Sub(v.SupersededAt))
		if v.Waits() {
			end(v.CreatedAt, &v.PendingUntil, v.PendingUntil.Sub(v.CreatedAt))
		}
	}
	switch {
	case ahead && k.AheadSince == 0:
		k.AheadSince, changed = now, true
	case !ahead && k.AheadSince != 0:
		k.AheadSince, changed = 0, true
	}
	return changed
}
