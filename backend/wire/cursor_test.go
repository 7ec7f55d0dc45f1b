package wire_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/wire"
)

const suffix = "0123456789abcdef"

func TestACursorHasOneText(t *testing.T) {
	t.Parallel()
	for _, c := range []wire.Cursor{
		{Term: 1, Suffix: suffix, Sequence: 0},
		{Term: 1<<64 - 1, Suffix: suffix, Sequence: 1<<64 - 1},
	} {
		if back, ok := wire.ParseCursor(c.String()); !ok || back != c {
			t.Errorf("%s became %v, %v", c, back, ok)
		}
	}
	for _, text := range []string{
		"", "7", "7-" + suffix, "7." + suffix, "-" + suffix + ".1", "7-.1", "7-" + suffix + ".", "07-" + suffix + ".1", "7-" + suffix + ".01",
		"+7-" + suffix + ".1", " 7-" + suffix + ".1", "7-" + suffix + ".1 ", "7-0123456789ABCDEF.1", "7-" + suffix + "0.1", "7-" + suffix + ".1.2",
		"18446744073709551616-" + suffix + ".1", "7-0123456-89abcdef.1", "-7-" + suffix + ".1",
	} {
		if c, ok := wire.ParseCursor(text); ok || c != (wire.Cursor{}) {
			t.Errorf("%q is %v", text, c)
		}
	}
}

func TestCursorsAreComparedByTermAndThenWithinTheirFeed(t *testing.T) {
	t.Parallel()
	at := func(term uint64, suffix string, sequence uint64) wire.Cursor {
		return wire.Cursor{term, suffix, sequence}
	}
	for name, tc := range map[string]struct {
		c, other wire.Cursor
		want     bool
	}{
		"earlier in the feed":       {at(7, "a", 1), at(7, "a", 2), true},
		"the same":                  {at(7, "a", 2), at(7, "a", 2), false},
		"later in the feed":         {at(7, "a", 3), at(7, "a", 2), false},
		"of an earlier term":        {at(6, "a", 9), at(7, "b", 2), true},
		"of a later term":           {at(8, "a", 1), at(7, "b", 2), false},
		"of another feed by chance": {at(7, "a", 1), at(7, "b", 2), false},
	} {
		if got := tc.c.Behind(tc.other); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestANameTellsKindAndName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "acme", "a:b"} {
		if kind, back := wire.Parse(wire.Name(wire.OwnerKind, name)); kind != wire.OwnerKind || back != name {
			t.Errorf("%q became %q of %q", name, back, kind)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(wire.Cursor{Term: 7, Suffix: suffix, Sequence: 12}.String())
	f.Add("7-" + suffix + ".-1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := wire.ParseCursor(text)
		if ok && c.String() != text {
			t.Errorf("%q is %q", text, c)
		}
		if !ok && c != (wire.Cursor{}) {
			t.Errorf("%q is none, and %v", text, c)
		}
	})
}
