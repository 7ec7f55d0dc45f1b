package doors

import (
	"encoding/json"
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
	v.fail(status, text)
}

// fail says so in the words of Vault at its paths, and else in one line that a gateway
// may pass on.
func (v *visit) fail(status int, text string) {
	why := text
	if status != http.StatusServiceUnavailable {
		why = http.StatusText(status) // the texts of mistakes are many
	}
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
