# `make` or `make help` lists the targets. All of them set up .venv first; a second call does not.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := core airflow_plugin dagster_integration migrations tests benchmarks examples
UV := $(BIN)/uv
export UV_NO_PROGRESS = 1
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup demo test scenarios bench lint format add-migration upgrade serve clean constraints

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/stamp ## create .venv with everything in it (done once)

.venv/stamp: pyproject.toml setup.cfg constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Pipeledger needs Python 3.10 to 3.13; $(PYTHON) is another. Name one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up .venv: packages are downloaded once, about a minute ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "python -m venv failed; on Debian and Ubuntu install the package python3-venv." >&2; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(UV) pip install --quiet --python $(BIN)/python -e ".[all,dev]" -c constraints.txt
	@touch $@

demo: setup ## run the main job on real data and show what was recorded (under three minutes)
	@$(BIN)/python examples/demo/run.py

test: setup ## the tests, without the long suites (under twenty minutes)
	$(BIN)/python -m pytest -m "not scenario"

scenarios: setup ## the long suites, and the built wheel alone, with Airflow, with Dagster, with all
	$(BIN)/python -m pytest -m scenario || test $$? -eq 5
	$(BIN)/tox run

bench: setup ## the benchmarks, as ratios against a baseline in the same run
	@set -e; for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench; done

lint: setup ## ruff, mypy --strict and the documentation's checks
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy --strict
	$(BIN)/python -m pytest -q tests/docs

format: setup ## format the code and sort the imports
	$(BIN)/ruff check --fix --exit-zero --quiet $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

add-migration: setup ## write a schema revision from the tables: make add-migration msg="add x to y"
	@test -n "$(msg)" || { echo 'Say what it does: make add-migration msg="add x to y"' >&2; exit 2; }
	@$(BIN)/python -m pipeledger_migrations "$(msg)"

upgrade: setup ## apply the migrations to PIPELEDGER_DATABASE_URL
	@$(BIN)/pipeledger db upgrade

serve: setup ## the REST server (not in this release)
	@echo "The REST server is not in this release yet; the pipeledger command and the Python API read the ledger without one." >&2; exit 1

constraints: setup ## resolve constraints.txt anew for all supported Pythons
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --upgrade --all-extras \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml | \
	  sed -E "s/ and python_full_version < '3.14'//; s/python_full_version < '3.14' and //; s/ and sys_platform == 'linux'//; s/ ; sys_platform == 'linux'//" > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove what was built; leaves .venv (rm -rf .venv for that)
	rm -rf .demo .tox build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
	find $(SOURCES) -name '*.egg-info' -type d -prune -exec rm -rf {} +
