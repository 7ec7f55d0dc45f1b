package doors

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// notAllowed is a method that a door does not take.
type notAllowed struct{}

// Error is what Vault says.
func (notAllowed) Error() string   { return "1 error occurred:\n\t* unsupported operation\n\n" }
func (notAllowed) HTTPStatus() int { return http.StatusMethodNotAllowed }

// failed answers a request that was not decided.
func (v *visit) failed(err error) {
	text, status := v.doors.tell(err)
	v.told(status, text, reason(err, text, status))
}

// reason is what of a request that was not decided is counted: the word of a 503, gone
// where whoever asked has hung up, and else its status, as the texts of mistakes are many.
func reason(err error, text string, status int) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "gone"
	case status == http.StatusServiceUnavailable:
		return text
	default:
		return http.StatusText(status)
	}
}

// fail answers what is a mistake whatever is asked, or a fault.
func (v *visit) fail(status int, text string) { v.told(status, text, http.StatusText(status)) }

// told says why nothing was decided in the words of Vault at its paths, and else in one
// line that a gateway may pass on.
func (v *visit) told(status int, text, why string) {
	v.doors.observer.Failed(v.door, why)
	v.json()
	if status == http.StatusServiceUnavailable {
		v.w.Header()["Retry-After"] = retryAfter
	}
	var body any = map[string]string{"error": text}
	if v.door == "" || v.door == "verify" || v.door == "authorize" {
		body = map[string][]string{"errors": {text}}
	}
	encoded, _ := json.Marshal(body) // texts only
	v.w.WriteHeader(status)
	_, _ = v.w.Write(append(encoded, '\n'))
}

var retryAfter = []string{"1"}
