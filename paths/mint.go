package paths

import (
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// textRows are the key itself, in clear or sealed: the one place where a key's text
// becomes an answer.
var textRows = rows[lifecycle.Minted]{
	{name: "key", field: field{kind: word, help: "The key. It is shown once. Not answered where it has recipients.", secret: true, sometimes: true}, show: func(m *lifecycle.Minted) any { return ifAny(m.Text.Reveal()) }},
	maySay("sealed_key", text, "With recipients: the key as an age file, ASCII-armored, that each of them opens.", func(m *lifecycle.Minted) any { return ifAny(m.Sealed) }),
}

// ifAny is the text, or nothing where there is none.
func ifAny(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// unleasedRows tell a holder without a lease when to come back.
var unleasedRows = rows[lifecycle.Minted]{
	maySay("ttl", count, "Unleased: seconds after which its holder should fetch a new one.", func(m *lifecycle.Minted) any { return shown(m.Standing.Role.RefreshAfter(m.Key.Newest().Lifetime)) }),
	maySay("rotation_period", count, "Unleased: the role's rotation period in seconds.", func(m *lifecycle.Minted) any { return shown(m.Standing.Role.RotationPeriod) }),
}

// previousRows are of the version that a rotation replaced.
var previousRows = rows[record.Version]{
	says("previous_version", count, "Number of the version that was replaced.", func(v *record.Version) any { return v.Number }),
	says("previous_valid_until", word, "Until when it goes on working.", func(v *record.Version) any { return shown(v.ValidUntil) }),
}

// What delegate, issue and rotate answer.
var (
	delegateAnswer = keyRows.fields().with(textRows.fields())
	issueAnswer    = delegateAnswer.with(unleasedRows.fields())
	rotateAnswer   = issueAnswer.with(previousRows.fields())
)

// minted shows a version that was made, with its key.
func minted(m *lifecycle.Minted, clock Clock) map[string]any {
	data := keyRows.show(&view{Key: m.Key, standing: m.Standing, now: clock.Now()})
	textRows.add(data, m)
	if m.Previous != nil {
		previousRows.add(data, m.Previous)
	}
	return data
}

// mintAnswer shows a version that issue or rotate made, with a lease if it is
// leased.
func mintAnswer(m lifecycle.Minted, clock Clock) *logical.Response {
	data, newest := minted(&m, clock), m.Key.Newest()
	if !newest.Leased {
		unleasedRows.add(data, &m)
		return answer(data, m.Warnings...)
	}
	resp := newLease(data, m.Key.ID, newest.Number)
	resp.Secret.TTL = leaseTTL(clock.Until(newest.ExpiresAt))
	resp.Secret.MaxTTL = newest.Until.Sub(newest.CreatedAt).Std()
	resp.Warnings = m.Warnings
	return resp
}
