package paths

import (
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// decodeList takes a list of strings or, as the CLI sends it, one string with
// commas. Only a JSON [] says 'none': an unset variable in a script does not.
func decodeList(name string, value any) ([]string, error) {
	entries := []string{}
	switch v := value.(type) {
	case string:
		for entry := range strings.SplitSeq(v, ",") {
			entries = append(entries, strings.TrimSpace(entry))
		}
	case []string:
		entries = append(entries, v...)
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, record.Mistakef("%s must be a list of strings", name)
			}
			entries = append(entries, s)
		}
	default:
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
	mistake := record.Mistakef("%s must be a map of strings, or key=value", name)
	decoded := map[string]string{}
	add := func(pair any) bool {
		s, _ := pair.(string)
		k, v, ok := strings.Cut(s, "=")
		if _, twice := decoded[k]; !ok || twice {
			return false
		}
		decoded[k] = v
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		for k, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, mistake
			}
			decoded[k] = s
		}
	case map[string]string:
		for k, s := range v {
			decoded[k] = s
		}
	case string:
		if !add(v) {
			return nil, mistake
		}
	case []any:
		for _, e := range v {
			if !add(e) {
				return nil, mistake
			}
		}
	case []string:
		for _, e := range v {
			if !add(e) {
				return nil, mistake
			}
		}
	default:
		return nil, mistake
	}
	return decoded, nil
}
