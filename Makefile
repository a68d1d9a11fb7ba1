# Every goal makes its own virtual environment from pyproject.toml, and makes it anew when that file changes. So each
# works alone on a machine that has Python 3.11 or newer, git and make. Another interpreter: PYTHON=python3.12 make test
# (in an environment of its own beside the first).

ifdef PYTHON
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
else
PYTHON := python3
VENV := .venv
endif
BIN := $(VENV)/bin
# A worker for each core, each from its own end, so that what the tests of a file share is made once.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
READY := $(VENV)/ready

.PHONY: help test check demo bench docs clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    see guard at work on a repository with the documented failures in small'
	@echo 'make test    run the tests'
	@echo 'make check   lint, types, docs, guard on guard, and the tests'
	@echo 'make bench   measure guard beside other tools; TREE=folder for a tree of your own, ARGS=… for options'
	@echo 'make docs    write the generated documentation anew'
	@echo 'make clean   remove what these goals have made'

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'guard needs Python 3.11 or newer; name one: PYTHON=python3.12 make …' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

test: $(READY)
	$(PYTEST)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.docs --check
	$(BIN)/guard check
	$(PYTEST)

demo: $(READY)
	@$(BIN)/python -m examples.demo

bench: $(READY)
	@$(BIN)/python -m benchmarks.run $(ARGS) $(TREE)

docs: $(READY)
	$(BIN)/python -m tools.docs

clean:
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .hypothesis build dist
