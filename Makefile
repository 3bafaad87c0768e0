.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FOR ?=

help: ## What can be done here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# uv installs in seconds what takes pip minutes; where uv cannot reach the package index, pip does it.
INSTALL = $(BIN)/uv pip install --quiet --require-hashes --requirement $(1) || \
  $(BIN)/python -m pip install --quiet --require-hashes --requirement $(1)

$(VENV)/.runtime: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv hatchling editables
	$(call INSTALL,requirements/run.txt)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.ready: $(VENV)/.runtime requirements/develop.txt
	$(call INSTALL,requirements/develop.txt)
	touch $@

setup: $(VENV)/.ready ## Virtual environment with everything, from the lock file

servers: setup ## What tests need from Debian: Chromium, FUSE, FTP servers (skipped by name where it cannot be installed)
	$(BIN)/python tests/servers.py

demo: $(VENV)/.runtime ## The main job on this machine: make demo FOR=20 ends by itself
	$(BIN)/tocsin demo $(if $(FOR),--for $(FOR))

test: servers ## Everything CI runs
	$(BIN)/python -m pytest -m "not prove"

check: setup ## ruff, mypy --strict, import rules, documents
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house

prove: servers ## The long proofs: kills, power cuts, simulated hours, fuzzing (about an hour and a half)
	$(BIN)/python -m pytest -m prove -s --timeout 7200 tests

bench: setup ## Figures beside their references from the same run
	$(BIN)/python -m benchmarks

lock: ## Renew requirements/ from pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  pyproject.toml --output-file requirements/run.txt --quiet --upgrade
	$(BIN)/uv pip compile --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  pyproject.toml --group test --group check --group prove --constraints requirements/run.txt \
	  --output-file requirements/develop.txt --quiet

clean: ## Remove what was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache benchmarks/results

.PHONY: help setup servers demo test check prove bench lock clean
