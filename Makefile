# Two commands matter: `make demo` and `make test`. Each sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

BIN := $(CURDIR)/.venv/bin
PYTEST := $(BIN)/pytest

.PHONY: help
help: ## Show this text
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: .venv/.complete ## Make .venv with everything pinned in uv.lock; leaves .venv/bin/headgate

# A stamp: the environment is made again when what pins it changes.
.venv/.complete: pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv scripts/uv sync --frozen --quiet
	@touch $@

.PHONY: demo
demo: setup ## A local cluster, a good release, a bad release; about two minutes
	@$(BIN)/headgate demo

.PHONY: up
up: setup ## A local cluster to stay, until Ctrl-C
	@$(BIN)/headgate up

.PHONY: test
test: check tools ## Everything, on real parts; skips nothing (the first time builds the tools: about 12 minutes)
	@tests/real/netns $(PYTEST) -q -n auto $(ARGS)

.PHONY: test-core
test-core: setup ## The pure tests: no network, no processes; under a minute
	@$(PYTEST) -q tests/core tests/golden $(ARGS)

.PHONY: test-fast
test-fast: check ## Everything but what needs a real Kubernetes API, kubectl or Helm
	@echo "test-fast: leaving out the tests marked 'real' (real kube-apiserver, kubectl, Helm); 'make test' runs them"
	@$(PYTEST) -q -n auto -m "not real" $(ARGS)

.PHONY: coverage
coverage: setup ## List the lines of each pure room that no core test runs
	@$(BIN)/coverage run --source=src/headgate --data-file=.coverage/data -m pytest -q -p no:cacheprovider tests/core tests/golden
	@$(BIN)/coverage json --quiet --data-file=.coverage/data -o .coverage/report.json
	@PYTHONPATH=tests $(BIN)/python tests/tools/never_run.py .coverage/report.json

.PHONY: check
check: setup ## Lint, format, types, and who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: tools
tools: setup ## Build the programs that the tests run (etcd, kube-apiserver, kubectl, Helm, Prometheus …) once; about 12 minutes
	@PYTHONPATH=tests $(BIN)/python tests/tools/build.py

.PHONY: bless
bless: setup ## Rewrite the outputs of the golden cases (never what they expect); read the diff before you commit it
	@HEADGATE_BLESS=1 $(PYTEST) -q tests/golden

.PHONY: bench
bench: setup tools ## Measure: weight change to the first answer from the other backend, without and with a real API
	@PYTHONPATH=tests tests/real/netns $(BIN)/python -m bench $(ARGS)

.PHONY: conformance
conformance: setup tools ## Run the official Gateway API suite on a real API (its first build: 2 minutes); ARGS="--help"
	@PYTHONPATH=tests $(BIN)/python tests/tools/build.py conformance
	@PYTHONPATH=tests $(BIN)/python -m conformance $(ARGS)

.PHONY: clean
clean: ## Remove what `make` made in the tree; the tools stay in the cache (`headgate/tools`)
	@rm -rf .venv .venv-uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
