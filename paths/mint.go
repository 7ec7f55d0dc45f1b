package paths

import (
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"

	"github.com/hashicorp/vault/sdk/logical"
)

// keyRow is the key itself: the one place where a key's text becomes an answer.
var keyRow = row[lifecycle.Minted]{name: "key", field: field{kind: word, help: "The key. It is shown once.", secret: true},
	show: func(m *lifecycle.Minted) any { return m.Text.Reveal() }}

// What an answer about a new version says besides the key's fields.
var (
	delegatedRows = rows[lifecycle.Minted]{keyRow}
	issuedRows    = rows[lifecycle.Minted]{
		keyRow,
		maySay("ttl", count, "Unleased: seconds after which its holder should fetch a new one.", unleased(func(m *lifecycle.Minted) record.Seconds { return m.Role.RefreshAfter(m.Key.Newest().Lifetime) })),
		maySay("rotation_period", count, "Unleased: the role's rotation period in seconds.", unleased(func(m *lifecycle.Minted) record.Seconds { return m.Role.RotationPeriod })),
	}
	rotatedRows = append(issuedRows[:len(issuedRows):len(issuedRows)],
		says("previous_version", count, "Number of the version that was replaced.", replaced(func(v *record.Version) any { return v.Number })),
		says("previous_valid_until", word, "Until when it goes on working.", replaced(func(v *record.Version) any { return shown(v.ValidUntil) })),
	)
)

// unleased is left out of the answer to a version that is leased.
func unleased(seconds func(*lifecycle.Minted) record.Seconds) func(*lifecycle.Minted) any {
	return func(m *lifecycle.Minted) any {
		if m.Key.Newest().Leased {
			return nil
		}
		return shown(seconds(m))
	}
}

// replaced is of the version that a rotation replaced.
func replaced(show func(*record.Version) any) func(*lifecycle.Minted) any {
	return func(m *lifecycle.Minted) any {
		if m.Previous == nil {
			return nil
		}
		return show(m.Previous)
	}
}

// mintFields declare the answer that mintAnswer gives with these rows.
func mintFields(more rows[lifecycle.Minted]) fields { return keyRows.fields().with(more.fields()) }

// mintAnswer shows a version that was made, with a lease if it is leased.
func mintAnswer(m lifecycle.Minted, more rows[lifecycle.Minted], clock Clock) *logical.Response {
	data := keyRows.show(&view{Key: m.Key, standing: m.Standing, now: clock.Now()})
	more.add(data, &m)
	newest := m.Key.Newest()
	if !newest.Leased {
		return answer(data, m.Warnings...)
	}
	resp := newLease(data, m.Key.ID, newest.Number)
	resp.Secret.TTL = leaseTTL(clock.Until(newest.ExpiresAt))
	resp.Secret.MaxTTL = m.MaxTTL.Std()
	resp.Warnings = m.Warnings
	return resp
}
