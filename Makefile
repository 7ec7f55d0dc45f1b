# Needs Go, make, git and bash; a C compiler only for the race detector. `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help build dev gate test check fuzz bench bench-gate profile vault terraform terraform-provider-vault caddy traefik clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\): ## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 36

build: ## bin/vault-plugin-secrets-apikeys and bin/apikeys-gate, static binaries
	@scripts/build.sh

dev: ## a Vault dev server with the engine mounted and a first key to try (DEV_PORT=8200)
	@scripts/dev.sh

gate: ## what dev starts, with a gate and nginx in front of a small API (DEV_PORT=8200)
	@scripts/gate.sh

test: ## unit tests, then the tests in test/ against a real Vault (VAULT_BIN=...)
	@scripts/test.sh

check: ## gofmt, go vet, staticcheck, go mod tidy -diff, for all modules
	@scripts/check.sh

fuzz: ## each fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh

bench: ## measure beside a plugin that does nothing, in a real Vault (BENCH_QUICK=1 for two minutes, BENCH_KEYS=n)
	@scripts/bench.sh

bench-gate: ## measure what gates cost Vault, and what they do and how fast (BENCH_GATE=reach,memory,confirm,drain,doors,revoked,cold,held,flood,idle for some, BENCH_QUICK=1)
	@BENCH_GATE="$${BENCH_GATE:-all}" scripts/bench.sh

profile: ## processor profiles of the plugin and of Vault under load, into PROFILES (bin/profiles)
	@BENCH_PROFILE="$${PROFILES:-bin/profiles}" scripts/bench.sh

vault: ## the Vault that tests use: VAULT_BIN, else the one on PATH, else built from source once
	@scripts/vault.sh

terraform: ## the Terraform that tests use: TERRAFORM_BIN, else the one on PATH, else built from source once
	@scripts/terraform.sh

terraform-provider-vault: ## the Terraform provider that tests use, built from source once
	@scripts/provider.sh

caddy: ## the Caddy that tests use, built from source once
	@scripts/caddy.sh

traefik: ## the Traefik that tests use: TRAEFIK_BIN, else the one on PATH, else built from source once
	@scripts/traefik.sh

clean: ## remove what the targets above made
	rm -rf bin test/.bin
