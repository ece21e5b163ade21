# The verbs of this repository. Needs git, make and Python >= 3.11 with venv; everything else
# is installed into .venv, in the versions of requirements/constraints.txt.
#
# Another interpreter: make test PYTHON=/path/to/python3.12

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := requirements/constraints.txt
CONSTRAINTS_BENCH := requirements/constraints-bench.txt
PYTHON ?= $(shell for p in python3.11 python3; do \
	"$$p" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; \
	done)
# One more than the two cores this is meant for: a third of the time a test waits for other processes.
# In the order of the folders: the files of few, but long, tests come first, so that none is left to the end.
PROCESSES := -n 3 --dist loadfile --no-loadscope-reorder
# The tests' files go into memory where there is room and programs may be run, unless TMPDIR says otherwise: a
# commit to SQLite takes microseconds there, a new PostgreSQL database a fifth of the time.
IN_MEMORY = $(shell p=$$(mktemp /dev/shm/isthmus-XXXXXX 2>/dev/null) || exit 0; chmod +x "$$p"; \
	"$$p" 2>/dev/null && [ "$$(df -Pk /dev/shm | awk 'NR == 2 {print $$4}')" -ge 4000000 ] && echo TMPDIR=/dev/shm; \
	rm -f "$$p")
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -c $(CONSTRAINTS)

# The tests start hundreds of processes, each of which would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test chaos bench bench-queue lint format types layers lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed  ## the main job, on embedded SQLite, in under a minute
	@$(BIN)/isthmus demo $(ARGS)

test: $(VENV)/.installed-dev  ## every test, on SQLite and on a real PostgreSQL
	@$(if $(TMPDIR),,$(IN_MEMORY)) $(BIN)/python -m pytest $(PROCESSES) -m "not chaos" $(ARGS)

chaos: $(VENV)/.installed-dev  ## the heavy forms of the tests that `make test` runs reduced
	@$(BIN)/python -m pytest $(PROCESSES) -m chaos $(ARGS)

bench: $(VENV)/.installed-dev  ## tables of ratios, kept in benchmarks/results
	@for bench in benchmarks/bench_*.py; do $(BIN)/python "$$bench" $(ARGS); done

bench-queue: $(VENV)/.installed-bench  ## the queue beside raw loops and others, kept in benchmarks/results
	@$(BIN)/python benchmarks/queue $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: $(VENV)/.installed-dev  ## let ruff mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(VENV)/.installed-dev  ## mypy, strict
	@$(BIN)/mypy

layers: $(VENV)/.installed-dev  ## who may import whom (import-linter)
	@$(BIN)/lint-imports

lock: $(VENV)/.python  ## renew requirements/constraints.txt with the newest versions that fit pyproject.toml
	@$(BIN)/python requirements/lock.py

clean:  ## remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build .coverage htmlcov
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The stamps are written last: an installation that was interrupted is done again.
$(VENV)/.python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Isthmus needs Python 3.11 or newer with venv: install it, or name one: make PYTHON=/path/to/python" >&2; exit 1; \
	fi
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml $(CONSTRAINTS)
	@echo "installing Isthmus into $(VENV) ..."
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.python pyproject.toml $(CONSTRAINTS)
	@echo "installing Isthmus and its development tools into $(VENV) ..."
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-bench: $(VENV)/.python pyproject.toml $(CONSTRAINTS) $(CONSTRAINTS_BENCH)
	@echo "installing Isthmus, its development tools and the queues it is measured beside into $(VENV) ..."
	@$(PIP_INSTALL) -c $(CONSTRAINTS_BENCH) -e '.[dev,bench]'
	@touch $(VENV)/.installed $(VENV)/.installed-dev $@
