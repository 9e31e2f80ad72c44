# Everything a contributor runs. `make help` lists it.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first interpreter that is new enough; override with `make test PYTHON=python3.12`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-all check lint types layers docs docs-check generated bench lock clean

help: ## list the targets
	@echo "usage: make TARGET"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo; echo "  demo takes CANDLES=file.csv SPEED=60|max BARS=n SEED=n PORT=n; test takes PYTEST_ARGS='-k name'"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "ticktrace needs Python 3.11 or newer; none was found (set PYTHON=/path/to/python)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python requirements/demo.txt pyproject.toml
	$(BIN)/python -m pip install --quiet -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(BIN)/python requirements/dev.txt pyproject.toml
	$(BIN)/python -m pip install --quiet -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## run the breakout bot with telemetry on
	@PYTHONPATH="examples:$$PYTHONPATH" CANDLES="$(CANDLES)" SPEED="$(SPEED)" BARS="$(BARS)" SEED="$(SEED)" PORT="$(PORT)" \
		$(BIN)/python -m breakout_bot $(DEMO_ARGS)

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(VENV)/.dev ## run the tests on every CPython 3.11 to 3.13 that is installed
	@$(BIN)/python tools/pythons.py | while read version interpreter; do \
		echo "== CPython $$version"; \
		$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON=$$interpreter </dev/null || exit 1; \
	done

check: lint types layers generated docs-check ## lint, types, layers, generated files, docs

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy
	PATH="$(abspath $(BIN)):$$PATH" pyright --verifytypes ticktrace --ignoreexternal # it asks the first python on the path

layers: $(VENV)/.dev
	$(BIN)/lint-imports

generated: $(VENV)/.dev
	@for tool in tools/*_reference.py tools/alias_rules.py; do \
		$(BIN)/python $$tool --check || exit 1; done

docs-check: $(VENV)/.dev
	$(BIN)/mkdocs build --quiet --strict --site-dir $(VENV)/site

docs: $(VENV)/.dev ## write the generated pages anew and build the documentation into site/
	@for tool in tools/*_reference.py tools/alias_rules.py; do $(BIN)/python $$tool; done
	$(BIN)/mkdocs build --strict

# ddtrace and logfire agree with our versions, but they bring plugins that load into every run of pytest and every pydantic
# model. So they get an environment of their own; where it cannot be made, the bench leaves their columns out and says so.
$(VENV)/.bench: $(BIN)/python requirements/bench.txt pyproject.toml
	$(BIN)/python -m pip install --quiet -r requirements/bench.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

bench: ## measure what telemetry costs (QUICK=1 for a minute's run, JSON=FILE for figures, ONLY=metrics,candles for some)
	@$(MAKE) --no-print-directory VENV=$(VENV)-bench $(VENV)-bench/.bench || $(MAKE) --no-print-directory $(VENV)/.dev
	@python=$(VENV)-bench/bin/python; test -e $(VENV)-bench/.bench || python=$(BIN)/python; \
		$$python -m bench $(if $(QUICK),--quick) $(if $(JSON),--json '$(JSON)') $(if $(ONLY),--only $(ONLY))

lock: $(VENV)/.dev ## resolve the locked versions anew
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links \
		--extra all --group demo -o requirements/demo.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links \
		--extra all --group dev -o requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links \
		--extra all --group bench -o requirements/bench.txt pyproject.toml

clean: ## remove what was built
	rm -rf $(VENV) .venv-* build dist site
