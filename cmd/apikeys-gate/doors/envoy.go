package doors

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/strict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// envoy answers Envoy's Authorization service. Of the request that Envoy describes, only
// the headers in which a key may come and the wanted cursor are the client's to say; role
// and scopes are of the route (context_extensions), the address is of the connection.
type envoy struct {
	auth.UnimplementedAuthorizationServer
	doors *Doors
}

func newEnvoy(d *Doors) *grpc.Server {
	server := grpc.NewServer(grpc.UnaryInterceptor(d.guarded))
	auth.RegisterAuthorizationServer(server, &envoy{doors: d})
	return server
}

// guarded ends a call that met a fault, and nothing else with it: a panic would end the
// process. What it was with may hold a key.
func (d *Doors) guarded(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	defer func() {
		if recover() != nil {
			d.log.Error("a fault ended a request", "door", "grpc")
			d.observer.Failed("grpc", http.StatusText(http.StatusInternalServerError))
			response, err = nil, status.Error(codes.Internal, "internal error")
		}
	}()
	return handler(ctx, request)
}

// Check decides about one request.
func (e *envoy) Check(ctx context.Context, r *auth.CheckRequest) (*auth.CheckResponse, error) {
	s := e.doors.settings.Load()
	q, err := asked(r.GetAttributes(), s)
	if err != nil {
		return e.failed(err), nil
	}
	answer, err := e.doors.decide(ctx, s, "grpc", q)
	if err != nil {
		return e.failed(err), nil
	}
	d := &answer.Decision
	headers := make(map[string][]string, 8)
	setHeaders(headers, d, answer.Stale)
	if d.Valid() {
		return &auth.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.OK)}, HttpResponse: &auth.CheckResponse_OkResponse{
			OkResponse: &auth.OkHttpResponse{Headers: options(headers), HeadersToRemove: missing(headers)},
		}}, nil
	}
	code := codes.PermissionDenied
	switch d.Code.HTTPStatus() {
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
		for _, h := range s.KeyHeaders {
			headers["WWW-Authenticate"] = append(headers["WWW-Authenticate"], h.Challenge(e.doors.mount))
		}
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	}
	return denied(code, d.Code.HTTPStatus(), headers, map[string]string{"code": string(d.Code)}), nil
}

// asked is the question about a request that Envoy describes.
func asked(of *auth.AttributeContext, s *Settings) (edge.Question, error) {
	route := of.GetContextExtensions()
	for name := range route {
		if name != "role" && name != "scopes" {
			return edge.Question{}, strict.Unknown(name) // a restriction that is misspelt
		}
	}
	client := clientHeaders(of.GetRequest().GetHttp())
	cursor, err := cursorOf(client["X-Apikey-Min-Cursor"])
	if err != nil {
		return edge.Question{}, err
	}
	in := make(map[string]any, 3)
	ok, err := question.Merge(in, func(header string) []string {
		switch header {
		case "X-API-Key":
			return keys(client, s.KeyHeaders)
		case "X-Required-Scopes":
			if scopes, sent := route["scopes"]; sent {
				return []string{scopes}
			}
		default:
			if address := of.GetSource().GetAddress().GetSocketAddress().GetAddress(); address != "" {
				return []string{address}
			}
		}
		return nil
	})
	q := question.Question{Request: verify.Request{Role: route["role"]}}
	if key, _ := in["key"].(apikey.Presented); ok && err == nil {
		q, err = question.Of(in, key, route["role"])
	}
	return edge.Question{Request: q.Request, Client: q.ClientIP, MinCursor: cursor}, err
}

// clientHeaders are those of the client that count. Envoy tells them joined, or one by
// one where it is told to.
func clientHeaders(of *auth.AttributeContext_HttpRequest) http.Header {
	client := make(http.Header, 2)
	add := func(name, value string) {
		switch strings.ToLower(name) {
		case "x-api-key", "authorization", "x-apikey-min-cursor":
			client.Add(name, value)
		}
	}
	if of.GetHeaderMap() == nil {
		for name, value := range of.GetHeaders() {
			add(name, value)
		}
	}
	for _, h := range of.GetHeaderMap().GetHeaders() {
		value := h.GetValue()
		if raw := h.GetRawValue(); raw != nil {
			value = string(raw)
		}
		add(h.GetKey(), value)
	}
	return client
}

// failed answers a request that was not decided.
func (e *envoy) failed(err error) *auth.CheckResponse {
	text, code := e.doors.tell(err)
	headers, of := map[string][]string{}, codes.InvalidArgument
	switch code {
	case http.StatusServiceUnavailable:
		of, headers["Retry-After"] = codes.Unavailable, retryAfter
	case http.StatusInternalServerError:
		of = codes.Internal
	}
	e.doors.observer.Failed("grpc", reason(err, text, code))
	return denied(of, code, headers, map[string]string{"error": text})
}

func denied(code codes.Code, httpStatus int, headers map[string][]string, body map[string]string) *auth.CheckResponse {
	headers["Content-Type"] = applicationJSON
	encoded, _ := json.Marshal(body) // texts only
	return &auth.CheckResponse{Status: &rpcstatus.Status{Code: int32(code)}, HttpResponse: &auth.CheckResponse_DeniedResponse{
		DeniedResponse: &auth.DeniedHttpResponse{
			Status:  &envoytype.HttpStatus{Code: envoytype.StatusCode(httpStatus)},
			Headers: options(headers),
			Body:    string(encoded) + "\n",
		},
	}}
}

// options are headers that take the place of any of the same name.
func options(headers map[string][]string) (all []*core.HeaderValueOption) {
	for name, values := range headers {
		for i, value := range values {
			action := core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
			if i > 0 {
				action = core.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
			}
			all = append(all, &core.HeaderValueOption{Header: &core.HeaderValue{Key: strings.ToLower(name), Value: value}, AppendAction: action, KeepEmptyValue: true})
		}
	}
	return all
}

// ours are the headers that a client may not say in the gate's name.
var ours = []string{"X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Role", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted", "X-Apikey-Stale"}

// missing are those of ours that an answer does not have, and that must not come from
// the client instead.
func missing(headers map[string][]string) (names []string) {
	for _, name := range ours {
		if headers[name] == nil {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}
