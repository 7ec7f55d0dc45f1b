package doors

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/strict"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// vault answers at the paths of Vault, as Vault does.
func (v *visit) vault(below string) {
	door, escaped, named := strings.Cut(below, "/")
	role, err := url.PathUnescape(escaped)
	if err != nil || named && role == "" || strings.Contains(role, "/") || door != "verify" && door != "authorize" {
		v.fail(http.StatusNotFound, "there is no door at this path")
		return
	}
	v.door = door
	if err := v.refuseWrapping(); err != nil {
		v.failed(err)
		return
	}
	in, err := v.parameters(role, door == "verify")
	switch {
	case err != nil:
		v.failed(err)
	case door == "authorize":
		v.authorize(in, role)
	default:
		v.verify(in, role)
	}
}

// reads tells whether the request is what Vault calls a read.
func (v *visit) reads() bool { return v.r.Method == http.MethodGet || v.r.Method == http.MethodHead }

// parameters are those in the query of a read, or in the body of a write; nil for a read
// without a query, as gateways send it.
func (v *visit) parameters(role string, full bool) (map[string]any, error) {
	if v.r.URL.RawQuery == "" && v.reads() {
		return nil, nil
	}
	query, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return nil, record.Mistake("the query cannot be read")
	}
	if query.Has("key") {
		return nil, record.Mistake("a key in the URL's query stands in logs in clear: consider this key leaked, and send keys in the body or in a header")
	}
	var data map[string]any
	switch v.r.Method {
	case http.MethodGet, http.MethodHead:
		data = form(query)
	case http.MethodPost, http.MethodPut:
		if data, err = v.body(); err != nil {
			return nil, err
		}
	default:
		return nil, notAllowed{}
	}
	captures := map[string]any{}
	if role != "" {
		captures["role"] = role
	}
	return strict.Parameters(data, captures, func(name string, value any) (any, error) {
		if full {
			return v.verifyParameter(name, value)
		}
		return v.authorizeParameter(name, value)
	})
}

func (v *visit) verifyParameter(name string, value any) (any, error) {
	if name == "batch_input" && !v.reads() {
		return strict.Objects.Decode(name, value)
	}
	return question.Parameter(name, value)
}

// authorizeParameter takes no restriction from a query, which lets a client add to it,
// and a key that is empty: what verify calls a mistake is a refusal here.
func (v *visit) authorizeParameter(name string, value any) (any, error) {
	switch name {
	case "scopes", "client_ip":
		if v.reads() {
			return nil, record.Mistakef("%s in a query is refused, which loses what it cannot parse and lets a client add to it: send the header %s, or a write", name, question.HeaderOf(name))
		}
	case "key":
		text, err := strict.Text.Decode(name, value)
		s, _ := text.(string)
		return apikey.Present(s), err
	case "brief":
		return nil, strict.Unknown(name)
	}
	return question.Parameter(name, value)
}

func (v *visit) verify(in map[string]any, role string) {
	items, batch, err := question.Items(in)
	if err != nil {
		v.failed(err)
		return
	}
	if batch {
		v.batch(items, role)
		return
	}
	key, err := v.presented(in)
	if err != nil {
		v.failed(err)
		return
	}
	q, err := question.Of(in, key, role)
	if err != nil {
		v.failed(err)
		return
	}
	if v.reads() {
		q.ScopesNamed = false // what stands in a query may be half of what was sent
	}
	d, err := v.ask(v.r.Context(), q.Request)
	if err != nil {
		v.failed(err)
		return
	}
	v.envelope("\n", verdict.AppendJSON(nil, &d, q.Brief))
}

// presented is the key in a write's body, or in a read's header.
func (v *visit) presented(in map[string]any) (apikey.Presented, error) {
	if !v.reads() {
		return question.Key(in)
	}
	switch found := v.header("X-API-Key"); {
	case len(found) == 0:
		return apikey.Presented{}, record.Mistake("no key in a header: send it in X-API-Key, or in another that key_headers names")
	case len(found) > 1:
		return apikey.Presented{}, record.Mistake("more than one key in headers")
	case found[0] == "":
		return apikey.Presented{}, record.Mistake("the key in the header is empty")
	default:
		return apikey.Present(found[0]), nil
	}
}

func (v *visit) batch(items []any, role string) {
	kept := *v // what is handed on is kept on the heap, which no other visit needs
	b, err := v.doors.batches.Answer(v.r.Context(), items, role, question.MaxAnswer, kept.ask)
	v.stale = kept.stale
	if err != nil {
		v.failed(err)
		return
	}
	defer b.End()
	v.envelope("", []byte(`{"batch_results":`), b.JSON(), []byte("}"))
}

// envelope sends data as Vault does, which ends a line that it encodes itself.
func (v *visit) envelope(end string, data ...[]byte) {
	v.json()
	setStale(v.w.Header(), v.stale)
	body := []byte(`{"request_id":"` + requestID() + `","lease_id":"","renewable":false,"lease_duration":0,"data":`)
	for _, piece := range data {
		body = append(body, piece...)
	}
	body = append(body, `,"wrap_info":null,"warnings":null,"auth":null,"mount_type":"`+mountType+`"}`+end...)
	_, _ = v.w.Write(body) // nobody is there to hear of it
}

// mountType is what Vault says of the engine under the name that its binary has.
const mountType = "vault-plugin-secrets-apikeys"

// requestID is a random UUID.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// authorize answers by the status. The limits are a 403, as at the engine: nginx knows
// only 401 and 403.
func (v *visit) authorize(in map[string]any, role string) {
	if in == nil {
		in = make(map[string]any, 3)
	}
	d, err := v.decide(in, role)
	if err != nil {
		v.failed(err)
		return
	}
	status := d.Code.HTTPStatus()
	if status == http.StatusTooManyRequests {
		status = http.StatusForbidden
	}
	v.setHeaders(&d)
	v.status(status, &d)
}

// status sends a decision's status, and one line of JSON.
func (v *visit) status(status int, d *verify.Decision) {
	v.json()
	v.w.WriteHeader(status)
	_, _ = v.w.Write([]byte(`{"code":"` + string(d.Code) + `"}` + "\n"))
}
