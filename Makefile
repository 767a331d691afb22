# make report: the pilot's report, from the data in data/raw/pilot. make test: all tests.
# Both set up what is missing: a .venv with the exact versions of requirements.lock.
PYTHON ?= python3
STUDY ?= pilot
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin

.PHONY: report test lint bench lock clean

report: $(READY)
	$(BIN)/evalkit report $(STUDY)

test: $(READY)
	$(BIN)/python -m pytest -n auto $(TESTS)

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(READY)
	$(BIN)/python benchmarks/bench_runs.py $(BENCH)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_statistics.py $(BENCH_STATISTICS)

# Exact versions for every Python and platform the package allows; no registry is named.
lock: $(READY)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra dev --no-annotate --no-header \
	  --no-emit-index-url --quiet -o requirements.lock pyproject.toml

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "evalkit needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

clean:
	rm -rf $(VENV) data/processed reports/*/_book reports/*/notebooks
