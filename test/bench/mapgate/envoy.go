package main

import (
	"context"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
)

// envoy answers Envoy's Authorization service.
type envoy struct {
	auth.UnimplementedAuthorizationServer
	keys keys
}

// Check looks the key up.
func (e *envoy) Check(_ context.Context, r *auth.CheckRequest) (*auth.CheckResponse, error) {
	of := r.GetAttributes()
	route := of.GetContextExtensions()
	k, ok := e.keys[of.GetRequest().GetHttp().GetHeaders()["x-api-key"]]
	if !ok || route["role"] != role || route["scopes"] == "" || of.GetSource().GetAddress().GetSocketAddress().GetAddress() == "" {
		return &auth.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.Unauthenticated)}}, nil
	}
	return &auth.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.OK)}, HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
		Headers: []*core.HeaderValueOption{
			header("x-apikey-code", code), header("x-apikey-id", k.id), header("x-apikey-owner", k.owner),
			header("x-apikey-role", role), header("x-apikey-scopes", scopes),
		},
		HeadersToRemove: []string{"x-apikey-scopes-omitted", "x-apikey-stale"},
	}}}, nil
}

func header(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: name, Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, KeepEmptyValue: true,
	}
}
