# Set-up is part of every target: nothing but Python 3.11 or newer, git and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_WORKERS ?= 2

.PHONY: demo test test-all lint bench clean

demo: $(STAMP)
	$(BIN)/signals demo $(ARGS)

test: $(STAMP) lint
	$(BIN)/python -m pytest -n $(TEST_WORKERS) -m "not slow" $(ARGS)

test-all: $(STAMP) lint
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	mkdir -p test-output
	for script in tests/benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

clean:
	rm -rf $(VENV) .demo test-output .mypy_cache .ruff_cache .pytest_cache
