package vaultside

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

const (
	// look is how often a token file is looked at.
	look = time.Second
	// The pauses between logins: full jitter of one that doubles. The second is for a
	// token that Vault gives and then denies, since each login makes another.
	minPause, maxPause, maxDenied = 50 * time.Millisecond, 2 * time.Second, time.Minute
)

// login keeps a client logged in, in the one way that is configured.
type login struct {
	log      hclog.Logger
	changed  chan way      // another way to log in
	again    chan struct{} // Vault denied what it was asked
	failures silences
}

// way is how to log in, and the client that it is for.
type way struct {
	client *api.Client
	of     *config.Vault
}

func newLogin(log hclog.Logger) login {
	return login{log: log, changed: make(chan way, 1), again: make(chan struct{}, 1)}
}

// restart logs in from now on in another way.
func (l *login) restart(client *api.Client, of *config.Vault) {
	select {
	case <-l.changed: // nobody has looked at it
	default:
	}
	l.changed <- way{client, of}
}

// run logs in in the way that is wanted, until ctx ends.
func (l *login) run(ctx context.Context) {
	var current way
	end, done := context.CancelFunc(func() {}), make(chan struct{})
	close(done)
	for {
		select {
		case <-ctx.Done():
			end()
			<-done
			l.leave(current)
			return
		case current = <-l.changed:
			end()
			<-done
			w := current
			var of context.Context
			of, end = context.WithCancel(ctx)
			ended := make(chan struct{})
			done = ended
			go func() {
				defer close(ended)
				l.stay(of, w)
			}()
		}
	}
}

// stay stays logged in.
func (l *login) stay(ctx context.Context, w way) {
	switch {
	case w.of.Token != "":
		w.client.SetToken(w.of.Token)
		<-ctx.Done()
	case w.of.TokenFile != "":
		l.follow(ctx, w)
	default:
		l.renew(ctx, w)
	}
}

// follow takes the token from a file that somebody else keeps good.
func (l *login) follow(ctx context.Context, w way) {
	said, tick := "", time.NewTicker(look)
	defer tick.Stop()
	for {
		token, err := fromFile(w.of.TokenFile)
		switch {
		case err != nil && said != err.Error(): // a file that is being replaced is not there for a moment
			said = err.Error()
			l.log.Warn("the token file cannot be read; it is awaited", "error", err)
		case err == nil && token != w.client.Token():
			said = ""
			w.client.SetToken(token)
			l.log.Info("a token was read")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.again:
		}
	}
}

var errEmpty = errors.New("the file is empty")

// fromFile is the one word of a small file.
func fromFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	word := strings.TrimSpace(string(text))
	if word == "" {
		return "", errEmpty
	}
	return word, nil
}

// renew logs in, renews for as long as Vault lets it, and logs in again.
func (l *login) renew(ctx context.Context, w way) {
	pause, most := minPause, maxPause
	for ctx.Err() == nil {
		begun, tried := time.Now(), digest(w.of.AppRole)
		secret, err := once(ctx, w)
		switch {
		case err != nil && w.of.AppRole != nil && refused(err):
			l.log.Error("vault refuses this AppRole; it is tried again when role_id_file or secret_id_file has changed, at SIGHUP, or after "+lockout.String(), "error", err)
			otherwise(ctx, w.of.AppRole, tried)
		case err != nil:
			if l.failures.due("login") {
				l.log.Error("the login failed; it is tried again", "error", err)
			}
			most = maxPause
		default:
			l.failures.end("login")
			l.log.Info("logged in", "ttl", (time.Duration(secret.Auth.LeaseDuration) * time.Second).String(), "renewable", secret.Auth.Renewable)
			l.hold(ctx, w.client, secret)
			most = maxDenied
		}
		if time.Since(begun) > most { // what it was worth
			pause = minPause
		}
		rest(ctx, pause)
		pause = min(2*pause, most)
	}
}

// hold renews a token until it ends or Vault denies what it is used for.
func (l *login) hold(ctx context.Context, client *api.Client, secret *api.Secret) {
	watcher, err := client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		l.log.Error("the token cannot be renewed", "error", err)
		return
	}
	select {
	case <-l.again: // of what the token before was denied
	default:
	}
	go watcher.Start()
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.again:
			return
		case err := <-watcher.DoneCh():
			l.log.Info("the token is renewed no further", "error", err)
			return
		case <-watcher.RenewCh():
			l.log.Debug("the token was renewed")
		}
	}
}

// leave ends a token that the gate got for itself.
func (l *login) leave(w way) {
	if w.of == nil || w.of.Token != "" || w.of.TokenFile != "" || w.client.Token() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxPause)
	defer cancel()
	if err := w.client.Auth().Token().RevokeSelfWithContext(ctx, ""); err != nil {
		l.log.Debug("the token was not revoked; it ends by itself", "error", err)
	}
}

// denied logs in again: either the token has ended, or its policies lack a path.
func (l *login) denied() {
	select {
	case l.again <- struct{}{}:
	default:
	}
}

// rest is a pause of up to so long, so that gates that fail together do not come back
// together.
func rest(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(rand.N(most))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
