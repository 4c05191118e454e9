# `make help` lists the targets. Each sets up what it needs in .venv first: any Python from 3.11 on (PYTHON=... names
# one), and a C compiler with Python's headers for pesq, which has no wheels.

PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3)
VENV := .venv
PY := $(VENV)/bin/python
export OMP_NUM_THREADS ?= 1
# If this is set, every worker of a sweep compiles torch and transformers again, which takes half a minute each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := sweep
.PHONY: help sweep test test-slow test-chaos test-browser test-cluster test-gpu bench check format hooks clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s%s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo 'ARGS="..." is passed on to run.py or pytest, PYTHON=... chooses the Python of a new .venv'

# The preset is named because run.py would otherwise choose `paper` on a machine with a GPU and ask for its corpus.
sweep: export SPEECH_SWEEP_PRESET ?= demo
sweep: $(VENV)/.sweep-installed ## answer the demo question on the built-in corpus (the default target, four minutes)
	$(PY) sweep/run.py --space norm_layers $(ARGS)

test: $(VENV)/.dev-installed ## the default tests, on up to four cores; COVER=1 prints the coverage
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS) $(if $(COVER),--cov)

# Hypothesis marks every property test with `hypothesis`.
test-slow: export HYPOTHESIS_PROFILE ?= random
test-slow: $(VENV)/.dev-installed ## tests of minutes, and property tests on many random examples
	$(PY) -m pytest -m "slow or hypothesis" $(ARGS)

# SPINNERS=1 keeps every core busy meanwhile; KILLS=300 makes it so many.
test-chaos test-cluster: export SPINNERS ?=
test-chaos: export KILLS ?=
test-chaos: $(VENV)/.dev-installed ## sixty kills, a lost node, a worker without network (20 minutes)
	$(PY) -m pytest -m "chaos or not chaos" tests/chaos $(ARGS)

test-browser: export SPEECH_SWEEP_SCREENSHOTS ?= $(CURDIR)/.artifacts/browser
test-browser: $(VENV)/.dev-installed ## report and MLflow pages in headless Chromium (apt: chromium chromium-driver)
	$(PY) -m pytest -m browser tests/browser $(ARGS)

test-cluster: $(VENV)/.dev-installed ## clusters of network namespaces (as root; docs/cluster.md)
	$(PY) -m pytest -m cluster tests/cluster $(ARGS)

bench: $(VENV)/.dev-installed ## every benchmark next to a peer, half an hour on two cores (docs/benchmarks.md)
	$(PY) -m benchmarks $(ARGS)

test-gpu: $(VENV)/.dev-installed ## what only a GPU can show, 8 minutes on one card; skipped by name without CUDA
	$(PY) -m benchmarks --gpu $(ARGS)

check: $(VENV)/.dev-installed ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.dev-installed ## let ruff fix and format the code
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

hooks: $(VENV)/.dev-installed ## run ruff and mypy before each git commit
	$(VENV)/bin/pre-commit install

clean: ## remove .venv and build outputs; sweeps/ stays
	rm -rf $(VENV) .bench build *.egg-info .coverage* .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/bin/python:
	@for python in $(PYTHONS); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  $$python -c 'import os, shutil, sysconfig as s; exit(not shutil.which("cc") or not os.path.exists(s.get_path("include") + "/Python.h"))' \
	    || echo "note: pesq is built from source and needs a C compiler and Python headers (Debian: apt install gcc python3-dev)"; \
	  $$python -m venv $(VENV) && exit 0; \
	  echo "$$python cannot make $(VENV) (Debian: apt install python3-venv)"; exit 2; \
	done; \
	echo "speech-sweep needs Python 3.11 or later: none of $(PYTHONS) is one; name yours with make PYTHON=/path/to/python"; exit 2

# pip skips compiling (300 MB of modules, most never imported: a minute); what a sweep imports is compiled here.
define compile_imported_modules
	$(PY) -c "import sweep.driver.driver, sweep.report.figures.search, ray.tune, mlflow.store.tracking.sqlalchemy_store, \
	  matplotlib.pyplot, optuna.visualization.matplotlib, optuna.storages._rdb.storage, boto3" & driver=$$!; \
	$(PY) -c "import trainables.session, trainables.normalized_ssl.method, pesq, pystoi"; \
	status=$$?; wait $$driver && exit $$status
endef

INSTALL := $(PY) -m pip install --disable-pip-version-check --no-compile --quiet --constraint constraints.txt --editable

$(VENV)/.sweep-installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) ".[demo]"
	$(compile_imported_modules)
	touch $@

$(VENV)/.dev-installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) ".[demo,dev]"
	$(compile_imported_modules)
	touch $@ $(VENV)/.sweep-installed
