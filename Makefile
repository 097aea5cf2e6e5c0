# `make` installs into .venv and trains; `make test` installs and checks. Needs Python 3.11+ only.
#   make ARGS="--env minipacman --core lstm"   another experiment
#   make PYTHON=python3.12 VENV=/elsewhere     another interpreter, another place

ARGS ?= --env boxworld --core rmc --actors 100
VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
EXTRAS := dev,play,plot
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.DEFAULT_GOAL := run
.PHONY: run install test test-slow test-pythons test-benchmarks mutants lint pictures site clean

run: $(STAMP)
	$(BIN)/python scripts/impala.py $(ARGS)

install: $(STAMP)

# One stamp for the whole install, so that nothing is done again while these two files stand.
$(STAMP): pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		found="$$($(or $(PYTHON),python3) --version 2>&1)"; \
		echo "Python 3.11 or newer is needed, found $$found: make PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# The kernels for GPUs are tested in Triton's interpreter; who only trains on a CPU needs no Triton.
test: EXTRAS := dev,play,plot,triton
# Tests come last: their closing line is the result. Files are shared between two processes.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# The documentation as a web site, in site/.
site: $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	$(BIN)/python -m mkdocs build --strict

# The pictures of the site's pages of cores, environments and tasks. Tasks that read files need the
# data (docs/data.md); without it their pictures stay as they are.
pictures: $(STAMP)
	OMP_WAIT_POLICY=PASSIVE PYTHONPATH=. $(BIN)/python docs/draw_pictures.py

# Not part of CI: each version installs an environment of its own.
test-pythons:
	@for version in 3.11 3.12 3.13; do \
		python$$version --version >/dev/null 2>&1 || { echo "python$$version is not installed"; continue; }; \
		$(MAKE) test PYTHON=python$$version VENV=.venv-$$version || exit 1; done

# Not part of CI: the suites of others need many packages, in an environment of their own.
test-benchmarks:
	$(MAKE) install VENV=.venv-benchmarks
	.venv-benchmarks/bin/python -m pip install -c constraints.txt -e '.[benchmarks]'
	.venv-benchmarks/bin/python -m pytest -m slow tests/agents/programs/test_benchmark_suites.py

# Not part of CI: it takes minutes.
mutants: $(STAMP)
	$(BIN)/python tests/mutants.py --jobs 2 --table docs/results/mutants.md

# Leaves .venv and runs/ alone.
clean:
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
	find agents envs memory scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
