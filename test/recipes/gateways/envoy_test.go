package gateways

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthz "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// TestEnvoy asks a gate as Envoy would by the recipe, by a client of Envoy's own definitions: there is no Envoy to be
// built here. The definitions hold the recipe too, each of its names and each of its values.
func TestEnvoy(t *testing.T) {
	t.Parallel()
	filter, routes := envoysRecipe(t)
	if filter.GetFailureModeAllow() || filter.GetStatusOnError().GetCode() != http.StatusServiceUnavailable || len(routes) != 2 {
		t.Fatalf("what Envoy makes of a gate that is away is %v", filter)
	}
	s := newSite(t).gate(t)
	conn, err := grpc.NewClient("unix:"+s.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	k, limited := s.minted(t), s.minted(t, fields{"rate_limit": 1, "rate_limit_period": "1h"})
	far := s.minted(t, fields{"bound_cidrs": "192.0.2.0/24"})
	client := auth.NewAuthorizationClient(conn)
	forged := map[string]string{"x-apikey-owner": "evil", "x-apikey-stale": "evil", "x-client-ip": "192.0.2.7", "x-forwarded-for": "192.0.2.7", "x-required-scopes": "-", "x-vault-wrap-ttl": "1m"}
	for _, c := range []struct {
		what, key string
		route     map[string]string
		status    int
	}{
		{"a read", k.Text, routes[0], 200},
		{"a write without its scope", k.Text, routes[1], 403},
		{"no key", "", routes[0], 401},
		{"a key that is none", k.Text + "0", routes[0], 401},
		{"within a limit", limited.Text, routes[0], 200},
		{"beyond it", limited.Text, routes[0], 429},
		{"from outside of its network", far.Text, routes[0], 403},
	} {
		headers := maps.Clone(forged)
		headers["x-api-key"] = c.key
		r, err := client.Check(t.Context(), checked(c.route, headers))
		if err != nil {
			t.Fatal(err)
		}
		ok, denied := r.GetOkResponse(), r.GetDeniedResponse()
		status := int(denied.GetStatus().GetCode())
		if ok != nil && r.GetStatus().GetCode() == 0 {
			status = 200
		}
		if status != c.status {
			t.Errorf("%s: the gate answers %d %q, wanted %d", c.what, status, denied.GetBody(), c.status)
		}
		if c.status == 200 {
			wantPassedOn(t, c.what, headers, ok)
		}
	}
}

// wantPassedOn does with a request's headers what Envoy is told to do.
func wantPassedOn(t *testing.T, what string, headers map[string]string, ok *auth.OkHttpResponse) {
	t.Helper()
	for _, name := range ok.GetHeadersToRemove() {
		delete(headers, name)
	}
	for _, option := range ok.GetHeaders() {
		headers[strings.ToLower(option.GetHeader().GetKey())] = option.GetHeader().GetValue()
	}
	if headers["x-apikey-id"] == "" || headers["x-apikey-owner"] != "acme" {
		t.Errorf("%s: the API gets the id %q and the owner %q", what, headers["x-apikey-id"], headers["x-apikey-owner"])
	}
	for name, value := range headers {
		if strings.HasPrefix(name, "x-apikey-") && value == "evil" {
			t.Errorf("%s: the client's %s reaches the API", what, name)
		}
	}
}

// checked is a request as Envoy describes it.
func checked(route, headers map[string]string) *auth.CheckRequest {
	from := &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: "127.0.0.1"}}}
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source:            &auth.AttributeContext_Peer{Address: from},
		Request:           &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "GET", Path: "/orders;a?key=%00", Headers: headers}},
		ContextExtensions: route,
	}}
}

// envoysRecipe is what Envoy reads in the recipe: the filter, and what each route tells the gate.
func envoysRecipe(t *testing.T) (filter *extauthz.ExtAuthz, routes []map[string]string) {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(recipe(t, "envoy.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	whole := new(bootstrap.Bootstrap)
	if err := protojson.Unmarshal(text, whole); err != nil {
		t.Fatal(err)
	}
	if err := whole.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	connections, filter := new(manager.HttpConnectionManager), new(extauthz.ExtAuthz)
	unpack(t, whole.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), connections)
	unpack(t, connections.GetHttpFilters()[0].GetTypedConfig(), filter)
	for _, route := range connections.GetRouteConfig().GetVirtualHosts()[0].GetRoutes() {
		of := new(extauthz.ExtAuthzPerRoute)
		unpack(t, route.GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"], of)
		routes = append(routes, of.GetCheckSettings().GetContextExtensions())
	}
	return filter, routes
}

// unpack takes a message out of what holds any, and holds it against its rules.
func unpack(t *testing.T, any interface{ UnmarshalTo(proto.Message) error }, into interface {
	proto.Message
	ValidateAll() error
}) {
	t.Helper()
	if err := any.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
	if err := into.ValidateAll(); err != nil {
		t.Fatal(err)
	}
}
