package paths

import (
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// decodeList takes a list of strings or, as the CLI sends it, one string with
// commas. Only a JSON [] says 'none': an unset variable in a script does not.
func decodeList(name string, value any) ([]string, error) {
	entries, ok := texts(value)
	if !ok {
		return nil, record.Mistakef("%s must be a list of strings", name)
	}
	if text, ok := value.(string); ok {
		entries = strings.Split(text, ",")
		for i, e := range entries {
			entries[i] = strings.TrimSpace(e)
		}
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
