package doors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/record"
)

const (
	// maxBody bounds a body: a thousand questions with all that they may have.
	maxBody = 8 << 20
	// smallBody is one that counts for nothing, since connections are bounded (see listen).
	smallBody = 16 << 10
	// maxBodies bounds all larger ones at a time. What is decoded takes a few times that.
	maxBodies = 64 << 20
	// maxDepth bounds objects and lists within each other. A batch has four.
	maxDepth = 8
)

// tooLarge is a body beyond all that could be asked.
type tooLarge struct{}

func (tooLarge) Error() string   { return "the body is too large" }
func (tooLarge) HTTPStatus() int { return http.StatusRequestEntityTooLarge }

// body is what stands in a body, JSON or a form.
func (v *visit) body() (map[string]any, error) {
	size := v.r.ContentLength
	if size < 0 { // it does not say
		size = maxBody
	}
	if size > maxBody {
		return nil, tooLarge{}
	}
	if size > smallBody {
		defer v.doors.bodies.Add(-size)
		if v.doors.bodies.Add(size) > maxBodies {
			return nil, edge.ErrBusy
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, maxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, tooLarge{}
	}
	if err != nil {
		return nil, record.Mistake("the body ended before its end")
	}
	if isForm(text, v.r.Header.Get("Content-Type")) {
		values, err := url.ParseQuery(string(text))
		if err != nil {
			return nil, record.Mistake("the body's form cannot be read")
		}
		return form(values), nil
	}
	if len(text) == 0 {
		return nil, nil
	}
	return object(text)
}

// isForm tells whether a body is a form. That of most commands is called one and is JSON
// (curl -d), and what Vault takes for JSON is JSON here.
func isForm(text []byte, contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	start := bytes.TrimLeft(text, " \t\r\n")
	return media == "application/x-www-form-urlencoded" && !bytes.HasPrefix(start, []byte("{")) && !bytes.HasPrefix(start, []byte("["))
}

// form are values as Vault reads them: what stands there once is text, and else a list.
func form(values url.Values) map[string]any {
	data := make(map[string]any, len(values))
	for name, all := range values {
		if len(all) == 1 {
			data[name] = all[0]
		} else {
			data[name] = all
		}
	}
	return data
}

const errNoObject record.Mistake = "the body is no JSON object"

// object reads one JSON object and nothing after it. A name that stands in it twice is a
// mistake: of two restrictions one would be lost.
func object(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := decode(decoder, 0)
	if err != nil {
		return nil, err
	}
	data, ok := value.(map[string]any)
	if _, err := decoder.Token(); !ok || !errors.Is(err, io.EOF) {
		return nil, errNoObject
	}
	return data, nil
}

func decode(from *json.Decoder, depth int) (any, error) {
	token, err := from.Token()
	if err != nil {
		return nil, errNoObject
	}
	delim, nested := token.(json.Delim)
	switch {
	case !nested:
		return token, nil
	case depth == maxDepth:
		return nil, record.Mistake("the body is nested too deeply")
	case delim == '{':
		return decodeObject(from, depth+1)
	default:
		return decodeList(from, depth+1)
	}
}

func decodeObject(from *json.Decoder, depth int) (any, error) {
	object := make(map[string]any)
	for from.More() {
		name, err := from.Token()
		text, ok := name.(string)
		if err != nil || !ok {
			return nil, errNoObject
		}
		if _, twice := object[text]; twice {
			return nil, record.Mistake("a name stands in the body twice")
		}
		if object[text], err = decode(from, depth); err != nil {
			return nil, err
		}
	}
	return object, end(from)
}

func decodeList(from *json.Decoder, depth int) (any, error) {
	list := []any{}
	for from.More() {
		value, err := decode(from, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, end(from)
}

// end takes the bracket that closes what was read.
func end(from *json.Decoder) error {
	if _, err := from.Token(); err != nil {
		return errNoObject
	}
	return nil
}
