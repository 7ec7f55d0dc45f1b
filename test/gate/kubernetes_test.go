package gate

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// reviewer stands for the Kubernetes API, as far as Vault asks it: whether a service account's token is good.
type reviewer struct {
	*httptest.Server
	refuses atomic.Bool
	asked   atomic.Int64
	token   string // the one that it knows
}

func newReviewer(t *testing.T) *reviewer {
	t.Helper()
	r := &reviewer{token: serviceAccountToken(t)}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP answers a TokenReview.
func (r *reviewer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var review struct {
		Spec struct {
			Token string `json:"token"`
		} `json:"spec"`
	}
	if request.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" || json.NewDecoder(request.Body).Decode(&review) != nil {
		http.NotFound(w, request)
		return
	}
	r.asked.Add(1)
	status := fields{"authenticated": false, "error": "the token has been invalidated"}
	if review.Spec.Token == r.token && !r.refuses.Load() {
		status = fields{"authenticated": true, "audiences": []string{"vault"}, "user": fields{"username": "system:serviceaccount:edge:gate", "uid": "u1", "groups": []string{"system:serviceaccounts"}}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(fields{"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status})
}

// ca is the certificate by which it is known.
func (r *reviewer) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}))
}

// serviceAccountToken is one as Kubernetes mounts it into a pod.
func serviceAccountToken(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string { text, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(text) }
	now := time.Now()
	signed := part(fields{"alg": "RS256", "kid": "k"}) + "." + part(fields{
		"iss": "https://kubernetes.default.svc", "aud": []string{"vault"}, "sub": "system:serviceaccount:edge:gate",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": fields{"namespace": "edge", "serviceaccount": fields{"name": "gate", "uid": "u1"}},
	})
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestAGateInKubernetesLogsInAgain has a gate log in by Vault's own method for Kubernetes: refused at first, then with a
// token that is renewed for a while and ends, and is revoked. No key is refused for any of it once the gate is ready.
func TestAGateInKubernetesLogsInAgain(t *testing.T) {
	t.Parallel()
	method, err := harness.KubernetesAuth()
	if err != nil {
		t.Fatal(err)
	}
	e, api := own(t), newReviewer(t)
	s, auth := e.Server, e.Mount+"-pods"
	s.Register(t, harness.Plugin{Name: "gates-in-kubernetes", Kind: "auth", Binary: method})
	s.Expect(t, 204, "POST", "sys/auth/"+auth, fields{"type": "gates-in-kubernetes"})
	s.Expect(t, 204, "POST", "auth/"+auth+"/config", fields{"kubernetes_host": api.URL, "kubernetes_ca_cert": api.ca(), "token_reviewer_jwt": api.token, "disable_local_ca_jwt": true})
	s.Expect(t, 204, "POST", "auth/"+auth+"/role/gate", fields{
		"bound_service_account_names": "gate", "bound_service_account_namespaces": "edge", "audience": "vault",
		"token_policies": s.Policy(t, policyOf(t, e.Mount)), "token_ttl": "6s", "token_max_ttl": "24s",
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(api.token), 0o600); err != nil {
		t.Fatal(err)
	}
	api.refuses.Store(true)
	g := beside(t, e, harness.GateOptions{Token: "none", Login: `auth "kubernetes" {
    mount_path = "` + auth + `"
    role       = "gate"
    token_path = "` + file + `"
  }`, Config: `max_staleness = "6s"`})
	says(t, g, "the login failed")
	says(t, g, "permission denied")
	if r, err := g.Watch("/ready"); err != nil || r.Status != 503 || r.JSON["reason"] == "" || api.asked.Load() == 0 {
		t.Errorf("refused by Kubernetes it is %d %s, %v", r.Status, r.Raw, err)
	} else {
		t.Logf("refused by Kubernetes it says %s", r.Raw)
	}
	api.refuses.Store(false)
	g.Ready(t)
	begun, key := time.Now(), e.Issue(t, "web", "acme").Text
	becomes(t, g, 200, key)
	answers := hammer(t, g, key, 10*time.Millisecond, 1)
	time.Sleep(time.Until(begun.Add(14 * time.Second))) // more than twice what a token is good for
	if n := logins(g); n != 1 {
		t.Errorf("a token that can be renewed is not: the gate has logged in %d times", n)
	}
	loggedIn(t, g, 2) // it can be renewed no longer
	t.Logf("after %v the token could be renewed no longer", time.Since(begun))
	s.Expect(t, 204, "POST", "sys/leases/revoke-prefix/auth/"+auth+"/login", fields{"sync": true})
	loggedIn(t, g, 3)
	becomes(t, g, 200, e.Issue(t, "web", "acme").Text)
	for _, a := range answers() {
		if a.Status != 200 {
			t.Fatalf("meanwhile a key was %d: %s", a.Status, a.Raw)
		}
	}
	if strings.Contains(g.Log(), api.token[len(api.token)-40:]) {
		t.Error("the service account's token is in the log")
	}
}

// logins is how often a gate has logged in.
func logins(g *harness.Gate) int { return strings.Count(g.Log(), `"logged in"`) }

// loggedIn waits until a gate has logged in so often.
func loggedIn(t *testing.T, g *harness.Gate, often int) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, "it logs in again", func() error {
		if logins(g) < often {
			return os.ErrNotExist
		}
		return nil
	})
}
