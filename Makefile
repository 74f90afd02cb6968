# Two commands for a fresh machine; each creates its own .venv.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test lint docs bench wheel clean

demo: .venv/run.stamp  ## predict a shipped example: a table here, a plot in demo/
	$(BIN)/vanhove predict examples/structures/NaCl.cif --output demo

test: .venv/test.stamp  ## the test suite
	$(BIN)/python -m pytest -n auto

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/limits.py
	$(BIN)/python scripts/update_settings.py --check
	$(BIN)/python scripts/update_results.py --check
	$(BIN)/python scripts/performance_page.py --check

docs: .venv/docs.stamp  ## the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel:  ## build the wheel, try README's commands from it in an empty environment in dist/
	TORCH_INDEX=$(TORCH_INDEX) $(PYTHON) scripts/try_wheel.py dist/try $(PYTHON)

bench: .venv/run.stamp
	$(BIN)/python benchmarks/run.py

# torch first and pinned, from PyTorch's index of CPU builds where it can be reached: a bare "torch"
# can pull gigabytes of CUDA packages. For a GPU: make TORCH_INDEX= ...
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0

.venv/bin/python:
	$(PYTHON) -m venv .venv
	@if [ -n "$(TORCH_INDEX)" ] && $(PYTHON) -c \
	  "import urllib.request as u; u.urlopen('$(TORCH_INDEX)/torch/', timeout=5)" 2>/dev/null; \
	then index="--index-url $(TORCH_INDEX)"; else index=""; fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH) $$index

.venv/run.stamp: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/test.stamp: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

.venv/docs.stamp: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

.venv/dev.stamp: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .venv demo build dist site
