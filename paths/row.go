package paths

import (
	"math"
	"net/netip"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

// row is one field of a T, in one place: what it is declared as, where a parameter
// of it goes, and what an answer says in it.
type row[T any] struct {
	name string
	field
	// set takes what a caller sent, if anything; nil of what is only shown.
	set func(in input, to *T) error
	// show is what an answer says; nil leaves the field out.
	show func(of *T) any
}

// rows are the fields of a T.
type rows[T any] []row[T]

// fields are the rows as parameters, or as an answer.
func (rs rows[T]) fields() fields {
	declared := make(fields, len(rs))
	for _, r := range rs {
		declared[r.name] = r.field
	}
	return declared
}

// pick is the rows of these names.
func (rs rows[T]) pick(names ...string) (picked rows[T]) {
	for _, r := range rs {
		if slices.Contains(names, r.name) {
			picked = append(picked, r)
		}
	}
	return picked
}

// take writes what a caller sent to where it belongs.
func (rs rows[T]) take(in input, to *T) error {
	for _, r := range rs {
		if err := r.set(in, to); err != nil {
			return err
		}
	}
	return nil
}

// show is what an answer says.
func (rs rows[T]) show(of *T) map[string]any {
	data := make(map[string]any, len(rs))
	rs.add(data, of)
	return data
}

// answer is a response that shows of, where there is one.
func (rs rows[T]) answer(of T, err error) (*logical.Response, error) {
	if err != nil {
		return nil, err
	}
	return answer(rs.show(&of)), nil
}

// found is a response that shows of, and none where there is nothing.
func (rs rows[T]) found(of T, found bool, err error) (*logical.Response, error) {
	if err != nil || !found {
		return nil, err
	}
	return rs.answer(of, nil)
}

// add adds to what an answer says.
func (rs rows[T]) add(data map[string]any, of *T) {
	for _, r := range rs {
		if value := r.show(of); value != nil {
			data[r.name] = value
		}
	}
}

// at is a field that is kept as it is sent, and shown as it is kept.
func at[T, V any](name string, k kind, help string, place func(*T) *V) row[T] {
	return row[T]{name, field{kind: k, help: help},
		func(in input, to *T) error {
			if sent := optional[V](in, name); sent != nil {
				*place(to) = *sent
			}
			return nil
		},
		func(of *T) any { return shown(*place(of)) },
	}
}

// sent is a field of a change, which is nil when it was not sent.
func sent[T, V any](name string, k kind, help string, place func(*T) **V) row[T] {
	return row[T]{name: name, field: field{kind: k, help: help}, set: func(in input, to *T) error {
		*place(to) = optional[V](in, name)
		return nil
	}}
}

// within is a number that must lie within bounds: what does not fit must not become
// valid by a conversion.
func within[T any, N uint8 | uint32 | int](name string, most int64, help string, place func(*T) *N) row[T] {
	return row[T]{name, field{kind: count, help: help},
		func(in input, to *T) error {
			if !in.has(name) {
				return nil
			}
			n, err := in.number(name, 1, most)
			if err == nil {
				*place(to) = N(n)
			}
			return err
		},
		func(of *T) any { return int(*place(of)) },
	}
}

// networks is a list of networks.
func networks[T any](name, help string, place func(*T, *network.List), show func(*T) any) row[T] {
	return row[T]{name, field{kind: list, help: help}, func(in input, to *T) error {
		entries := optional[[]string](in, name)
		if entries == nil {
			return nil
		}
		l, err := network.Parse(*entries)
		if err != nil {
			return record.Mistakef("%s: %v", name, err)
		}
		place(to, &l)
		return nil
	}, show}
}

// small is a small number. One that is too large stays too large.
func small[T any](name, help string, place func(*T) *int) row[T] {
	return row[T]{name, field{kind: count, help: help},
		func(in input, to *T) error {
			if n := optional[int64](in, name); n != nil {
				*place(to) = int(min(*n, math.MaxInt32))
			}
			return nil
		},
		func(of *T) any { return *place(of) },
	}
}

// says is a field of an answer.
func says[T any](name string, k kind, help string, show func(of *T) any) row[T] {
	return row[T]{name: name, field: field{kind: k, help: help}, show: show}
}

// maySay is a field that an answer may leave out.
func maySay[T any](name string, k kind, help string, show func(of *T) any) row[T] {
	return row[T]{name: name, field: field{kind: k, help: help, sometimes: true}, show: show}
}

// shown is a value in the form that answers have: seconds are numbers, moments are
// text, and what is empty is never null.
func shown(value any) any {
	switch v := value.(type) {
	case record.Seconds:
		return int64(v)
	case record.Time:
		return v.String()
	case netip.Addr:
		if !v.IsValid() {
			return ""
		}
		return v.String()
	case network.List:
		return v.Strings()
	case []string:
		if v == nil {
			return []string{}
		}
	case map[string]string:
		if v == nil {
			return map[string]string{}
		}
	}
	return value
}
