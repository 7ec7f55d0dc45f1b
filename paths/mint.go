package paths

import (
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
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
	maySay("ttl", count, "Unleased: seconds after which its holder should fetch a new one.", func(m *lifecycle.Minted) any { return shown(m.Standing.Role.RefreshAfter(m.Version().Lifetime)) }),
	maySay("rotation_period", count, "Unleased: the role's rotation period in seconds.", func(m *lifecycle.Minted) any { return shown(m.Standing.Role.RotationPeriod) }),
}

// rotatedRows are of a rotation: what became of the version that it replaces, and
// when it does.
var rotatedRows = rows[lifecycle.Minted]{
	says("previous_version", count, "Number of the version that is replaced.", func(m *lifecycle.Minted) any { return m.Previous.Number }),
	says("previous_valid_until", text, "Until when it goes on working; empty while the new one is pending.", func(m *lifecycle.Minted) any { return shown(m.Previous.ValidUntil) }),
	says("activation", word, "When the new version takes effect: immediate, or first_use.", func(m *lifecycle.Minted) any { return m.Version().Activation() }),
	says("pending_until", text, "With first_use: when it takes effect if nobody uses it before.", func(m *lifecycle.Minted) any { return shown(m.Version().PendingUntil) }),
}

// What delegate, issue and rotate answer.
var (
	delegateAnswer = keyRows.fields().with(textRows.fields())
	issueAnswer    = delegateAnswer.with(unleasedRows.fields())
	rotateAnswer   = issueAnswer.with(rotatedRows.fields())
)

// minted shows a version that was made, with its key.
func minted(m *lifecycle.Minted, clock Clock) map[string]any {
	data := keyRows.show(&view{Key: m.Key, version: m.Version(), standing: m.Standing, now: clock.Now()})
	textRows.add(data, m)
	if m.Previous != nil {
		rotatedRows.add(data, m)
	}
	return data
}

// mintAnswer shows a version that issue or rotate made, with a lease if it is
// leased.
func mintAnswer(m lifecycle.Minted, clock Clock) *logical.Response {
	data, made := minted(&m, clock), m.Version()
	if !made.Leased {
		unleasedRows.add(data, &m)
		return answer(data, m.Warnings...)
	}
	resp := newLease(data, m.Key.ID, made.Number)
	resp.Secret.TTL = leaseTTL(clock.Until(made.ExpiresAt))
	resp.Secret.MaxTTL = made.Until.Sub(made.CreatedAt).Std()
	resp.Warnings = m.Warnings
	return resp
}
