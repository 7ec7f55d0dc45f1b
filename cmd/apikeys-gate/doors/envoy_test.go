package doors

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// described is a request as Envoy tells of it.
func described(address string, route, headers map[string]string) *auth.CheckRequest {
	of := &auth.AttributeContext{
		ContextExtensions: route,
		Request:           &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Headers: headers}},
	}
	if address != "" {
		of.Source = &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: address}}}}
	}
	return &auth.CheckRequest{Attributes: of}
}

func TestEnvoyAsks(t *testing.T) {
	t.Parallel()
	type names = map[string]string
	web := names{"role": "web"}
	limited := with(func(d *verify.Decision) {
		d.Code, d.Limits, d.Remaining, d.RetryAfter = verify.RateLimited, record.Limits{RateLimit: 1}, limit.Remaining{}, 7
	})
	for name, tc := range map[string]struct {
		request *auth.CheckRequest
		answer  verify.Decision
		err     error
		status  int // 200 for OK
		body    string
	}{
		"a good key":                       {described("192.0.2.1", web, names{"x-api-key": secret}), good, nil, 200, ""},
		"a good key with scopes":           {described("192.0.2.1", names{"role": "web", "scopes": "a,b"}, names{"x-api-key": secret}), good, nil, 200, ""},
		"no key":                           {described("192.0.2.1", web, names{"x-required-scopes": "-", "x-client-ip": "::1"}), good, nil, 401, `{"code":"invalid"}`},
		"two keys, joined":                 {described("", web, names{"x-api-key": ""}), good, nil, 401, `{"code":"invalid"}`},
		"no attributes at all":             {&auth.CheckRequest{}, good, nil, 401, `{"code":"invalid"}`},
		"a role that is not of this gate":  {described("", names{"role": "other"}, names{"x-api-key": secret}), good, nil, 401, `{"code":"invalid"}`},
		"scopes that are empty":            {described("", names{"role": "web", "scopes": ""}, names{"x-api-key": secret}), good, nil, 400, `{"error":"X-Required-Scopes has an empty entry`},
		"a restriction that is misspelt":   {described("", names{"role": "web", "scope": "a"}, names{"x-api-key": secret}), good, nil, 400, `{"error":"unknown parameter \"scope\""}`},
		"an address that is none":          {described("/run/sock", web, names{"x-api-key": secret}), good, nil, 400, `{"error":"client_ip must be one IP address"}`},
		"an empty cursor":                  {described("", web, names{"x-api-key": secret, "x-apikey-min-cursor": ""}), good, nil, 400, `{"error":"X-Apikey-Min-Cursor`},
		"a limit":                          {described("", web, names{"x-api-key": secret}), limited, nil, 429, `{"code":"rate_limited"}`},
		"a key that lacks a scope":         {described("", web, names{"x-api-key": secret}), with(func(d *verify.Decision) { d.Code = verify.InsufficientScope }), nil, 403, `{"code":"insufficient_scope"}`},
		"a mirror that is stale":           {described("", web, names{"x-api-key": secret}), good, edge.ErrStale, 503, `{"error":"stale"}`},
		"a mirror in trouble":              {described("", web, names{"x-api-key": secret}), good, fmt.Errorf("a cause"), 500, `{"error":"internal error"}`},
		"roles that are several, and none": {described("", nil, names{"x-api-key": secret}), good, edge.ErrRoleNeeded, 400, `{"error":"this gate has several roles`},
	} {
		h := open(tc.answer, tc.err)
		response, err := (&envoy{doors: h.Doors}).Check(t.Context(), tc.request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		status := 200
		if denied := response.GetDeniedResponse(); denied != nil {
			status = int(denied.Status.Code)
		}
		if status != tc.status || !strings.HasPrefix(response.GetDeniedResponse().GetBody(), tc.body) || (response.Status.Code == 0) != (tc.status == 200) {
			t.Errorf("%s: %v", name, response)
		}
		if strings.Contains(response.String(), "CANARY") || strings.Contains(response.String(), "a cause") || strings.Contains(h.log.String(), "CANARY") {
			t.Errorf("%s: it shows %v", name, response)
		}
		for _, q := range h.decider.asked {
			if q.Role != "web" && q.Role != "" || !q.Key.None() && q.Key.Reveal() != secret {
				t.Errorf("%s: it asks %+v", name, q)
			}
		}
	}
}

func TestWhatEnvoyPassesOnIsTheGates(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	h.decider.answer.Stale = time.Second
	response, err := (&envoy{doors: h.Doors}).Check(t.Context(), described("", map[string]string{"role": "web", "scopes": "a, b"}, map[string]string{"x-api-key": secret, "x-apikey-owner": "me"}))
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, option := range response.GetOkResponse().Headers {
		if option.AppendAction != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s is %v", option.Header.Key, option.AppendAction)
		}
		set[option.Header.Key] = option.Header.Value
	}
	if set["x-apikey-owner"] != "acme" || set["x-apikey-role"] != "web" || set["x-apikey-stale"] != "1" || set["x-apikey-id"] == "" {
		t.Errorf("it sets %v", set)
	}
	if removed := response.GetOkResponse().HeadersToRemove; !slices.Equal(removed, []string{"x-apikey-scopes-omitted"}) {
		t.Errorf("it removes %v", removed)
	}
	if q := h.decider.asked[0]; !slices.Equal(q.Scopes, []string{"a", "b"}) || q.Role != "web" {
		t.Errorf("it asks %+v", q)
	}
}

func TestHeadersThatEnvoyTellsOneByOne(t *testing.T) {
	t.Parallel()
	raw := func(keys ...string) *auth.CheckRequest {
		r := described("", map[string]string{"role": "web"}, nil)
		m := &core.HeaderMap{}
		for i, key := range keys {
			value := &core.HeaderValue{Key: "x-api-key", RawValue: []byte(key)}
			if i > 0 {
				value = &core.HeaderValue{Key: "X-API-Key", Value: key}
			}
			m.Headers = append(m.Headers, value)
		}
		r.Attributes.Request.Http.HeaderMap = m
		return r
	}
	for want, r := range map[int]*auth.CheckRequest{200: raw(secret), 401: raw(secret, secret)} {
		h := open(good, nil)
		response, err := (&envoy{doors: h.Doors}).Check(t.Context(), r)
		if err != nil || (response.Status.Code == 0) != (want == 200) {
			t.Errorf("%v, %v", response, err)
		}
	}
}

func TestGRPCAndHTTPShareAListener(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	h.Configure(Settings{KeyHeaders: []config.KeyHeader{config.APIKey}})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h.Handler(func() Caller { return Caller{} }), Protocols: new(http.Protocols), ReadHeaderTimeout: time.Second}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	response, err := auth.NewAuthorizationClient(conn).Check(ctx, described("192.0.2.1", map[string]string{"role": "web"}, map[string]string{"x-api-key": secret}))
	if err != nil || response.GetOkResponse() == nil {
		t.Errorf("over gRPC: %v, %v", response, err)
	}
	request, err := http.NewRequestWithContext(ctx, "GET", "http://"+listener.Addr().String()+"/forward/web", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-Key", secret)
	over, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer over.Body.Close()
	if over.StatusCode != 200 {
		t.Errorf("over HTTP: %d", over.StatusCode)
	}
	h.decider.answer.Decision = verify.Decision{} // whatever it is, it is not allowed
	if response, err = auth.NewAuthorizationClient(conn).Check(ctx, described("", nil, map[string]string{"x-api-key": secret})); err != nil || response.GetOkResponse() != nil || response.Status.Code == 0 {
		t.Errorf("the zero decision is %v, %v", response, err)
	}
}
