package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// PluginName is the name of the plugin's binary, under which it is registered.
const PluginName = "vault-plugin-secrets-apikeys"

// vaultBinary finds Vault as scripts/vault.sh does, but builds none: that takes longer than a test may.
func vaultBinary() (string, error) { return program("VAULT_BIN", "vault") }

// Terraform is the program, found as scripts/terraform.sh does.
func Terraform() (string, error) { return program("TERRAFORM_BIN", "terraform") }

func program(variable, name string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		path, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("%s names no program: %w; `make %s` builds one", variable, err, name)
		}
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	return built("make "+name, "test", ".bin", name)
}

func pluginBinary() (string, error) {
	return built("make build", "bin", PluginName)
}

// GateBinary is the daemon beside a gateway.
func GateBinary() (string, error) { return built("make build", "bin", "apikeys-gate") }

// Caddy is the gateway, built from source.
func Caddy() (string, error) { return built("make caddy", "test", ".bin", "caddy") }

// Traefik is the gateway, found as scripts/traefik.sh does.
func Traefik() (string, error) { return program("TRAEFIK_BIN", "traefik") }

// KubernetesAuth is Vault's auth method for Kubernetes as a plugin of its own, built from source: it is not in each Vault.
func KubernetesAuth() (string, error) {
	return built("scripts/kubernetes.sh", "test", ".bin", "vault-plugin-auth-kubernetes")
}

// TerraformProvider is the directory of the provider for Vault, as dev_overrides of a Terraform configuration take it.
func TerraformProvider() (string, error) {
	path, err := built("make terraform-provider-vault", "test", ".bin", "terraform-provider-vault")
	return filepath.Dir(path), err
}

func built(command string, elements ...string) (string, error) {
	path := filepath.Join(append([]string{repository()}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run `%s` first", filepath.Join(elements...), command)
	}
	return path, nil
}

// repository is the root of the checkout that this file was compiled from.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
