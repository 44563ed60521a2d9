# The one front door. Every target does its own set-up, on a machine that has only Python >= 3.11,
# a C compiler and the package index; a second call finds the stamps in .venv and starts at once.

PYTHON ?= python3
APP ?= examples.notes:app
OPTIONS ?=
TESTS ?=
BENCH ?=
SOAK ?=
SUITE ?= starlette

VENV := .venv
BIN := $(VENV)/bin
PXDS := $(shell find src -name '*.pxd')
COMPILED := $(PXDS) $(wildcard $(PXDS:.pxd=.py))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1

.PHONY: help run test test-pure check format bench soak conformance wheel docs clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.compiled $(VENV)/.with-examples ## serve an example (APP=module:name OPTIONS="--port 9000")
	$(BIN)/portico run $(APP) $(OPTIONS)

test: $(VENV)/.compiled $(VENV)/.with-test ## run the tests, compiled (TESTS="tests/http -k date")
	$(BIN)/python -m pytest $(TESTS)

test-pure: $(VENV)/.compiled $(VENV)/.with-test ## run the same tests on the Python sources, but for slow ones of what is never compiled
	PORTICO_PURE=1 $(BIN)/python -m pytest -m 'not once' $(TESTS)

# The types of what is optional come with the packages that the tests use.
check: $(VENV)/.compiled $(VENV)/.with-dev $(VENV)/.with-test ## lint, formatting, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

format: $(VENV)/.with-dev ## format the code and sort its imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.compiled $(VENV)/.with-bench ## measure Portico beside its peers (BENCH="...")
	$(BIN)/python -m bench $(BENCH)

soak: $(VENV)/.compiled $(VENV)/.with-bench ## ten minutes of mixed load on workers that are replaced (SOAK="--minutes 1")
	$(BIN)/python -m bench.soak $(SOAK)

conformance: $(VENV)/.compiled ## run the peers' own tests (SUITE=fastapi: FastAPI on our core; SUITE=portico: FastAPI's on ours)
	$(BIN)/python conformance/frameworks.py $(SUITE)

wheel: $(BIN)/python ## build a wheel into dist/; fails where an extension does not compile
	PORTICO_REQUIRE_COMPILED=1 $(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

docs: $(VENV)/.with-docs ## build the documentation into site/; a warning is an error
	$(BIN)/python docs/generate_settings.py
	$(BIN)/python docs/generate_names.py
	$(BIN)/mkdocs build --strict --quiet

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) build dist site src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src \( -name '*.so' -o -name '*.c' \) -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Portico needs Python 3.11 or newer: make PYTHON=python3.13 ...")'
	$(PYTHON) -m venv $(VENV)

# The build tools live in .venv, so that a change is compiled again without asking the index.
$(VENV)/.installed: pyproject.toml setup.py | $(BIN)/python
	$(BIN)/pip install --quiet 'setuptools>=77' 'Cython>=3.1'
	PORTICO_PURE=1 $(BIN)/pip install --quiet --no-build-isolation --editable .
	@touch $@

# In place, beside the sources. A module that has lost its .pxd must not be shadowed by what was built from it.
# Without a C compiler the sources are run as they are; the compiler's words are kept.
$(VENV)/.compiled: $(VENV)/.installed setup.py $(COMPILED)
	@find src -name '*.so' | while read -r built; do [ -e "$${built%%.*}.pxd" ] || rm -v "$$built"; done
	@echo "Compiling what has changed (the first time takes a minute) ..."
	@$(BIN)/python setup.py build_ext --inplace $(if $(filter setup.py,$?),--force) >$(VENV)/compile.log 2>&1 || { cat $(VENV)/compile.log; exit 1; }
	@for pxd in $(PXDS); do ls $${pxd%.pxd}.*.so >/dev/null 2>&1 \
		|| echo "Not compiled, run as Python: $${pxd%.pxd}.py (see $(VENV)/compile.log)"; done
	@touch $@

$(VENV)/.with-%: $(VENV)/.installed
	PORTICO_PURE=1 $(BIN)/pip install --quiet --no-build-isolation --editable '.[$*]'
	@touch $@
