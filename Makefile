# Two commands on a fresh machine: `make demo` trains and evaluates, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-slow docs clean

# Made again when the metadata change; pip checks that the wheel on disk satisfies what setup.cfg says.
$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python -m fer_keras.train --data-spec synthetic --backbone small --image-size 48 --epochs 9 --batch-size 32 \
		--learning-rate 0.002 --schedule cosine --warmup-epochs 1 --balance sample --output-dir runs/demo --overwrite
	$(BIN)/python -m fer_keras.evaluate --model runs/demo --split test

test: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site *.egg-info runs/demo
