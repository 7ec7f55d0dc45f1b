package doors

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/edge"
)

// broken meets a fault at each question.
type broken struct{}

func (broken) Verify(context.Context, edge.Question) (edge.Answer, error) { panic(secret) }

// TestAFaultEndsItsRequestAndIsCounted is what the alert on faults is by.
func TestAFaultEndsItsRequestAndIsCounted(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	h.Doors.decider = broken{}
	var want []string
	for _, door := range []string{"v1/team/apikeys/authorize", "v1/team/apikeys/verify", "forward", "ext-authz"} {
		w := h.send(t, Caller{}, "GET /"+door+"/web HTTP/1.1\nX-API-Key: k", "")
		if w.Code != 500 || !strings.Contains(w.Body.String(), "internal error") || w.Header().Get("X-Apikey-Code") != "" {
			t.Errorf("%s: %d, %s, %v", door, w.Code, w.Body, w.Header())
		}
		want = append(want, strings.TrimPrefix(door, "v1/team/apikeys/")+": Internal Server Error")
	}
	check := func(ctx context.Context, _ any) (any, error) {
		return (&envoy{doors: h.Doors}).Check(ctx, described("", map[string]string{"role": "web"}, map[string]string{"x-api-key": "k"}))
	}
	if _, err := h.guarded(t.Context(), nil, nil, check); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("Envoy is answered %v", err)
	}
	if want = append(want, "grpc: Internal Server Error"); !slices.Equal(h.noted.failed, want) {
		t.Errorf("told is %q, not %q", h.noted.failed, want)
	}
	if strings.Contains(h.log.String(), "CANARY") || strings.Count(h.log.String(), "a fault ended a request") != len(want) {
		t.Errorf("logged is %s", h.log)
	}
}

// TestWhoHangsUpIsNoFault lets clients go while their key is looked for: no fault is to be
// called out by that, and who only has nothing more to say, and listens, hears no other
// word than in other trouble.
func TestWhoHangsUpIsNoFault(t *testing.T) {
	t.Parallel()
	h := open(good, fmt.Errorf("asked in vain: %w", context.Canceled))
	for _, door := range []string{"v1/team/apikeys/authorize", "v1/team/apikeys/verify", "forward", "ext-authz"} {
		w := h.send(t, Caller{}, "GET /"+door+"/web HTTP/1.1\nX-API-Key: k", "")
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"busy"`) || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d, %s", door, w.Code, w.Body)
		}
	}
	response, err := (&envoy{doors: h.Doors}).Check(t.Context(), described("", map[string]string{"role": "web"}, map[string]string{"x-api-key": "k"}))
	if err != nil || response.GetDeniedResponse().GetStatus().GetCode() != http.StatusServiceUnavailable {
		t.Errorf("Envoy is answered %v, %v", response, err)
	}
	for _, told := range h.noted.failed {
		if !strings.HasSuffix(told, ": gone") {
			t.Errorf("told is %q", told)
		}
	}
	if len(h.noted.failed) != 5 || h.log.Len() != 0 {
		t.Errorf("told is %q, logged %s", h.noted.failed, h.log)
	}
}
