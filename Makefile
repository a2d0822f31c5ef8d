# Ringback's table of contents. `make help` lists what there is.
#
# Everything installs what it lacks by itself: on a fresh machine with Swift 6.3 and apt, `make run`
# and `make test` are enough.

SHELL := /bin/bash
.DEFAULT_GOAL := help

SUPPORT := .build-support
LISTEN ?= 127.0.0.1:8888

.PHONY: help setup build debug run demo test unit end-to-end codegen format lint bench clean

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
