package record_test

import (
	"errors"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

const (
	hour = record.Seconds(3600)
	day  = 24 * hour
)

func TestTheLifetimeOfAVersion(t *testing.T) {
	t.Parallel()
	caps := record.Caps{Default: 10 * hour, Max: 100 * hour}
	for name, tc := range map[string]struct {
		asked, ttl, maxTTL record.Seconds
		caps               record.Caps
		want               record.Seconds
		capped             bool
	}{
		"what was asked for comes first":                       {1 * hour, 2 * hour, 3 * hour, caps, 1 * hour, false},
		"then the role's ttl":                                  {0, 2 * hour, 3 * hour, caps, 2 * hour, false},
		"then the mount's default":                             {0, 0, 0, caps, 10 * hour, false},
		"the role's max_ttl caps what was asked for":           {4 * hour, 2 * hour, 3 * hour, caps, 3 * hour, true},
		"the role's max_ttl is itself allowed":                 {3 * hour, 2 * hour, 3 * hour, caps, 3 * hour, false},
		"the mount's maximum caps what was asked for":          {101 * hour, 0, 0, caps, 100 * hour, true},
		"the mount's maximum caps the role's ttl":              {0, 200 * hour, 0, caps, 100 * hour, true},
		"the mount's maximum caps a role that allows more":     {150 * hour, 0, 200 * hour, caps, 100 * hour, true},
		"the mount's default is capped without a word":         {0, 0, 3 * hour, caps, 3 * hour, false},
		"one second can be asked for":                          {1, 2 * hour, 3 * hour, caps, 1, false},
		"a mount that was tuned down caps what was longer":     {0, 2 * hour, 0, record.Caps{Default: hour, Max: hour}, hour, true},
		"ten years under a mount that allows them are granted": {record.MaxSeconds, 0, 0, record.Caps{Default: 1, Max: record.MaxSeconds}, record.MaxSeconds, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := record.Role{TTL: tc.ttl, MaxTTL: tc.maxTTL}
			got, capped := role.Lifetime(tc.asked, tc.caps)
			if got != tc.want || capped != tc.capped {
				t.Errorf("got %d capped %v, want %d capped %v", got, capped, tc.want, tc.capped)
			}
			if most := role.MaxLifetime(tc.caps); got > most {
				t.Errorf("%d is beyond the maximum of %d", got, most)
			}
		})
	}
}

func TestTheGraceOfARotation(t *testing.T) {
	t.Parallel()
	role := record.Role{GracePeriod: 2 * hour, MaxGracePeriod: 5 * hour}
	for name, tc := range map[string]struct {
		asked   *record.Seconds
		want    record.Seconds
		refused bool
	}{
		"the role's when none was asked for": {nil, 2 * hour, false},
		"none when none was meant":           {new(record.Seconds(0)), 0, false},
		"what was asked for":                 {new(hour), hour, false},
		"the most that the role allows":      {new(5 * hour), 5 * hour, false},
		"no second more":                     {new(5*hour + 1), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := role.Grace(tc.asked)
			var mistake record.Mistake
			if got != tc.want || errors.As(err, &mistake) != tc.refused {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}

func TestWhenTheHolderShouldFetchAnew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ rotation, lifetime, want record.Seconds }{
		"at two thirds of the lifetime":                {0, 30, 20},
		"at the rotation period, if that comes first":  {10, 30, 10},
		"at two thirds, if that comes first":           {25, 30, 20},
		"rounded down":                                 {0, 100, 66},
		"after a second at the earliest":               {0, 1, 1},
		"after a second, however the period is":        {1, 1, 1},
		"after ten years' two thirds without overflow": {0, record.MaxSeconds, record.MaxSeconds / 3 * 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (record.Role{RotationPeriod: tc.rotation}).RefreshAfter(tc.lifetime); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestWhenAKeyIsDueForRotation(t *testing.T) {
	t.Parallel()
	k := record.Key{RoleUID: "u1", Versions: []record.Version{{Number: 2, CreatedAt: 500, ExpiresAt: 900}, {Number: 1, CreatedAt: 100}}}
	for name, tc := range map[string]struct {
		role *record.Role
		now  record.Time
		want record.Time
	}{
		"never without a role":               {nil, 700, 0},
		"never under another of its name":    {&record.Role{UID: "u2", RotationPeriod: 60}, 700, 0},
		"never without a period":             {&record.Role{UID: "u1"}, 700, 0},
		"never when it has ended":            {&record.Role{UID: "u1", RotationPeriod: 60}, 900, 0},
		"a period after its newest was made": {&record.Role{UID: "u1", RotationPeriod: 60}, 700, 560},
		"also of a disabled role's key":      {&record.Role{UID: "u1", RotationPeriod: 60, Disabled: true}, 700, 560},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := k.RotateBy(k.Current(), record.Standing{Role: k.IssuedUnder(tc.role)}, tc.now); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}
