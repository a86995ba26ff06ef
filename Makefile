# `make` alone lists the targets. All of them can be run again at any time; what is up to date is not built again.

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
SETUP := tests/setup
CONF ?= examples/quickstart/supervisord.conf
IMAGE ?= sv
PREBUILT ?=

.DEFAULT_GOAL := help
.PHONY: help build static setup test check fuzz bench docs quickstart image clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

build: ## build for this machine's own libc
	cargo build --release

static: ## build the static binary and print its path
	@$(SETUP)/static.sh

setup: ## install what the tests need (Debian packages, Rust target, Python reference, superlance)
	@$(SETUP)/install.sh

check: ## check formatting and lints, of the fuzz targets too
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET_DIR)/fuzz" -- -D warnings

fuzz: ## fuzz every parser of untrusted input, FUZZ_SECS (10) for each target
	@fuzz/run.sh

test: setup check fuzz ## run everything: formatting, lints, fuzzing, and all tests against the static binary as well
	@bin="$$($(SETUP)/static.sh)" && echo "static binary: $$bin" \
		&& SV_STATIC_BIN="$$bin" SV_REFERENCE_BIN="$${SV_REFERENCE_BIN:-$(CURDIR)/target/reference/bin}" \
		cargo test --locked --no-fail-fast

bench: ## compare with the supervisors installed (ARGS="--quick --only boot"; ARGS=--help lists the options)
	@bin="$$($(SETUP)/static.sh || true)"; reference="$(CURDIR)/target/reference/bin"; \
		[ -n "$$SV_REFERENCE_BIN" ] || [ ! -x "$$reference/supervisord" ] || export SV_REFERENCE_BIN="$$reference"; \
		SV_STATIC_BIN="$$bin" cargo bench --locked --bench compare -- $(ARGS)

docs: ## build the documents as a book (mdBook) and print its path
	@docs/book.sh

quickstart: build ## run three different programs in the foreground
	@echo "In a second terminal:  $(TARGET_DIR)/release/sv -c $(CONF) status"
	@exec $(TARGET_DIR)/release/sv run -c $(CONF)

image: ## build the Docker image (PREBUILT=1: from the static binary built here, without pulling an image)
ifeq ($(PREBUILT),)
	docker build -t $(IMAGE) .
else
	@bin="$$($(SETUP)/static.sh)" && context="$$(mktemp -d)" && trap 'rm -rf "$$context"' EXIT \
		&& cp "$$bin" "$$context/sv" && docker build -t $(IMAGE) -f docker/prebuilt.Dockerfile "$$context"
endif

clean: ## remove all build results
	cargo clean
