# `make` alone lists the targets. All of them can be run again at any time; what is up to date is not built again.

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
SETUP := tests/setup
CONF ?= examples/quickstart/supervisord.conf
IMAGE ?= sv
PREBUILT ?=
ARCH ?= $(shell uname -m)
PREFIX ?= /usr/local
DENY := $(or $(shell command -v cargo-deny),target/deny/bin/cargo-deny)

.DEFAULT_GOAL := help
.PHONY: help build static setup test check deny fuzz bench bench-check docs quickstart image install uninstall dist dist-check \
	test-arch vm-runtimes clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

build: ## build for this machine's own libc
	cargo build --release

static: ## build the static binary and print its path
	@$(SETUP)/static.sh

setup: ## install what the tests need (Debian packages, Rust target, Python reference, superlance)
	@$(SETUP)/install.sh

check: ## check formatting and lints, of the fuzz targets too
	cargo fmt --all --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir "$(TARGET_DIR)" -- -D warnings

fuzz: ## fuzz every parser of untrusted input, FUZZ_SECS (10) for each target
	@fuzz/run.sh

# Two at a time where each leaves a processor idle: packages are fetched and unpacked while the lints are compiled, and linking takes
# one processor. Without a compiler there is nothing to compile yet. Not by `make -j`, whose limit cargo would
# apply to itself.
test: ## run everything: formatting, lints, fuzzing, and all tests against the static binary as well
	@command -v cc >/dev/null || $(MAKE) --no-print-directory setup
	@echo setup check | xargs -P 2 -n 1 $(MAKE) --no-print-directory
	@echo deny fuzz static | xargs -P 2 -n 1 $(MAKE) --no-print-directory
	@bin="$$($(SETUP)/static.sh)" && echo "static binary: $$bin" \
		&& SV_STATIC_BIN="$$bin" SV_REFERENCE_BIN="$${SV_REFERENCE_BIN:-$(CURDIR)/target/reference/bin}" tests/run.sh

vm-runtimes: ## try podman, crun and systemd in a virtual machine (5 to 6 minutes; the first time 2 more, and as root)
	@$(SETUP)/kernel.sh && $(SETUP)/runtimes.sh && bin="$$($(SETUP)/static.sh)" \
		&& CI=1 SV_STATIC_BIN="$$bin" cargo test --locked --test vm -- --ignored \
		&& echo "sv works with podman, crun and systemd"

bench: ## compare with the supervisors installed (ARGS="--quick --only boot"; ARGS=--help lists the options)
	@bin="$$($(SETUP)/static.sh || true)"; reference="$(CURDIR)/target/reference/bin"; \
		[ -n "$$SV_REFERENCE_BIN" ] || [ ! -x "$$reference/supervisord" ] || export SV_REFERENCE_BIN="$$reference"; \
		SV_STATIC_BIN="$$bin" cargo $(or $(HARNESS),bench) --locked --bench compare -- $(ARGS)

# As a test, it needs little that `make test` has not compiled, and what it measures is the same static binary.
bench-check: ## fail if sv is 20 % slower than recorded, as a multiple of the bare floor (30 seconds)
	@$(MAKE) --no-print-directory bench HARNESS=test ARGS="--check --peer sv $(ARGS)"

docs: ## build the documents as a book (mdBook) and print its path
	@docs/book.sh

quickstart: build ## run three different programs in the foreground
	@echo "In a second terminal:  $(TARGET_DIR)/release/sv -c $(CONF) status"
	@exec $(TARGET_DIR)/release/sv run -c $(CONF)

image: ## build the Docker image (PLATFORM=linux/arm64; PREBUILT=1: of the static binary built here, without pulling an image)
ifeq ($(PREBUILT),)
	docker build $(addprefix --platform=,$(PLATFORM)) -t $(IMAGE) .
else
	@bin="$$($(SETUP)/static.sh $(PLATFORM:linux/%=%))" && context="$$(mktemp -d)" && trap 'rm -rf "$$context"' EXIT \
		&& cp "$$bin" "$$context/sv" \
		&& docker build $(addprefix --platform=,$(PLATFORM)) -t $(IMAGE) -f docker/prebuilt.Dockerfile "$$context"
endif

install: ## install below PREFIX (/usr/local); DESTDIR, BIN=a binary built before, NAMES="supervisord supervisorctl" for links
	@bin="$(BIN)"; [ -n "$$bin" ] || bin="$$($(SETUP)/static.sh)"; PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" NAMES="$(NAMES)" \
		packaging/install.sh install "$$bin"

uninstall: ## remove what `make install` with the same PREFIX and DESTDIR has installed
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install.sh uninstall

dist: ## build tarballs and packages into target/dist (ARCHS="x86_64 aarch64 armv7 riscv64")
	@packaging/dist.sh $(ARCHS)

dist-check: ## build twice in different folders and compare the bytes (ARCHS="aarch64")
	@packaging/reproduce.sh $(ARCHS)

test-arch: ## run the core of the integration tests with the binary of ARCH, by qemu
	@$(SETUP)/arch.sh "$(ARCH)"

deny: ## check licenses and sources of all dependencies (cargo-deny), and known vulnerabilities with ADVISORIES=1
	@if [ -x "$(DENY)" ] || [ -n "$$CI" ]; then \
		"$(DENY)" --log-level error check $(if $(ADVISORIES),advisories) bans licenses sources; \
	else \
		echo "skipped: cargo-deny is missing (make setup)"; \
	fi

clean: ## remove all build results
	cargo clean
