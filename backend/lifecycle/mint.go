package lifecycle

import (
	"cmp"
	"context"
	"fmt"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/seal"
)

// Minted is a new version, as whoever asked for it is told.
type Minted struct {
	Text     apikey.Key // the key itself: shown once, here; none where it is sealed
	Sealed   string     // the key, sealed to its version's recipients; "" where it is not
	Key      record.Key
	Standing record.Standing // what the key's state depends on
	Previous *record.Version // the version that a rotation replaces
	Warnings []string
}

// Version is the one that was made.
func (m *Minted) Version() *record.Version { return m.Key.Highest() }

// draft is a version that is to be made, by everything that it depends on as that
// was at one look.
type draft struct {
	key    record.Key // of a new key what it may be, without an id; else its record
	role   record.Role
	number int
	// standing is what the state of the key depends on, where there is one.
	standing record.Standing
	ttl      record.Seconds // 0 for the role's
	grace    record.Seconds // of the version that it replaces
	named    *[]string      // recipients that were asked for; nil for none
	byOwner  bool           // asked for on the owner's path
	pending  record.Seconds // how long it waits for its first use; 0 where it takes effect at once
	// took tells that who asks presented a version that waited, which so takes effect.
	took bool
	// parentEnds is when the parent's version ends, for a delegated key: it
	// lives no longer, and is never leased, because whoever asked for it says
	// nothing about who holds it. 0 for all other keys.
	parentEnds record.Time
}

// leased tells whether the version gets a lease. A declared key has none: it is to
// outlive the token of whoever declared it.
func (d *draft) leased() bool {
	return d.role.GenerateLease && d.parentEnds == 0 && d.key.StaticName == ""
}

// mayBelongTo refuses a lease to who cannot hold it.
func (d *draft) mayBelongTo(a Asker) error {
	if d.leased() && a.Batch {
		return ErrBatchToken
	}
	return nil
}

// recipients are whom the version is to be sealed to; none where it is answered in
// clear.
func (d *draft) recipients() ([]string, error) {
	to, err := d.role.Recipients(&d.key, d.named)
	if err == nil && d.byOwner {
		err = d.key.KeepsRecipients(to)
	}
	return to, err
}

// made is a version with a text and a hash, which is stored nowhere yet.
type made struct {
	Asker
	text       apikey.Key
	recipients []string
	sealed     string // the text, sealed to them; "" for none
	phc        keyhash.PHC
	caps       record.Caps
}

// order is what one way to mint adds to what all have in common.
type order struct {
	Asker
	// told is what the event system is told.
	told Event
	// look refuses, or tells what is to be made. It may be asked again and again.
	look func() (draft, error)
	// ready, where it is set, is called before anything is made.
	ready func(draft) error
	// commit takes the locks, looks again, writes once, and refuses what came
	// between. It gets what the first look saw, which is all that it may not rely on.
	commit func(draft, made) (Minted, error)
}

// mint makes a version, in the one order in which that is safe: look and refuse
// early; make text and hash without any lock, for a hash takes long; commit; and
// withdraw what nobody waits for any more.
func (e *Engine) mint(ctx context.Context, o order) (Minted, error) {
	d, err := o.look()
	if err != nil {
		return Minted{}, err
	}
	to, err := d.recipients()
	if err = cmp.Or(err, d.mayBelongTo(o.Asker)); err != nil {
		return Minted{}, err
	}
	if d.key.ID == "" {
		id, again, err := e.newID(ctx, o.Asker)
		if err != nil {
			return Minted{}, err
		}
		if again {
			immediate := record.Immediate
			rerun := e.rotation(ctx, Target{ID: id}, 0, RotateRequest{TTL: d.ttl, Recipients: d.named, Activation: &immediate, Asker: o.Asker})
			rerun.told = o.told
			return e.mint(ctx, rerun)
		}
		d.key.ID = id
	}
	n, err := e.make(ctx, d, o, to)
	if err != nil {
		return Minted{}, err
	}
	m, err := e.place(d, n, o.commit)
	if err != nil {
		return Minted{}, err
	}
	return e.tell(ctx, o.told, m, n)
}

// make makes the text, seals it where it has recipients, and makes the hash. A burst
// of new keys must not refuse the rotation of one that is in use, so each has lanes of
// its own.
func (e *Engine) make(ctx context.Context, d draft, o order, recipients []string) (made, error) {
	if o.ready != nil {
		if err := o.ready(d); err != nil {
			return made{}, err
		}
	}
	tagKey, err := e.Store.TagKey(ctx)
	if err != nil {
		return made{}, err
	}
	config, err := e.Store.Config(ctx)
	if err != nil {
		return made{}, err
	}
	text, err := apikey.Generate(e.Random, tagKey, d.key.Prefix, d.key.ID, d.number)
	if err != nil {
		return made{}, fmt.Errorf("generate a key: %w", err)
	}
	n := made{Asker: o.Asker, text: text, recipients: recipients}
	if len(recipients) > 0 {
		if n.sealed, err = seal.Text(text.Reveal(), recipients); err != nil {
			return made{}, err
		}
	}
	if d.number == 1 {
		n.phc, err = e.Hasher.Sum(ctx, e.Random, config.Argon2(), text.HashInput())
	} else {
		n.phc, err = e.Hasher.Changes().Sum(ctx, text.ID, e.Random, config.Argon2(), text.HashInput())
	}
	if err == nil && d.leased() {
		awaitFreshSecond(ctx)
	}
	n.caps = e.Caps()
	return n, err
}

// place commits while the role is held: it is not deleted meanwhile.
func (e *Engine) place(d draft, n made, commit func(draft, made) (Minted, error)) (Minted, error) {
	defer e.Store.HoldRole(d.key.Role)()
	return commit(d, n)
}

// tell answers with a new version and tells of it, or withdraws it where nobody
// waits for the answer any more.
//
// This is the one place where a text joins an answer, in clear or sealed.
func (e *Engine) tell(ctx context.Context, what Event, m Minted, n made) (Minted, error) {
	gone := ctx.Err()
	if gone == nil {
		e.Notify(ctx, what, m.Key.ID)
		if m.Sealed = n.sealed; m.Sealed == "" {
			m.Text = n.text
		}
		return m, nil
	}
	if err := e.withdraw(context.WithoutCancel(ctx), n.text.ID, n.text.Version, 0); err != nil {
		e.Logger.Error("a version that nobody has cannot be withdrawn", "key_id", n.text.ID, "version", n.text.Version, "error", err)
	}
	return Minted{}, gone
}
