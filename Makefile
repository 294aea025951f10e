# Everything a newcomer runs. `make help` lists it. Needs python3 (3.11 or later, with venv) and make; uses uv if present.

PYTHON ?= python3
# The port of Airflow's web page; the sandbox of `make ui` takes the one after it.
PORT ?= 8080
# REAL=1 sends the demo to OpenAI, with the key in OPENAI_API_KEY, instead of to the sandbox.
REAL ?=

UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
BIN := .venv/bin

# Without .pyc files each Airflow process compiles some 1,300 modules again: 5.5 CPU-s instead of 2.5.
unexport PYTHONDONTWRITEBYTECODE

# Airflow lives in this folder, whatever the shell says. The workers' URL comes from base_url, not from the port.
export AIRFLOW_HOME := $(CURDIR)/.airflow
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN := sqlite:///$(CURDIR)/.airflow/airflow.db
export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/dags_examples
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS := True
export AIRFLOW__CORE__TEST_CONNECTION := Enabled
export AIRFLOW__CORE__PARALLELISM := 4
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL := http://127.0.0.1:$(PORT)/execution/
# A new Dag file is seen after 10 seconds and not after 5 minutes.
export AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL := 10
export AIRFLOW__API__HOST := 127.0.0.1
export AIRFLOW__API__PORT := $(PORT)
export AIRFLOW__API__BASE_URL := http://127.0.0.1:$(PORT)
export AIRFLOW__API__WORKERS := 1
export AIRFLOW__LOGGING__LOGGING_LEVEL ?= WARNING
export REAL

.DEFAULT_GOAL := help
.PHONY: help demo test test-core test-sandbox test-contract test-airflow test-chaos chaos lint format docs bench bench-quick ui wheel constraints clean

help:  ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: .airflow/.migrated  ## Run one real Dag against the sandbox and print what happened (REAL=1: against OpenAI)
	@$(BIN)/python demo/run.py

test: test-core test-sandbox test-contract test-airflow test-chaos  ## Run all tests

# In processes of their own, so that the core's tests see whether anything of the core loads Airflow.
test-core: .venv/.installed  ## Run the core's tests, which need no Airflow
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/core

test-sandbox: .venv/.installed  ## Run the tests of the sandbox, with OpenAI's own client
	$(BIN)/python -m pytest tests/sandbox

test-contract: .venv/.installed  ## Compare endpoints and requests with OpenAI's specification and client
	$(BIN)/python -m pytest tests/contract

test-airflow: .venv/.installed  ## Run the tests of operators, hooks and example Dags
	$(BIN)/python -m pytest tests/airflow

test-chaos: .venv/.installed  ## Kill, reset and starve deliveries for a minute: nothing is lost, nothing paid twice
	$(BIN)/python -m pytest tests/chaos

# A search of 2,000 examples takes longer than the two minutes after which a test is taken to hang.
chaos: .venv/.installed  ## The same in full, 20 minutes: 100 kills, a million records, 2,000 examples of each property
	$(BIN)/python -m tests.chaos all
	$(BIN)/python -m pytest --hypothesis-profile=chaos -o faulthandler_timeout=1200 tests/chaos/test_journal.py tests/chaos/test_promises_machine.py

lint: .venv/.installed  ## Check rules, format and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: .venv/.installed  ## Mend what ruff can mend
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

docs: .venv/.installed  ## Print the reference tables of README.md and docs/ from the code again
	$(BIN)/python -m cogapp -r README.md docs/*.md

# The peers have virtual environments of their own; one that can't be installed is left out of the tables, and named.
bench: .venv/.installed .bench/venv/.installed .bench/venv-litellm/.installed  ## Measure against the peers, 40 minutes, into benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run_all.py

bench-quick: .venv/.installed .bench/venv/.installed .bench/venv-litellm/.installed  ## See in 5 minutes that the benchmarks work
	$(BIN)/python benchmarks/run_all.py --quick

ui: export AIRFLOW__LOGGING__LOGGING_LEVEL := INFO
ui: .airflow/.migrated  ## Open Airflow's web page on 127.0.0.1 with the example Dags and the sandbox (PORT=8080)
	@$(BIN)/python demo/ui.py

wheel: .venv/.installed  ## Build the wheel into dist/
	@rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

# No header, for it would repeat the command line, nor any index: these files must name no registry and no machine.
COMPILE = uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate
OLDER_AIRFLOWS = .ci/airflow-3.1.8 .ci/airflow-3.2.2
constraints:  ## Choose the versions that make and CI install anew (needs uv)
	@test -n "$(UV)" || { echo "make constraints needs uv: pip install uv"; exit 1; }
	$(COMPILE) pyproject.toml --extra dev -o constraints.txt
	@for list in $(OLDER_AIRFLOWS); do \
	    echo "$(COMPILE) pyproject.toml $$list.in -o $$list.txt"; \
	    $(COMPILE) pyproject.toml $$list.in -o $$list.txt || exit 1; \
	done

clean:  ## Remove everything that was made, .venv and Airflow's home included
	rm -rf .venv .bench .airflow .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: constraints.txt pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) was not found; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but 3.11 or later is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "Installing into .venv, once ($(if $(UV),uv,pip; about two minutes)) ..."
ifeq ($(UV),)
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
else
	@test -x $(BIN)/python || uv venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	@uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[dev]'
endif
	@touch $@

.bench/venv/.installed: benchmarks/peers.txt constraints.txt | .venv/.installed
	$(call install-peers,.bench/venv,-c constraints.txt -r benchmarks/peers.txt)

# By itself, since it pins an older openai.
.bench/venv-litellm/.installed: benchmarks/peers-litellm.txt | .venv/.installed
	$(call install-peers,.bench/venv-litellm,-r benchmarks/peers-litellm.txt)

define install-peers
@echo "Installing peers into $(1), once ..."
@rm -f $@
@test -x $(1)/bin/python || $(BIN)/python -m venv $(1)
@if $(if $(UV),uv pip install --quiet --python $(1)/bin/python,$(1)/bin/python -m pip install -qq --disable-pip-version-check) $(2); \
    then touch $@; else echo "$(1) can't be installed: its peers are left out"; fi
endef

.airflow/.migrated: .venv/.installed
	@mkdir -p .airflow
	@$(BIN)/python -m airflow db migrate > .airflow/migrate.log 2>&1 || { cat .airflow/migrate.log; exit 1; }
	@touch $@
