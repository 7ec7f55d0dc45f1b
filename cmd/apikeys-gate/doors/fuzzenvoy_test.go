package doors

import (
	"net/http"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
)

// seeds are requests as Envoy may describe them.
func seeds() []*auth.CheckRequest {
	type names = map[string]string
	whole := names{"role": "web", "scopes": "read,write"}
	one := described("", whole, nil)
	one.Attributes.Request.Http.HeaderMap = &core.HeaderMap{Headers: []*core.HeaderValue{
		{Key: "X-API-Key", RawValue: []byte(secret)}, {Key: "authorization", Value: "Bearer " + secret}, {Key: ":path", Value: "/?key=" + secret},
	}}
	pipe := described("", whole, names{"x-api-key": secret})
	pipe.Attributes.Source = &auth.AttributeContext_Peer{Principal: "spiffe://x", Address: &core.Address{Address: &core.Address_Pipe{Pipe: &core.Pipe{Path: "/run/x"}}}}
	return []*auth.CheckRequest{
		described("192.0.2.7", whole, names{"x-api-key": secret}),
		described("::ffff:192.0.2.7", names{"role": "web", "scopes": "-"}, names{"authorization": "bearer " + secret, "x-client-ip": "::1"}),
		described("192.0.2.7%eth0", names{"role": "web", "scopes": ","}, names{"x-api-key": secret + "," + secret}),
		described("192.0.2.7", names{"role": secret, "scopes": "read"}, names{"x-api-key": secret, "x-apikey-min-cursor": "1-0123456789abcdef.2"}),
		described("192.0.2.7", names{"role": "web", "scope": "read"}, names{"x-api-key": secret}),
		one, pipe, {},
	}
}

// FuzzEnvoy sends whatever Envoy may say over gRPC, as it stands on the wire: context_extensions, source, and a client's
// headers in either form. It is answered with a response that can be sent, valid only if all that the key wants has
// arrived, and nothing that was sent stands in it.
func FuzzEnvoy(f *testing.F) {
	for i, seed := range seeds() {
		text, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, byte(i&3))
	}
	f.Fuzz(func(t *testing.T, text []byte, bits byte) {
		r := new(auth.CheckRequest)
		if proto.Unmarshal(text, r) != nil {
			return
		}
		bits &= 3
		h, _ := fuzzed(bits)
		response, err := (&envoy{doors: h.Doors}).Check(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proto.Marshal(response); err != nil {
			t.Errorf("it cannot be sent: %v", err)
		}
		valid, denied := response.GetOkResponse() != nil, response.GetDeniedResponse()
		if valid != (response.Status.Code == 0) || !valid && denied == nil || denied.GetStatus().GetCode() == http.StatusInternalServerError {
			t.Errorf("it answers %v", response)
		}
		said := saidBy(r.GetAttributes())
		if valid && (!arrived(said, bits) || r.GetAttributes().GetContextExtensions()["role"] != "web" || len(r.GetAttributes().GetContextExtensions()) != 2) {
			t.Errorf("it is valid by %v", r)
		}
		headers := map[string][]string{}
		for _, option := range append(response.GetOkResponse().GetHeaders(), denied.GetHeaders()...) {
			headers[option.Header.Key] = append(headers[option.Header.Key], option.Header.Value)
		}
		wantBounded(t, headers)
		wantNothingShown(t, response.String()+h.log.String()+strings.Join(h.noted.failed, ""), said)
	})
}

// saidBy is what Envoy tells, as a gateway would over HTTP.
func saidBy(of *auth.AttributeContext) http.Header {
	said := make(http.Header)
	if scopes, sent := of.GetContextExtensions()["scopes"]; sent {
		said.Add("X-Required-Scopes", scopes)
	}
	if address := of.GetSource().GetAddress().GetSocketAddress().GetAddress(); address != "" {
		said.Add("X-Client-Ip", address)
	}
	add := func(name, value string) {
		if name = http.CanonicalHeaderKey(strings.ToLower(name)); name == "X-Api-Key" || name == "Authorization" || name == "X-Apikey-Min-Cursor" {
			said.Add(name, value)
		}
	}
	if m := of.GetRequest().GetHttp().GetHeaderMap(); m != nil {
		for _, header := range m.GetHeaders() {
			value := header.GetValue()
			if header.GetRawValue() != nil {
				value = string(header.GetRawValue())
			}
			add(header.GetKey(), value)
		}
		return said
	}
	for name, value := range of.GetRequest().GetHttp().GetHeaders() {
		add(name, value)
	}
	return said
}
