package paths

import (
	"maps"

	"github.com/hashicorp/vault/sdk/framework"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/strict"
)

// kind is the type of a parameter and how strictly it is read.
type kind = strict.Kind

const (
	word     = strict.Word
	text     = strict.Text
	duration = strict.Duration
	count    = strict.Count
	flag     = strict.Flag
	list     = strict.List
	pairs    = strict.Pairs
	object   = strict.Object
	objects  = strict.Objects
)

// frameworkTypes are the types by which Vault documents each kind.
var frameworkTypes = map[kind]framework.FieldType{
	word:     framework.TypeString,
	text:     framework.TypeString,
	duration: framework.TypeDurationSecond,
	count:    framework.TypeInt64,
	flag:     framework.TypeBool,
	list:     framework.TypeCommaStringSlice,
	pairs:    framework.TypeKVPairs,
	object:   framework.TypeMap,
	objects:  framework.TypeSlice,
}

// kindOf is the kind of what an answer says by this value.
func kindOf(value any) kind {
	switch value.(type) {
	case bool:
		return flag
	case int, int64:
		return count
	case []string:
		return list
	case map[string]string:
		return pairs
	default:
		return text
	}
}

// field is one parameter or one field of an answer.
type field struct {
	kind kind
	help string
	// secret marks a field that holds a key, so that Vault's UI hides it.
	secret bool
	// noQuery marks a parameter that is refused in a query, so none is offered.
	noQuery bool
	// sometimes marks a field that an answer may leave out.
	sometimes bool
}

func (f field) decode(name string, value any) (any, error) {
	decoded, err := f.kind.Decode(name, value)
	if text, ok := decoded.(string); ok && f.secret {
		return apikey.Present(text), err
	}
	return decoded, err
}

// fields are parameters or an answer, by name.
type fields map[string]field

// decode reads the data strictly by what the operation takes. captures are the
// parts of the path.
func (f fields) decode(data, captures map[string]any) (input, error) {
	return strict.Parameters(data, captures, func(name string, value any) (any, error) {
		field, known := f[name]
		if !known {
			return nil, strict.Unknown(name)
		}
		return field.decode(name, value)
	})
}

// with is the union of two sets of fields.
func (f fields) with(more fields) fields {
	union := maps.Clone(f)
	maps.Copy(union, more)
	return union
}

// schema is the fields as Vault documents them. inQuery marks those of an
// operation that has no body.
func (f fields) schema(inQuery bool) map[string]*framework.FieldSchema {
	schema := make(map[string]*framework.FieldSchema, len(f))
	for name, field := range f {
		schema[name] = &framework.FieldSchema{
			Type:        frameworkTypes[field.kind],
			Description: field.help,
			// A key in a query lands in the audit log, so none is offered.
			Query: inQuery && !field.secret && !field.noQuery,
		}
		if field.secret {
			schema[name].DisplayAttrs = &framework.DisplayAttributes{Sensitive: true}
		}
	}
	return schema
}

// answer is the fields as those of a response.
func (f fields) answer() map[string]*framework.FieldSchema {
	schema := f.schema(false)
	for name := range schema {
		schema[name].Required = !f[name].sometimes
	}
	return schema
}
