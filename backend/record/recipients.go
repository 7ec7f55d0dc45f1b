package record

import (
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/seal"
)

// How many recipients there may be. A post-quantum one has two thousand bytes, and
// a key has a list for each version.
const (
	MaxRecipients        = 8
	maxAllowedRecipients = 32
)

// checkRecipients refuses a list with anything else than recipients, each once.
func checkRecipients(field string, recipients []string, most int) error {
	if len(recipients) > most {
		return Mistakef("%s has more than %d entries", field, most)
	}
	for i, r := range recipients {
		if err := seal.Validate(r); err != nil {
			return Mistakef("%s: entry %d is %v", field, i+1, err)
		}
		if slices.Contains(recipients[:i], r) {
			return Mistakef("%s: entry %d was named before", field, i+1)
		}
	}
	return nil
}

// checkNamed refuses what no key can be sealed to. None are none.
func checkNamed(recipients []string) error {
	err := checkRecipients("recipients", recipients, MaxRecipients)
	if err == nil && len(recipients) > 0 && seal.Together(recipients) != nil {
		err = Mistakef("recipients: %v", seal.ErrMixed)
	}
	return err
}

// ErrSealed is returned when nobody is named that a key can be sealed to which was
// sealed before: by an empty list, or after a rollback to a version in clear.
const ErrSealed Mistake = "the key was sealed and is not answered in clear again: name recipients"

// ErrOwnersRecipients is returned when an owner's path names recipients that are not
// the key's.
const ErrOwnersRecipients Mistake = "the paths of an owner cannot change whom a key is sealed to"

// Recipients are those that the key's next version is sealed to, under the role as it
// is now: the named ones, else those of its current version. With none it is answered
// in clear. k has no version while it is to be issued.
func (r Role) Recipients(k *Key, named *[]string) (to []string, err error) {
	switch {
	case named != nil:
		to, err = *named, checkNamed(*named)
	case len(k.Versions) > 0:
		to = k.Current().Recipients
	}
	var unlisted []string
	if len(r.AllowedRecipients) > 0 {
		unlisted = slices.DeleteFunc(slices.Clone(to), func(one string) bool { return slices.Contains(r.AllowedRecipients, one) })
	}
	switch {
	case err != nil:
		return nil, err
	case len(to) == 0 && k.SealedFrom != 0:
		return nil, ErrSealed
	case len(to) == 0 && r.RequireRecipients:
		return nil, Mistake("the role requires recipients")
	case len(unlisted) > 0:
		// They are public, and proven to be recipients and nothing else.
		return nil, Mistakef("the role's allowed_recipients does not list %s", strings.Join(unlisted, ", "))
	}
	return to, nil
}

// SealTo lets later versions be sealed to these. The current version says so, which
// is what a read shows and a rotation goes by; and so does one that waits, which may
// be the current one at any time. It counts from the first version on, so that it
// stays whatever is withdrawn.
func (k *Key) SealTo(recipients []string) {
	k.Current().Recipients = recipients
	if p := k.Pending(); p != nil {
		p.Recipients = recipients
	}
	k.sealed(1, recipients)
}

// sealed remembers that a version is sealed. That of a rotation which is withdrawn
// was never answered, and is forgotten with it.
func (k *Key) sealed(number int, recipients []string) {
	if len(recipients) > 0 && (k.SealedFrom == 0 || number < k.SealedFrom) {
		k.SealedFrom = number
	}
}

// KeepsRecipients refuses other recipients than those of the key's current version.
func (k *Key) KeepsRecipients(recipients []string) error {
	if !same(k.Current().Recipients, recipients) {
		return ErrOwnersRecipients
	}
	return nil
}

// same tells whether they are the same, in whatever order.
func same(recipients, others []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(recipients)), slices.Sorted(slices.Values(others)))
}
