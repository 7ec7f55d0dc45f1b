package doors

import (
	"net/http"
	"net/url"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// passedOn answers gateways that pass the answer on to their client. Whatever the method
// is, there is no body that would be read; further tells that behind the role stands what
// the client asked for, which is nobody's business here.
func (v *visit) passedOn(escaped string, further bool) {
	role, err := url.PathUnescape(escaped)
	if err != nil {
		err = record.Mistake("the role in the path cannot be read")
	}
	if err == nil && !further {
		err = v.refuseQuery()
	}
	if err == nil {
		err = v.refuseWrapping()
	}
	if err != nil {
		v.failed(err)
		return
	}
	d, err := v.decide(make(map[string]any, 3), role)
	if err != nil {
		v.failed(err)
		return
	}
	v.setHeaders(&d)
	status := d.Code.HTTPStatus()
	if status == http.StatusUnauthorized {
		v.w.Header()["Www-Authenticate"] = v.challenges()
	}
	v.status(status, &d)
}

// refuseQuery refuses a key in the query of a path that is the gateway's own.
func (v *visit) refuseQuery() error {
	if namesKey(v.r.URL.RawQuery) {
		return record.Mistake("a key in the URL's query stands in logs in clear: consider this key leaked, and send keys in a header")
	}
	return nil
}

// namesKey tells whether there is a key in a query, also in one of those of which net/url
// reads a part, or nothing.
func namesKey(query string) bool {
	for piece := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(piece, "=")
		if name, err := url.QueryUnescape(name); err == nil && name == "key" {
			return true
		}
	}
	return false
}

// challenges name the ways in which a key may come.
func (v *visit) challenges() (all []string) {
	for _, h := range v.settings.KeyHeaders {
		all = append(all, h.Challenge(v.doors.mount))
	}
	return all
}
