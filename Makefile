# make demo and make test each work alone on a fresh machine with Python 3.11+ and git.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# bytecode is kept, whatever the environment says: tests start hundreds of processes that import the package
export PYTHONDONTWRITEBYTECODE :=
CHAOS_KILLS ?= 20
SOAK_MINUTES ?= 30

# the first interpreter that is new enough
PYTHON := $(shell for c in python3 python3.13 python3.12 python3.11 python; do \
	if $$c -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$c; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types tests slow docs notebooks chaos serving soak browser bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## the main job: real data, then a generated million rows
	@$(BIN)/daskml-dist demo

test: $(READY) ## everything that must hold: lint, types, storeys, docs, tests, doctests
	@$(MAKE) --no-print-directory -j 2 lint types docs
	@$(MAKE) --no-print-directory tests

lint: $(READY) ## ruff and the import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports

format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy --strict daskml_dist

tests: $(READY) ## pytest: tests and doctests, without the slow ones
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

slow: $(READY) ## the slow tests alone
	@$(BIN)/python -m pytest -m slow --timeout=3600

docs: $(READY) ## the site, into docs/_build/html; a warning is an error
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

notebooks: $(READY) ## execute every notebook
	@$(BIN)/python -m pytest -m notebook --timeout=1200 tests

chaos: $(READY) ## kill workers and schedulers, CHAOS_KILLS times; the bits must not change
	@CHAOS_KILLS=$(CHAOS_KILLS) $(BIN)/python -m pytest -m chaos --timeout=3600 tests

serving: $(READY) ## 200,000 requests while replicas die, versions roll, a Dask cluster goes; none may fail
	@$(BIN)/python -m pytest -s -m serving --timeout=3600 tests/serve

soak: $(READY) ## a deployment at half load for SOAK_MINUTES, a roll each minute; nothing may grow or fail
	@SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m pytest -s -m soak tests/serve

browser: $(READY) ## the live pages in a headless Chromium; screenshots into docs/_build/pages
	@$(BIN)/python -m pytest -m browser --timeout=1200 tests/dashboard

bench: $(READY) ## us and the peers on the same data, one table
	@$(BIN)/python -m benchmarks

clean: ## remove what was built, the environment too
	rm -rf $(VENV) docs/_build docs/_generated dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
ifeq ($(PYTHON),)
	@echo "Python 3.11 or newer is needed, and no python3 on the PATH is. Install one and run make again." >&2; exit 1
endif
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); } || \
		{ echo "$(PYTHON) cannot create an environment: its venv module is missing (on Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "installing daskml_dist and its tools into $(VENV) (once; minutes on a slow connection)"
	@$(PIP) install --editable ".[dev]"
	@$(BIN)/python -c 'from daskml_dist.kernels.compiled_sweep import prepare; prepare()'
	@touch $@
