# The main commands are `make run` and `make test`. Both prepare .venv from the locked, hashed dependencies.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test check format lock clean chaos screenshots bench audit

help: ## show this help
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: .venv/run ## start everything; without Slack tokens, with a local workspace to try it in
	@$(BIN)/tocsin run

test: .venv/test ## run all tests, the browser tests too (they need Chromium)
	$(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/test ## check format, lint and types, and run the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow" -n auto --dist worksteal

format: .venv/test ## format the code and fix lint errors
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## update the pinned dependencies, with hashes and without an index URL (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra build pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra build --extra apprise --extra mcp --extra pdf --extra test pyproject.toml -o requirements-test.lock

chaos: .venv/test ## kill processes and break Slack for three times three minutes, then audit the messages
	$(BIN)/python -m benchmarks.chaos --seed 1 2 3

screenshots: .venv/test ## click a P0 through at phone size, and leave pictures in ci-output/phone
	$(BIN)/python -m benchmarks.screenshots

bench: .venv/test ## measure the speed, against a floor and other schedulers; about twenty minutes
	$(BIN)/python -m benchmarks.load --into docs/performance.md

audit: .venv/made ## check the locked dependencies for known vulnerabilities (needs the network)
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip --disable-pip-version-check --quiet install pip-audit
	.venv/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

clean: ## remove installed packages and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

.venv/made:
	@test -n "$(PYTHON)" || { echo "Tocsin needs Python 3.11, 3.12 or 3.13; none was found. Debian 12 or newer: apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the venv module. Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/made requirements.lock pyproject.toml
	@echo "Installing the locked dependencies into .venv ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test: .venv/run requirements-test.lock
	@$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@
