# make sweep    the answer on the built-in demo corpus (sets everything up in .venv first)
# make test     the default test suite; test-slow, test-chaos, test-browser and test-cluster (as root) beside it
# make check    ruff and mypy

PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
export OMP_NUM_THREADS ?= 1
# Where this is set, every worker of a sweep would compile torch and transformers anew, for half a minute each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: sweep test test-slow test-chaos test-browser test-cluster check format clean

# Also where there is a GPU, with which run.py would take the paper's preset and ask for its corpus.
sweep: export SPEECH_SWEEP_PRESET ?= demo
sweep: $(VENV)/.sweep-installed
	$(PY) sweep/run.py --space norm_layers $(ARGS)

test: $(VENV)/.dev-installed
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: $(VENV)/.dev-installed
	$(PY) -m pytest -m slow $(ARGS)

test-chaos: $(VENV)/.dev-installed
	$(PY) -m pytest -m "chaos or not chaos" tests/chaos $(ARGS)

test-browser: export SPEECH_SWEEP_SCREENSHOTS ?= $(CURDIR)/.artifacts/browser
test-browser: $(VENV)/.dev-installed
	$(PY) -m pytest -m browser tests/browser $(ARGS)

test-cluster: $(VENV)/.dev-installed
	$(PY) -m pytest -m cluster tests/cluster $(ARGS)

check: $(VENV)/.dev-installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.dev-installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "speech-sweep needs Python 3.11: install it, or name one with make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Not compiling 300 MB of modules nobody imports saves a minute; most of what a sweep imports is compiled right here.
define compile_what_is_imported
	$(PY) -c "import sweep.driver.driver, sweep.report.figures.search, ray.tune, mlflow.store.tracking.sqlalchemy_store, \
	  matplotlib.pyplot, optuna.visualization.matplotlib, optuna.storages._rdb.storage, boto3" & driver=$$!; \
	$(PY) -c "import trainables.session, trainables.normalized_ssl.method, pesq, pystoi"; \
	status=$$?; wait $$driver && exit $$status
endef

$(VENV)/.sweep-installed: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --disable-pip-version-check --no-compile --quiet --editable ".[demo]"
	$(compile_what_is_imported)
	touch $@

$(VENV)/.dev-installed: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --disable-pip-version-check --no-compile --quiet --editable ".[demo,dev]"
	$(compile_what_is_imported)
	touch $@ $(VENV)/.sweep-installed

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
