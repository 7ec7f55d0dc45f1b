package vaultside

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// once logs in. What it logs in with is read anew each time.
func once(ctx context.Context, w way) (*api.Secret, error) {
	method, err := methodOf(w.of)
	if err != nil {
		return nil, err
	}
	secret, err := w.client.Auth().Login(ctx, method)
	if err == nil && (secret == nil || secret.Auth == nil) {
		err = errors.New("vault answered without a token")
	}
	return secret, err
}

func methodOf(c *config.Vault) (api.AuthMethod, error) {
	if r := c.AppRole; r != nil {
		id, err := fromFile(r.RoleIDFile)
		if err != nil {
			return nil, err
		}
		return approle.NewAppRoleAuth(id, &approle.SecretID{FromFile: r.SecretIDFile}, approle.WithMountPath(mountOf(r.MountPath, "approle")))
	}
	k := c.Kubernetes
	options := []kubernetes.LoginOption{kubernetes.WithMountPath(mountOf(k.MountPath, "kubernetes"))}
	if k.TokenPath != "" {
		options = append(options, kubernetes.WithServiceAccountTokenPath(k.TokenPath))
	}
	return kubernetes.NewKubernetesAuth(k.Role, options...)
}

// mountOf is where a method is mounted, below auth/.
func mountOf(path, fallback string) string {
	if path == "" {
		return fallback
	}
	return strings.TrimPrefix(path, "auth/")
}
