package doors

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// Observer is told of whatever a door answered, before the answer leaves.
type Observer interface {
	// Decided tells of a decision.
	Decided(d Decided)
	// Failed tells of a request that was not decided: a mistake, or a 503 with its word.
	Failed(door, why string)
}

// Decided is a decision at a door. It has nothing of a key but its id, and of what is not
// proven nothing: not even the role that was asked for, which a client may have written.
type Decided struct {
	Door     string
	Code     verify.Code
	KeyID    string
	Version  int
	Role     string
	Owner    string
	Scopes   []string // that were asked for
	ClientIP netip.Addr
	Took     time.Duration
}

// visit is one request on its way through a door.
type visit struct {
	doors    *Doors
	settings *Settings
	w        http.ResponseWriter
	r        *http.Request
	caller   Caller
	door     string
	stale    time.Duration // how old what was answered from was, in the grace
}

// header are the values of what may come in a header, by the engine's name for it.
func (v *visit) header(name string) []string {
	switch name {
	case "X-API-Key":
		return keys(v.r.Header, v.settings.KeyHeaders)
	case "X-Required-Scopes":
		return v.r.Header["X-Required-Scopes"]
	default:
		return v.caller.address(v.r.Header)
	}
}

// keys are those that come in headers. Credentials of another scheme are none.
func keys(header http.Header, in []config.KeyHeader) (found []string) {
	if len(in) == 1 && in[0].Scheme == "" {
		return header[in[0].Name]
	}
	for _, h := range in {
		for _, value := range header[h.Name] {
			if key, ok := h.Key(value); ok {
				found = append(found, key)
			}
		}
	}
	return found
}

// merged is the question that stands in headers and, of a write, in decoded parameters.
func (v *visit) merged(in map[string]any, role string) (question.Question, error) {
	ok, err := question.Merge(in, v.header)
	if err != nil || !ok {
		return question.Question{Request: verify.Request{Role: role}}, err // without a key it is invalid
	}
	key, _ := in["key"].(apikey.Presented)
	return question.Of(in, key, role)
}

// decide is what doors that answer by the status ask: parameters and headers together.
func (v *visit) decide(in map[string]any, role string) (verify.Decision, error) {
	q, err := v.merged(in, role)
	if err != nil {
		return verify.Decision{}, err
	}
	return v.ask(v.r.Context(), q.Request)
}

// ask decides, and tells of it.
func (v *visit) ask(ctx context.Context, r verify.Request) (verify.Decision, error) {
	cursor, err := cursorOf(v.r.Header["X-Apikey-Min-Cursor"])
	if err != nil {
		return verify.Decision{}, err
	}
	answer, err := v.doors.decide(ctx, v.settings, v.door, edge.Question{Request: r, Client: r.ClientIP, MinCursor: cursor})
	v.stale = max(v.stale, answer.Stale)
	return answer.Decision, err
}

// cursorOf is what the asker wants to be known. An empty one is none of the engine's.
func cursorOf(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || values[0] == "":
		return "", edge.ErrCursor
	}
	return values[0], nil
}

// decide decides, and tells of it.
func (d *Doors) decide(ctx context.Context, s *Settings, door string, q edge.Question) (answer edge.Answer, err error) {
	begun := time.Now()
	if s.admits(q.Role) {
		answer, err = d.decider.Verify(ctx, q)
	} else {
		answer.Code = verify.Invalid
	}
	if err == nil {
		// By value: a pointer would send each decision to the heap.
		told := Decided{Door: door, Code: answer.Code, Scopes: q.Scopes, ClientIP: q.ClientIP}
		if answer.Proven() {
			told.KeyID, told.Version, told.Role, told.Owner = answer.Key.ID, answer.Version.Number, answer.Key.Role, answer.Key.Owner
		}
		told.Took = time.Since(begun)
		d.observer.Decided(told)
	}
	return answer, err
}

// tell is what is said of a request that was not decided.
func (d *Doors) tell(err error) (text string, status int) {
	var told interface {
		error
		HTTPStatus() int
	}
	var trouble edge.Trouble
	switch {
	case errors.As(err, &trouble):
		return trouble.Error(), http.StatusServiceUnavailable
	case errors.As(err, &told):
		return told.Error(), told.HTTPStatus()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// As a rule nobody listens any more. No fault of ours is a client who hangs up.
		return edge.ErrBusy.Error(), http.StatusServiceUnavailable
	default:
		d.log.Error("a request failed", "error", err)
	}
	return "internal error", http.StatusInternalServerError
}

// refuseWrapping refuses what Vault would do with an answer, and nothing here can.
func (v *visit) refuseWrapping() error {
	switch {
	case v.r.Header["X-Vault-Wrap-Ttl"] == nil:
		return nil
	case v.door == "verify":
		return record.Mistake("a gate wraps no answer: strip X-Vault-Wrap-TTL")
	default:
		return question.ErrWrapped
	}
}

// setHeaders tells of a decision what its status does not. They are set always: a header
// of that name that a client sent must not be taken for an answer's.
func (v *visit) setHeaders(d *verify.Decision) {
	setHeaders(v.w.Header(), d, v.stale)
}

func setHeaders(h map[string][]string, d *verify.Decision, stale time.Duration) {
	if d.Proven() {
		h["X-Apikey-Role"] = []string{d.Key.Role}
	}
	setStale(h, stale)
	verdict.SetHeaders(h, d)
}

// setStale tells in the grace how old the knowledge was, in seconds that have begun.
func setStale(h map[string][]string, stale time.Duration) {
	if stale > 0 {
		h["X-Apikey-Stale"] = []string{strconv.FormatInt(int64((stale+time.Second-1)/time.Second), 10)}
	}
}
