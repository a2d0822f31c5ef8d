# Ringback's table of contents. `make help` lists what there is.
#
# Everything installs what it lacks by itself: on a fresh machine with Swift 6.3 and apt, `make run`
# and `make test` are enough.

SHELL := /bin/bash
.DEFAULT_GOAL := help

SUPPORT := .build-support
LISTEN ?= 127.0.0.1:8888
# Tests run the executables that are packaged: one release build less.
WITH_STATIC := RINGBACK_BINARIES=$(CURDIR)/.build-static/release

.PHONY: help setup build debug run demo test test-slow soak unit simulate \
	bugbank instructions bench-micro asan tsan fuzz fuzz-keep codegen format lint bench bench-echo bench-attempts bench-client bench-relay clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install the system packages that are missing (liburing-dev and the tests' tools)
	@scripts/setup.sh

build: setup ## Build the release executables
	swift build -c release --product ringback
	swift build -c release --product ringload

run: build ## Serve echo on 127.0.0.1:8888 until Ctrl-C (LISTEN=address to change it)
	@exec .build/release/ringback echo --listen $(LISTEN)

demo: build ## Load the server on each backend in turn and show both side by side
	@scripts/demo.sh

clean: ## Remove everything that was built
	rm -rf .build .build-*

debug: setup ## Build everything for debugging, tests included
	swift build --build-tests

$(SUPPORT)/epoll-echo: Benchmarks/peers/epoll-echo.c
	@mkdir -p $(SUPPORT)
	cc -O2 -Wall -Wextra -Werror -o $@ $<

$(SUPPORT)/uring-echo: Benchmarks/peers/uring-echo.c
	@mkdir -p $(SUPPORT)
	cc -O2 -Wall -Wextra -Werror -o $@ $<

$(SUPPORT)/epoll-client: Benchmarks/peers/epoll-client.c
	@mkdir -p $(SUPPORT)
	cc -O2 -Wall -Wextra -Werror -o $@ $<

$(SUPPORT)/allocation-counter.so: Tests/Support/allocation-counter.c
	@mkdir -p $(SUPPORT)
	cc -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<

# Nothing but the standard library, so nothing is fetched, and no cache of the user's is touched.
$(SUPPORT)/go-echo: Tests/Support/go-echo/main.go | setup
	@mkdir -p $(SUPPORT)
	GO111MODULE=off GOFLAGS= GOPATH=$(abspath $(SUPPORT)/go) GOCACHE=$(abspath $(SUPPORT)/go-cache) \
		CGO_ENABLED=0 go build -o $@ $<

test: codegen deb unit ## Build, and run every test

.PHONY: static deb deploy-tools
static: setup ## Build release executables that need no library but the C library
	@scripts/static.sh ringback ringload

deb: static deploy-tools ## Make the Debian package
	@scripts/deb.sh

# Schemas and programs that judge what is in deploy/.
deploy-tools: setup
	@scripts/deploy-tools.sh

unit: static debug deploy-tools $(SUPPORT)/allocation-counter.so $(SUPPORT)/go-echo ## Run the tests (TEST=name runs some of them)
	$(WITH_STATIC) swift test --no-parallel $(if $(TEST),--filter '$(TEST)',--skip SoakTests)

test-slow: static debug ## Run the long bars of the reliability table, as CI does
	$(WITH_STATIC) swift test --no-parallel --filter SoakTests

soak: static debug ## The same at full length: hours (SOAK=0.1: a tenth of it; TEST=name: some of it)
	$(WITH_STATIC) RINGBACK_SOAK=$(or $(SOAK),1) swift test --no-parallel --filter '$(or $(TEST),SoakTests)'

simulate: setup ## Play 20,000 seeds for each backend on a model kernel (BACKEND=b SEED=n repeats one)
	@scripts/static.sh simulate
	@.build-static/release/simulate --backend $(or $(BACKEND),both) \
		$(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),20000) --from $(or $(FROM),0)) \
		$(if $(DROP),--drop $(DROP))

bugbank: setup ## Put known faults back one at a time, and print what catches each
	swift test --no-parallel --filter BugBankTests

# The rooms that touch raw memory, or share it among threads.
SANITIZED := (Net|URing|Engine|Load|Measure|Options|Configuration|Conform|Fuzz)Tests

asan: setup ## Run the tests of the rooms with AddressSanitizer (TEST=name: some of them)
	@scripts/sanitize.sh address '$(or $(TEST),$(SANITIZED))'

tsan: setup ## The same with ThreadSanitizer, without what stands on `Load`
	@scripts/sanitize.sh thread '$(or $(TEST),$(SANITIZED))'

fuzz: setup ## Fuzz every parser and model (SECONDS=5 for each; TARGET=name: some of them)
	@scripts/sanitize.sh fuzz $(or $(SECONDS),5) $(TARGET)

fuzz-keep: ## Take into the kept corpus what fuzzing has found since
	@scripts/sanitize.sh keep $(TARGET)

instructions: setup ## Count the instructions of a message on an ideal kernel, and compare with the record
	@scripts/instruction-gate.sh

MICRO := swift package --package-path Benchmarks/micro --scratch-path .build-micro benchmark

bench-micro: setup ## Micro-benchmarks of the engine's turn on an ideal kernel, and their thresholds
	$(MICRO)
	$(MICRO) thresholds check --path $(CURDIR)/Benchmarks/micro/Thresholds

codegen: static ## Prove that the hot functions of the release server are clean
	@scripts/codegen-gate.sh

format: ## Format the Swift sources
	swift format --in-place --configuration .swift-format --recursive Sources Tests Benchmarks Package.swift

lint: ## Check the format of the Swift sources
	swift format lint --strict --configuration .swift-format --recursive Sources Tests Benchmarks Package.swift

bench: bench-echo bench-relay ## Compare with every peer in every shape of traffic (25 minutes)

bench-echo: build $(SUPPORT)/epoll-echo $(SUPPORT)/go-echo nio-echo ## Compare the echo with C, Go and SwiftNIO (15 minutes)
	@python3 Benchmarks/compare

bench-relay: build ## Compare the relay with HAProxy and nginx, which are installed for it (10 minutes)
	@scripts/setup.sh relays
	@python3 Benchmarks/compare/relays.py

.PHONY: nio-echo
nio-echo:
	swift build -c release --package-path Benchmarks/peers/nio-echo --scratch-path $(SUPPORT)/nio-echo

bench-attempts: build $(SUPPORT)/uring-echo ## Measure what newer kernels offer to io_uring (12 minutes)
	@python3 Benchmarks/compare/attempts.py

bench-client: build $(SUPPORT)/epoll-client ## Compare the cost of ringload with a minimal C client
	@scripts/bench-client.sh
