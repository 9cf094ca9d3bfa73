# make demo        the whole loop on real history, then pages on one port
# make demo-check  the same without serving; writes var/demo/summary.json
# make test        every test (lint, types, contracts, browser)
# make bench       benchmarks at full size        make soak   long fault and load runs
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DATA ?= cj
PORT ?= 8080

.PHONY: demo demo-check demo-tiny test lint bench soak lock clean

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (make PYTHON=python3.12 …)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(STAMP)
	$(BIN)/storetwin demo --data $(DATA) --port $(PORT)

demo-check: $(STAMP)
	$(BIN)/storetwin demo --check --data $(DATA)

demo-tiny: $(STAMP)
	$(BIN)/storetwin demo --check --data tiny

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

bench: $(STAMP)
	$(BIN)/python -m pytest -q -m benchmark -p no:randomly

soak: $(STAMP)
	$(BIN)/python -m pytest -q -m soak -p no:randomly

# Versions and hashes only; no address of where they come from.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet pip-tools
	$(VENV)-lock/bin/pip-compile --quiet --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --strip-extras --extra demo --extra dev --output-file requirements.lock pyproject.toml
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) var
