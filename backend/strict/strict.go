// Package strict reads what callers send: each value in one way or not at all, never
// trimmed, folded or guessed. It reads what comes as JSON, as form values, or as Vault
// hands it to a plugin. No error holds a value, or a name that could be one.
package strict

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// MaxParameters bounds how many parameters one request may have. Nothing takes
// half as many.
const MaxParameters = 64

// Parameters reads all that a request has. captures are the parts of its path. take
// decodes one parameter, and answers [Unknown] for one that is not taken.
func Parameters(data, captures map[string]any, take func(name string, value any) (any, error)) (map[string]any, error) {
	if len(data) > MaxParameters {
		return nil, record.Mistake("too many parameters")
	}
	in := make(map[string]any, len(data)+len(captures))
	for name, value := range captures {
		in[name] = value
	}
	for name, value := range data {
		if inPath, ok := captures[name]; ok {
			if value != inPath {
				return nil, record.Mistakef("%s stands in the path and, differently, in the data", name)
			}
			continue
		}
		decoded, err := take(name, value)
		if err != nil {
			return nil, err
		}
		in[name] = decoded
	}
	return in, nil
}

// parameterName is what a misspelt parameter may look like, in the ways of other
// interfaces, too. Anything else could be a key, or a good part of one, that was
// sent in the wrong place, and is not shown.
var parameterName = regexp.MustCompile(`^(?:[a-z][a-z0-9_]{0,39}|[A-Za-z][A-Za-z_-]{0,23})$`)

// Unknown is the mistake of a parameter that is not taken.
func Unknown(name string) error {
	if parameterName.MatchString(name) {
		return record.Mistakef("unknown parameter %q", name)
	}
	return record.Mistake("unknown parameter (its name is no parameter's name, and is not shown)")
}

// Kind is the type of a parameter and how strictly it is read.
type Kind int

// The kinds, and what they are decoded to.
const (
	Word     Kind = iota // text that is never empty
	Text                 // text that may be empty
	Duration             // record.Seconds, 10 years at most
	Count                // int64, never negative
	Flag                 // bool
	List                 // []string; never with an empty one
	Pairs                // map[string]string
	Object               // a map, in answers only
	Objects              // []any, of maps
)

// Decode reads one value.
func (k Kind) Decode(name string, value any) (any, error) {
	switch k {
	case Word, Text:
		s, ok := value.(string)
		if !ok {
			return nil, record.Mistakef("%s must be a string", name)
		}
		if s == "" && k == Word {
			return nil, record.Mistakef("%s must not be empty", name)
		}
		return s, nil
	case Duration:
		return decodeDuration(name, value)
	case Count:
		return decodeCount(name, value)
	case Flag:
		return decodeFlag(name, value)
	case List:
		return decodeList(name, value)
	case Pairs:
		return decodePairs(name, value)
	case Objects:
		items, ok := value.([]any)
		if !ok {
			return nil, record.Mistakef("%s must be a list of objects", name)
		}
		return items, nil
	default:
		return nil, record.Mistakef("%s cannot be set", name)
	}
}

// countGrammar has no sign, no leading zero, no other base.
var countGrammar = regexp.MustCompile(`^(?:0|[1-9]\d{0,17})$`)

func decodeCount(name string, value any) (int64, error) {
	if s, ok := value.(string); ok && countGrammar.MatchString(s) {
		return strconv.ParseInt(s, 10, 64) // 18 digits always fit
	}
	n, ok := wholeNumber(value)
	if !ok || n < 0 {
		return 0, record.Mistakef("%s must be a whole number that is not negative", name)
	}
	return n, nil
}

// exactFloat is the largest number up to which a float64, as which JSON numbers
// cross the plugin boundary, holds every whole number.
const exactFloat = 1 << 53

func wholeNumber(value any) (int64, bool) {
	switch v := value.(type) {
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) <= exactFloat
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case int:
		return int64(v), true
	case int64:
		return v, true
	default:
		return 0, false
	}
}

func decodeFlag(name string, value any) (bool, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b, nil
		}
	}
	return false, record.Mistakef("%s must be true or false", name)
}

// decodeList takes a list of strings or, as the CLI sends it, one string with
// commas. Only a JSON [] says 'none': an unset variable in a script does not.
func decodeList(name string, value any) ([]string, error) {
	var entries []string
	ok := true
	if text, one := value.(string); one {
		entries = strings.Split(text, ",")
		for i, e := range entries {
			entries[i] = strings.TrimSpace(e)
		}
	} else {
		entries, ok = texts(value)
	}
	if !ok {
		return nil, record.Mistakef("%s must be a list of strings", name)
	}
	for _, e := range entries {
		if strings.TrimSpace(e) == "" {
			return nil, record.Mistakef("%s has an empty entry; to set none, send the JSON list [] (on the command line as JSON on standard input: vault write PATH -)", name)
		}
	}
	return entries, nil
}

// decodePairs takes a map of strings or, as the CLI sends it, one or more
// key=value strings.
func decodePairs(name string, value any) (map[string]string, error) {
	decoded := map[string]string{}
	add := func(k string, v any) bool {
		s, ok := v.(string)
		_, twice := decoded[k]
		decoded[k] = s
		return ok && !twice
	}
	pairs, ok := texts(value)
	switch v := value.(type) {
	case map[string]any:
		ok = true
		for k, e := range v {
			ok = add(k, e) && ok
		}
	case map[string]string:
		return v, nil
	}
	for _, pair := range pairs {
		k, v, cut := strings.Cut(pair, "=")
		ok = add(k, v) && cut && ok
	}
	if !ok {
		return nil, record.Mistakef("%s must be a map of strings, or key=value", name)
	}
	return decoded, nil
}

// texts are the strings of a list, or one that stands for a list.
func texts(value any) (texts []string, ok bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case []string:
		return slices.Clone(v), true
	case []any:
		texts = make([]string, len(v))
		for i, e := range v {
			if texts[i], ok = e.(string); !ok {
				return nil, false
			}
		}
		return texts, true
	}
	return nil, false
}
