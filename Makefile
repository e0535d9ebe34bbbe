# The four commands a newcomer needs are demo, test, check and bench; each does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
RUN_STAMP := .venv/.installed-run
DEV_STAMP := .venv/.installed-dev
WEB_STAMP := src/lading/entrypoints/web/static/vendor/.installed
DEMO_DATA ?= $(CURDIR)/.lading

.PHONY: help
help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: $(RUN_STAMP) $(WEB_STAMP) ## From source to a running, explained, patched container, on this machine
	@LADING_DATA="$(DEMO_DATA)" .venv/bin/lading demo

.PHONY: demo-down
demo-down: ## Remove everything that `make demo` started
	@if [ -x .venv/bin/lading ]; then LADING_DATA="$(DEMO_DATA)" .venv/bin/lading down --purge --yes; \
	 else echo "Nothing to remove: Lading is not installed in .venv."; fi

.PHONY: test
test: $(DEV_STAMP) $(WEB_STAMP) ## Run every test, with real engines, databases and a browser
	@bash scripts/install_test_tools.sh
	@bash scripts/run_tests.sh

.PHONY: check
check: $(DEV_STAMP) ## Lint, types, layers and generated documents
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PYTHON) scripts/check_house.py
	@$(PYTHON) scripts/write_docs.py --check

.PHONY: bench
bench: $(DEV_STAMP) ## Measure ledger, inventory, match, policy and telemetry; table and JSON
	@$(PYTHON) -m bench

.PHONY: docs
docs: $(DEV_STAMP) ## Write the generated parts of docs/ again
	@$(PYTHON) scripts/write_docs.py

.PHONY: lock
lock: $(DEV_STAMP) ## Pin every dependency again, by hash
	@bash scripts/lock.sh

.PHONY: setup
setup: $(DEV_STAMP) $(WEB_STAMP) ## Install everything for development into .venv

$(RUN_STAMP): requirements/run.txt requirements/web.txt pyproject.toml scripts/setup.sh
	@bash scripts/setup.sh run && touch $@

$(DEV_STAMP): requirements/dev.txt pyproject.toml scripts/setup.sh
	@bash scripts/setup.sh dev && touch $@ $(RUN_STAMP)

$(WEB_STAMP): src/lading/entrypoints/web/package-lock.json scripts/fetch_web_assets.py | $(RUN_STAMP)
	@$(PYTHON) scripts/fetch_web_assets.py && touch $@

.PHONY: clean
clean: ## Remove what was installed and built here (not the data of a demo)
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis src/lading/entrypoints/web/static/vendor
