package verdict

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// Batch are the answers to many questions, in order. Each is encoded as soon as it
// is known: what is kept of it is what is answered, and what an auditor searches by.
type Batch struct {
	encoded []byte
	// Of each item; empty for what is not proven, codes also for an item that was
	// not decided.
	KeyIDs, Owners, Codes []string
	Statuses              []int
}

// usual is what an item takes as a rule.
const usual = 448

// NewBatch has room for so many items.
func NewBatch(items int) *Batch {
	return &Batch{
		encoded: append(make([]byte, 0, items*usual), '['),
		KeyIDs:  make([]string, 0, items), Owners: make([]string, 0, items), Codes: make([]string, 0, items),
		Statuses: make([]int, 0, items),
	}
}

// Decided adds a decision and answers how many bytes it took.
func (b *Batch) Decided(d *verify.Decision, brief bool) (bytes int) {
	var id, owner string
	if d.Proven() {
		id, owner = d.Key.ID, d.Key.Owner
	}
	begin := b.begin(id, owner, string(d.Code), d.Code.HTTPStatus())
	each(d, brief, b.field)
	return b.end(begin)
}

// Undecided adds an item that could not be decided, and why.
func (b *Batch) Undecided(text string, status int) (bytes int) {
	begin := b.begin("", "", "", status)
	b.field("error", text)
	b.field("http_status", status)
	return b.end(begin)
}

// JSON is the list of all items. Nothing is added afterwards.
func (b *Batch) JSON() []byte { return append(bytes.TrimSuffix(b.encoded, []byte(",")), ']') }

func (b *Batch) begin(id, owner, code string, status int) int {
	b.KeyIDs, b.Owners, b.Codes, b.Statuses = append(b.KeyIDs, id), append(b.Owners, owner), append(b.Codes, code), append(b.Statuses, status)
	b.encoded = append(b.encoded, '{')
	return len(b.encoded) - 1
}

func (b *Batch) field(name string, value any) {
	b.encoded = append(appendJSON(append(appendText(b.encoded, name), ':'), value), ',')
}

// end puts the brace where the last field put its comma.
func (b *Batch) end(begin int) (bytes int) {
	b.encoded[len(b.encoded)-1] = '}'
	b.encoded = append(b.encoded, ',')
	return len(b.encoded) - 1 - begin
}

// AppendJSON adds a decision as an object, its fields in the order of their names: as
// Vault sends it, which makes it of a map.
func AppendJSON(b []byte, d *verify.Decision, brief bool) []byte {
	b = append(b, '{')
	for _, f := range byName {
		if parts[f.part].shown(d, brief) {
			b = append(appendJSON(append(appendText(b, f.Name), ':'), f.Value(d)), ',')
		}
	}
	return append(b[:len(b)-1], '}') // what everything answers is there: there is a comma
}

// byName are all fields in the order of their names, each with its part.
var byName = func() (sorted []sortedField) {
	for i, p := range parts {
		for _, f := range p.fields {
			sorted = append(sorted, sortedField{f, i})
		}
	}
	slices.SortFunc(sorted, func(a, b sortedField) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}()

type sortedField struct {
	Field
	part int
}

// appendJSON writes a value as encoding/json does, which would take most of a
// batch's time by reflection.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case []string:
		b = append(b, '[')
		for i, s := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, s)
		}
		return append(b, ']')
	case map[string]string:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(append(appendText(b, name), ':'), v[name])
		}
		return append(b, '}')
	default:
		return appendText(b, v.(string))
	}
}

// appendText leaves to encoding/json what has to be escaped, which is rare.
func appendText(b []byte, s string) []byte {
	if plain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	encoded, _ := json.Marshal(s) // no text is refused
	return append(b, encoded...)
}

// plain tells whether a text stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// MostBrief is how long a brief answer, that to an unproven key or an error may
// become in JSON.
const MostBrief = 256

// fixedBytes is what the names, numbers and times of an answer take at the most.
const fixedBytes = 768

// Most is how long the answer about a key may become in JSON.
func Most(d *verify.Description) int {
	size := fixedBytes + encodedBytes(d.Key.ID) + encodedBytes(d.Key.Owner) + encodedBytes(d.Key.Role) + encodedBytes(d.Key.Name) + encodedBytes(d.Key.Parent)
	for name, value := range d.Metadata {
		size += encodedBytes(name) + encodedBytes(value)
	}
	for _, s := range d.Scopes {
		size += encodedBytes(s)
	}
	for _, s := range d.MissingScopes {
		size += encodedBytes(s)
	}
	return size
}

// encodedBytes is the length of a text in JSON, with its quotes and the comma or
// colon after it. Text that was checked is printable, so besides quotes only what
// means something to HTML is escaped.
func encodedBytes(s string) int {
	n := len(s) + len(`"",`)
	for i := range len(s) {
		switch s[i] {
		case '"', '\\':
			n++
		case '<', '>', '&':
			n += len(`\u003c`) - 1
		}
	}
	return n
}
