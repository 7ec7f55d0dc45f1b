package verdict

import (
	"strconv"
	"strings"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// maxHeaders bounds the bytes of all headers of an answer. nginx takes the head of
// an answer of 4 KiB, and Vault has headers of its own: with a longer one a good
// key is a 500.
const maxHeaders = 2 << 10

// Headers tell what the HTTP status does not. Scopes, which alone can be long, are
// whole or not there at all: part of a list would read as all of it.
func Headers(d *verify.Decision) map[string][]string {
	headers := map[string][]string{"X-Apikey-Code": {string(d.Code)}}
	if spent(d) {
		headers["Retry-After"] = []string{strconv.FormatInt(int64(d.RetryAfter), 10)}
	}
	if !d.Proven() {
		return headers
	}
	headers["X-Apikey-Id"] = []string{d.Key.ID}
	headers["X-Apikey-Owner"] = []string{d.Key.Owner}
	headers["X-Apikey-Scopes"] = []string{strings.Join(d.Scopes, ",")}
	if headLength(headers) > maxHeaders {
		headers["X-Apikey-Scopes"] = []string{""}
		headers["X-Apikey-Scopes-Omitted"] = []string{"true"}
	}
	return headers
}

// headLength is how long the headers are on the wire.
func headLength(headers map[string][]string) (n int) {
	for name, values := range headers {
		for _, value := range values {
			n += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return n
}
