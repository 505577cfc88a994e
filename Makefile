# Two commands matter: `make demo` and `make test`. Each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

UV := $(shell command -v uv || echo $(CURDIR)/.venv-uv/bin/uv)

.PHONY: help
help: ## Show this text
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
