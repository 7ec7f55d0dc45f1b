package inspect

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// term looks at the term of the last process that told gates of changes.
func (c *checker) term(ctx context.Context, at string) error {
	term, err := read[struct {
		Number uint64 `json:"number"`
		Suffix string `json:"suffix"`
	}](ctx, c.storage, at)
	if err != nil {
		return err
	}
	cursor := wire.Cursor{Term: term.Number, Suffix: term.Suffix}
	if parsed, ok := wire.ParseCursor(cursor.String()); !ok || parsed.Term == 0 {
		return errors.New("it makes no cursor")
	}
	return nil
}
