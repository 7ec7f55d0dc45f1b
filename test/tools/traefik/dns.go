// Package dns takes the place of lego's register of DNS providers in the Traefik that tests use.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName finds none: this Traefik gets no certificates by DNS.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("a Traefik for tests has no DNS provider %s", name)
}
