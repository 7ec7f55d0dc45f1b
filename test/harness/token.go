package harness

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"testing"
)

// Policy stores a policy under a new name and answers the name.
func (s *Server) Policy(t testing.TB, text string) string {
	t.Helper()
	name := uniqueName("policy")
	s.check(t, s.put("sys/policies/acl/"+name, map[string]any{"policy": text}))
	return name
}

// TokenWith makes a token that has this policy only, besides the default one. Parameters are those of
// auth/token/create (type, ttl, explicit_max_ttl, no_parent …), or nil.
func (s *Server) TokenWith(t testing.TB, policy string, parameters map[string]any) string {
	t.Helper()
	body := map[string]any{"policies": []string{s.Policy(t, policy)}}
	maps.Copy(body, parameters)
	return clientToken(t, s.Expect(t, http.StatusOK, http.MethodPost, "auth/token/create", body))
}

// EntityToken makes an entity of this name with an alias in userpass, and logs it in. The token has this policy.
func (s *Server) EntityToken(t testing.TB, entity, policy string) string {
	t.Helper()
	mount, password := uniqueName("userpass"), uniqueName("password")
	s.check(t, s.put("sys/auth/"+mount, map[string]any{"type": "userpass"}))
	user := map[string]any{"password": password, "token_policies": []string{s.Policy(t, policy)}}
	s.check(t, s.put("auth/"+mount+"/users/user", user))

	auth := s.Expect(t, http.StatusOK, http.MethodGet, "sys/auth/"+mount, nil)
	made := s.API(t, http.MethodPost, "identity/entity", map[string]any{"name": entity})
	if made.Data()["id"] == nil { // an entity that exists is updated, and not named in the answer
		made = s.Expect(t, http.StatusOK, http.MethodGet, "identity/entity/name/"+entity, nil)
	}
	alias := map[string]any{"name": "user", "canonical_id": made.Data()["id"], "mount_accessor": auth.Data()["accessor"]}
	s.check(t, s.put("identity/entity-alias", alias))

	login := map[string]any{"password": password}
	return clientToken(t, s.As("").Expect(t, http.StatusOK, http.MethodPost, "auth/"+mount+"/login/user", login))
}

// AppRole is who may do what this policy says, by a role id and a secret id. Its tokens are periodic.
func (s *Server) AppRole(t testing.TB, policy string) (roleID, secretID string) {
	t.Helper()
	if s.API(t, http.MethodGet, "sys/auth/approle", nil).Status != http.StatusOK {
		s.API(t, http.MethodPost, "sys/auth/approle", map[string]any{"type": "approle"}) // or another test does
	}
	name := s.Policy(t, policy)
	role := "auth/approle/role/" + name
	s.Expect(t, http.StatusNoContent, http.MethodPost, role, map[string]any{"token_policies": name, "token_period": "1h"})
	roleID = s.Expect(t, http.StatusOK, http.MethodGet, role+"/role-id", nil).Data()["role_id"].(string)
	return roleID, s.Expect(t, http.StatusOK, http.MethodPost, role+"/secret-id", nil).Data()["secret_id"].(string)
}

func clientToken(t testing.TB, r Response) string {
	t.Helper()
	auth, _ := r.JSON["auth"].(map[string]any)
	token, _ := auth["client_token"].(string)
	if token == "" {
		t.Fatalf("no token in the answer: %s", r.Raw)
	}
	return token
}

// uniqueName keeps tests apart that share a server.
func uniqueName(kind string) string { return fmt.Sprintf("%s-%08x", kind, rand.Uint32()) }
