# make demo: the main job on a small real table. make test: everything that must hold.
# make test-fast: the tests that take less than a second each. make coverage: lines never run.
# Needs Python 3.11 or later with venv; all else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

.PHONY: demo test test-fast coverage docs gallery lint types clean

demo: .venv/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: lint types
	$(PYTEST)

test-fast: .venv/.installed-dev
	$(PYTEST) tests -m "not slow"

coverage: .venv/.installed-dev
	$(PYTEST) --cov

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/.installed-dev
	$(BIN)/mypy

docs: .venv/.installed-dev
	$(BIN)/mkdocs build --strict -d build/site

# pictures of the gallery, the same bytes each time
gallery: .venv/.installed-dev
	mkdir -p build/gallery
	for script in examples/gallery/*.py; do \
	    SOURCE_DATE_EPOCH=0 MATPLOTLIBRC=examples/gallery $(BIN)/python $$script build/gallery || exit 1; \
	done
	cp build/gallery/*.svg examples/gallery/

clean:
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The stamps say which extras are in; when what decides the versions is newer, pip runs again.
.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

.venv/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@ .venv/.installed

$(BIN)/python:
	$(PYTHON) -m venv .venv
