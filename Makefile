# make demo   install, then a tour on synthetic X-rays: click curve, a short training, click curve again, a report
# make test   install with the test extra, then linters, types, import arrows and all tests
# Both make their own .venv on the first call and again when pyproject.toml changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= runs/demo
# Compiling every module of torch and transformers takes longer than fetching them; Python compiles what it imports.
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: demo test lint types arrows format install clean

demo: $(VENV)/.installed
	@[ '$(OUT)' != runs/demo ] || rm -rf runs/demo
	$(BIN)/dentasam demo --out $(OUT)

test: lint types arrows
	$(BIN)/python -m pytest

lint: $(VENV)/.test-installed
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: $(VENV)/.test-installed
	$(BIN)/mypy

arrows: $(VENV)/.test-installed
	$(BIN)/lint-imports

format: $(VENV)/.test-installed
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

install: $(VENV)/.test-installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'dentasam needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo 'python3 -m venv failed: install the venv package of your system (Debian: python3-venv)' >&2; rm -rf $(VENV); exit 2; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	@touch $@

# The reference implementation declares torchvision, which would replace torch; the parity tests stub what it imports.
$(VENV)/.test-installed: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[test]'
	$(PIP) --no-deps segment-anything-hq==0.3
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
