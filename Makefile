# Nullspace: run `make` alone for the list of commands.

SHELL        := /bin/bash
.SHELLFLAGS  := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET_DIR   := $(or $(CARGO_TARGET_DIR),target)
GUEST_TARGET := x86_64-unknown-linux-gnu
GUEST_DIR    := $(or $(GUEST_TARGET_DIR),target-guest)
AGENT        := $(abspath $(GUEST_DIR))/$(GUEST_TARGET)/guest/nullspace-guest
BINARY       := $(TARGET_DIR)/release/nullspace

export NULLSPACE_GUEST_AGENT := $(AGENT)

.PHONY: help setup agent build check format lint unit integration sdk-test vm contract test demo bench sim ci long clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: system packages, guest kernel, Python environments
	scripts/setup

agent: ## the guest agent: static, small, embedded in the binary
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --locked --profile guest \
	  --package nullspace-guest --target $(GUEST_TARGET) --target-dir $(GUEST_DIR)

build: agent ## the release binary, at target/release/nullspace
	cargo build --locked --release --workspace

check: format lint ## formatter and clippy, warnings are errors

format:
	cargo fmt --all --check

lint:
	cargo clippy --locked --release --workspace --all-targets -- --deny warnings

unit: agent ## Rust tests that need no machine
	cargo test --locked --release --workspace --lib --bin nullspace --bin xtask --quiet

integration: agent ## Rust tests of whole parts: agent, engine, HTTP dialect, machines
	cargo test --locked --release --workspace --quiet \
	  --test error_pages --test agent --test engine --test nullspace
	cargo test --locked --release --workspace --quiet --test machines -- --test-threads=1

vm: agent ## every Rust test on real parts: builds, layers, network, recovery (one at a time, long)
	cargo test --locked --release --workspace --test '*' --quiet -- --test-threads=1

sdk-test: ## our Python SDK: types, style, tests
	scripts/sdk-test

contract: build ## the published clients, unmodified, against the real server
	scripts/contract

test: setup ## what continuous integration runs; `make vm` and `make long` run the rest
	scripts/test

demo: ## the seed example on real machines, from nothing to nothing
	scripts/demo

bench: build ## measure: raw samples, percentiles, ratios within one run
	scripts/bench

sim: ## simulate the controller: SEED=n for one, SEEDS=n for many
	cargo test --locked --release --package nullspace-domain --test simulation -- --nocapture

ci: ## what continuous integration runs
	.ci/run

long: build ## what takes longer than continuous integration allows
	$(MAKE) vm
	NULLSPACE_LONG=1 scripts/contract published
	SEEDS=10000 $(MAKE) sim

clean: ## remove what was built here
	rm -rf target target-guest .venv build
