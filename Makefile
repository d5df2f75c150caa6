# make demo: absorb documents and ask about them. make test: run the fast tests, make test-all: all of them.
# Each installs what is missing.
PYTHON ?= python3
VENV   ?= .venv
# Of pytest, on two cores: tests of the app, of servers and of processes wait a fifth of their time, which a third fills.
WORKERS ?= 3
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: demo docs test test-all lint format nano nano-hypernet smol bench evaluate setup clean
.DEFAULT_GOAL := demo

# pip compiles 18,000 modules, one after the other, for a minute or more. Python compiles what it imports.
export PIP_COMPILE := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(BIN)/thoth: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --editable .
	@touch $@

# Tests and training also need PyTorch, which the app does without. All cores compile, so that no test's process has to;
# pytest compiles the tests by itself, here once instead of once a worker.
$(BIN)/pytest: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable ".[train,dev,docs]"
	@$(BIN)/python -m compileall -qq -j 0 -x '/(tests|models|providers)/' $(VENV)/lib || true
	@$(BIN)/pytest --collect-only -qq >/dev/null || true
	@touch $(BIN)/thoth $@

# MLX's Linux wheel brings a reference BLAS; OpenBLAS makes it fifty times faster. Everything works without it.
.PHONY: openblas
openblas:
	@if [ "$$(uname)" = Linux ] && ! ldconfig -p | grep -q libopenblas; then \
	  if command -v apt-get >/dev/null; then \
	    echo "Installing OpenBLAS (libopenblas0)"; \
	    { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq libopenblas0; } >/dev/null 2>&1 \
	      || echo "OpenBLAS could not be installed: going on without it, more slowly"; \
	  fi; fi

setup: $(BIN)/pytest openblas  ## everything a developer needs

demo: $(BIN)/thoth openblas
	@$(BIN)/thoth try --pull

$(BIN)/zensical: $(BIN)/thoth
	$(BIN)/pip install --quiet --editable ".[docs]"
	@touch $@

# The documentation's site, in build/site; every warning is an error. build/site/index.html opens without a server.
docs: $(BIN)/zensical
	$(BIN)/python -m docs.site

# The fast tier. Files are kept together (loadfile): their tests share models.
test: setup
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

# Also the tests marked `slow`.
test-all: setup
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not gpu"

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The built-in model pair, from nothing: tokenizer, base, hypernetwork, tools, bundle. Resumes where it was stopped.
nano: setup
	$(BIN)/python -m torch_train.nano runs/nano
	rm -rf runs/nano/pair && mkdir runs/nano/pair && cp -r runs/nano/joint/base runs/nano/pair/base
	cp -r $$(ls -d runs/nano/last/step-* | tail -1) runs/nano/pair/hypernet
	$(BIN)/python -m torch_train.nano.tools runs/nano/pair runs/nano/tools
	rm -rf thoth/nano/base && cp -r runs/nano/tools/base thoth/nano/base
	$(BIN)/convert-weights runs/nano/tools/hypernet thoth/nano/hypernet --force

# Its hypernetwork alone, from nothing, for the base as it is; beside the shipped one, not in its place.
nano-hypernet: setup
	$(BIN)/python -m torch_train.nano runs/nano-hypernet --base thoth/nano/base
	mkdir -p runs/nano-hypernet/pair && cp -r thoth/nano/base runs/nano-hypernet/pair
	$(BIN)/convert-weights $$(ls -d runs/nano-hypernet/last/step-* | tail -1) runs/nano-hypernet/pair/hypernet --force
	$(BIN)/python -m benchmarks.accuracy --pair runs/nano-hypernet/pair

# The hypernetwork of smol, the pair that reads English: resumes where it was stopped; days on two CPU cores, see runs/smol_gpu.sh.
# SMOL_BASE is SmolLM2-135M-Instruct in transformers' layout, PASSAGES what `python -m torch_train.english passages` wrote.
SMOL_BASE ?= runs/smol/base
smol: setup
	$(BIN)/python -m torch_train.english.recipe runs/smol --base $(SMOL_BASE) $(if $(PASSAGES),--passages $(PASSAGES))
	$(BIN)/python -m torch_train.english.matching runs/smol/matcher --base $(SMOL_BASE) $(if $(PASSAGES),--passages $(PASSAGES))
	$(BIN)/convert-weights $$(ls -d runs/smol/last/run/step-* | tail -1) thoth/smol/hypernet --base $(SMOL_BASE) --q-bits 4 --max-chunk-tokens 32 --matcher runs/smol/matcher --force

evaluate: setup
	$(BIN)/python -m benchmarks.accuracy

bench: setup
	$(BIN)/python -m benchmarks.absorb
	$(BIN)/python -m benchmarks.startup

clean:
	rm -rf $(VENV) build dist *.egg-info
