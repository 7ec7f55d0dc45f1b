// Package vaultside is Vault as a gate's mirror sees it (edge.Upstream): calls over HTTP,
// one each and never tried again here, since how long to wait for what is the mirror's
// to say; and the login that they are made with.
//
// The texts of keys go to Vault in the bodies of requests and stand nowhere else: no
// error and no log line has any of what was sent or answered where texts are.
package vaultside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// Vault asks one Vault about one mount.
type Vault struct {
	mount  string
	log    hclog.Logger
	client atomic.Pointer[api.Client]
	login  login
	silent silences
}

// New prepares to ask; it sends nothing yet. Calls are silence until Run has logged in.
func New(c *config.Config, log hclog.Logger) (*Vault, error) {
	v := &Vault{mount: c.Mount, log: log, login: newLogin(log)}
	return v, v.Configure(&c.Vault)
}

// Configure changes how Vault is reached and logged in to.
func (v *Vault) Configure(c *config.Vault) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	if before := v.client.Load(); before != nil {
		client.SetToken(before.Token()) // until there is another
	}
	v.client.Store(client)
	v.login.restart(client, c)
	return nil
}

// Run logs in and stays logged in until ctx ends.
func (v *Vault) Run(ctx context.Context) { v.login.run(ctx) }

// Changes polls the feed. A standby answers where the active node is and passes nothing
// on: a poll that it passed on would hold up the next leader (GATE.md 0.2).
func (v *Vault) Changes(ctx context.Context, p wire.Poll) (wire.Changes, error) {
	return post[wire.Changes](ctx, v, "gate/changes", p)
}

// Resolve asks which keys these are.
func (v *Vault) Resolve(ctx context.Context, role string, a wire.Ask) (wire.Told, error) {
	return post[wire.Told](ctx, v, of("gate/resolve", role), a)
}

// Confirm asks what is not what the mirror thinks.
func (v *Vault) Confirm(ctx context.Context, c wire.Confirm) (wire.Confirmed, error) {
	return post[wire.Confirmed](ctx, v, "gate/confirm", c)
}

// Reserve asks for units of quotas.
func (v *Vault) Reserve(ctx context.Context, role string, r wire.Reserve) (wire.Grants, error) {
	return post[wire.Grants](ctx, v, of("gate/reserve", role), r)
}

// Report tells of uses.
func (v *Vault) Report(ctx context.Context, role string, r wire.Report) error {
	_, err := post[struct{}](ctx, v, of("gate/report", role), r)
	return err
}

func of(path, role string) string {
	if role == "" {
		return path
	}
	return path + "/" + role
}

// maxAnswer bounds an answer: a thousand records with their ancestors.
const maxAnswer = 64 << 20

// errNotLoggedIn is returned before there is a token.
var errNotLoggedIn = errors.New("not logged in yet, and the log says why")

// post sends a body and answers what stands in Vault's envelope.
func post[T any](ctx context.Context, v *Vault, path string, body any) (answer T, err error) {
	client := v.client.Load()
	if client.Token() == "" {
		return answer, errNotLoggedIn
	}
	r := client.NewRequest(http.MethodPut, "/v1/"+v.mount+"/"+path)
	if err := r.SetJSONBody(body); err != nil {
		return answer, fmt.Errorf("encode a question for %s: %w", path, err)
	}
	if path == "gate/changes" {
		r.Headers.Set("X-Vault-No-Request-Forwarding", "true")
	}
	//lint:ignore SA1019 the calls that are not deprecated decode into maps, and lose the body where one redirect is followed
	response, err := client.RawRequestWithContext(ctx, r)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		err = v.silence(ctx, path, err)
		v.silent.tell(v.log, v.mount, path, err)
		return answer, err
	}
	if response.StatusCode == http.StatusNoContent {
		v.silent.end(path)
		return answer, nil
	}
	var envelope struct {
		Data *T `json:"data"`
	}
	// Vault's client takes all below 400 for success.
	if err := json.NewDecoder(response.Body).Decode(&envelope); err != nil || envelope.Data == nil || response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer at %s is none of this engine, or of another version", path)
		v.silent.tell(v.log, v.mount, path, err)
		return answer, err
	}
	v.silent.end(path)
	return *envelope.Data, nil
}

// silence is what an error of a call is to the mirror.
func (v *Vault) silence(ctx context.Context, path string, err error) error {
	response := new(api.ResponseError)
	if !errors.As(err, &response) {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("no answer at %s: %w", path, err)
	}
	switch response.StatusCode {
	case http.StatusForbidden:
		v.login.denied()
		return fmt.Errorf("%w: %s/%s", edge.ErrDenied, v.mount, path)
	case http.StatusNotFound:
		return fmt.Errorf("there is no %s at the mount %s: no engine, or an older one", path, v.mount)
	}
	says := ""
	if !strings.HasPrefix(path, "gate/resolve") && len(response.Errors) > 0 {
		says = ": " + strings.Join(strings.Fields(response.Errors[0]), " ")
	}
	return refusal{response.StatusCode, fmt.Sprintf("status %d at %s%.200s", response.StatusCode, path, says)}
}

// refusal is an answer with a status that is none of success. By it the mirror knows what
// need not be told again.
type refusal struct {
	status int
	says   string
}

func (r refusal) Error() string   { return r.says }
func (r refusal) HTTPStatus() int { return r.status }
