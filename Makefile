# make demo   install, then a tour on synthetic X-rays: click curve, a short training, click curve again, a report
# make test   install with the test extra, then linters, types, import directions, the page's checks and all tests
# Both make their own .venv on the first call and again when pyproject.toml changes. `make -j2 test` is quicker: it checks
# the page while the packages are installed, and the types beside the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= runs/demo
TESTS  ?= tests
# Compiling every module of torch and transformers takes longer than fetching them; Python compiles what it imports.
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

# A process to each core, at most four, for each takes 2 GB at its worst. A file goes to one process as a whole, with what
# its tests share; files start in the order of tests/conftest.py.
PYTEST  = $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo test lint types imports page system pytest format install clean

demo: $(VENV)/.installed
	@[ '$(OUT)' != runs/demo ] || rm -rf runs/demo
	$(BIN)/dentasam demo --out $(OUT)

test: lint types imports page system
	$(PYTEST)

# The tests alone, or some of them: make pytest TESTS=tests/model
pytest: $(VENV)/.test-installed
	$(PYTEST) $(TESTS)

lint: $(VENV)/.test-installed
	$(BIN)/ruff check src tests benchmarks hatch_build.py
	$(BIN)/ruff format --check src tests benchmarks hatch_build.py

types: $(VENV)/.test-installed
	$(BIN)/mypy

imports: $(VENV)/.test-installed
	$(BIN)/lint-imports

# The labelling page: its types, its unit tests, and the build that the browser tests drive.
page: web/node_modules/.package-lock.json
	cd web && npm run --silent check && npm run --silent test && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	@command -v npm >/dev/null || { echo 'the page needs Node 20.19 or newer: install it (Debian: nodejs, npm)' >&2; exit 2; }
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

# A Chromium and a PostgreSQL server, from Debian's packages where they are missing.
system: $(VENV)/.test-installed
	@$(BIN)/python tests/provide.py

format: $(VENV)/.test-installed web/node_modules/.package-lock.json
	$(BIN)/ruff check --fix src tests benchmarks hatch_build.py
	$(BIN)/ruff format src tests benchmarks hatch_build.py
	cd web && npm run --silent format

# With the page, which the rule for the test packages leaves out.
install: $(VENV)/.test-installed web/node_modules/.package-lock.json
	cd web && npm run --silent build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'dentasam needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo 'python3 -m venv failed: install the venv package of your system (Debian: python3-venv)' >&2; rm -rf $(VENV); exit 2; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	@touch $@

# `make page` and `make install` build the page; built here too, npm would run twice. The reference implementation declares
# torchvision, which would replace torch; the parity tests stub what it imports.
$(VENV)/.test-installed: pyproject.toml | $(BIN)/python
	DENTASAM_SKIP_PAGE=1 $(PIP) -e '.[test]'
	$(PIP) --no-deps segment-anything-hq==0.3
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist build web/node_modules src/dentasam/labelling/page .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
