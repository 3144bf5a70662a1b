# make test      the checks and the fast tests, in an environment of their own (.venv)
# make demo      the whole road on text this machine already has, three minutes after the setup
# make test-all  also the slow tests: wheel, sanitizers, whole runs, transformers; test-oldest
# make test-oldest  data and exports with the oldest libraries allowed (.venv-oldest)
# make format    let ruff and clang-format fix the layout
# make docs      write docs/configuration.md from the schema
# make bench     tokenizer speed beside other libraries
# make clean     forget the environment and the build

PYTHON ?= python3
BIN := .venv/bin
OLDEST := .venv-oldest/bin
# torch must be asked for by its pinned version alone: any looser spelling may fetch the CUDA build.
TORCH := $(shell grep '^torch==' constraints.txt)
BUILD_TOOLS := cmake nanobind ninja scikit-build-core
CPP := $(shell find spiketok datapipe model tests -name '*.[ch]pp')
NATIVE := $(wildcard spiketok/native/* datapipe/native/* datapipe/native/*/* model/native/* model/native/*/*)

.PHONY: test test-all test-oldest demo bench check types docs format clean

test: check
	$(BIN)/pytest -q

test-all: check .venv/installed-extras
	$(BIN)/pytest -q -m "slow or not slow"
	$(MAKE) --no-print-directory test-oldest

# What other libraries read and write: Arrow, datasets, tokenizers, transformers; and a whole road.
test-oldest: .venv-oldest/installed
	$(OLDEST)/python -m pytest -q tests/datapipe tests/test_road.py
	$(OLDEST)/python -m pytest -q -m "slow or not slow" tests/model/huggingface \
	  $(filter-out %/test_export_real_text.py,$(wildcard tests/spiketok/huggingface/test_*.py))

check: .venv/installed types
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/clang-format --dry-run --Werror $(CPP)

# model/ and cli.py are installed in spike_lm: the type checker sees the checkout under that name.
types: .venv/installed
	@mkdir -p build/types && ln -sfn ../.. build/types/spike_lm
	$(BIN)/python -m mypy --no-error-summary

demo: .venv/installed
	$(BIN)/spike demo

bench: .venv/installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]' --no-build-isolation
	$(BIN)/python benchmarks/tokenizer.py --keep build/bench
	$(BIN)/python benchmarks/encoder.py build/bench

docs: .venv/installed
	$(BIN)/python -m spike_lm.model.config.documentation > .configuration.md
	mv .configuration.md docs/configuration.md

format: .venv/installed
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet
	$(BIN)/clang-format -i $(CPP)

.venv/installed: pyproject.toml constraints.txt CMakeLists.txt $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'make: Python 3.11 or newer is needed (PYTHON=python3.12 make … chooses one)'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'make: the venv module is missing: apt install python3-venv'; exit 1; }
	@test -f "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" || \
	  { echo 'make: Python.h is missing: apt install python3-dev'; exit 1; }
	@command -v $${CXX:-g++} >/dev/null || \
	  { echo 'make: a C++ compiler is missing: apt install g++'; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt $(TORCH) $(BUILD_TOOLS)
	$(BIN)/pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

.venv/installed-extras: .venv/installed
	$(BIN)/pip install --quiet -c constraints.txt --no-build-isolation -e '.[hf,hf-uses,log,peers]'
	@touch $@

.venv-oldest/installed: .venv/installed constraints-oldest.txt
	@test -x $(OLDEST)/pip || $(PYTHON) -m venv .venv-oldest
	$(OLDEST)/pip install --quiet -c constraints-oldest.txt $(TORCH) $(BUILD_TOOLS) \
	  pytest hypothesis jsonschema jinja2 minijinja
	PATH="$(CURDIR)/$(OLDEST):$$PATH" $(OLDEST)/pip install --quiet -c constraints-oldest.txt \
	  --no-build-isolation -e '.[hf]'
	@touch $@

clean:
	rm -rf .venv .venv-oldest build dist
