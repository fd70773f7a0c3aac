# Everything that can be done with a checkout. `make` lists it. GNU make 3.81 or newer, Python 3.11 or newer.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo up down deploy-local test test-hostile test-sam bench bench-peers lint types check build lock clean

# The first interpreter that really runs, is new enough and can make a virtual environment: a name on
# the PATH may be a shim without an interpreter behind it, or Debian's python3 without python3-venv.
# Choose another with `make PYTHON=/path/to/python3.12 setup`.
PYTHON = $(shell for name in python3.13 python3.12 python3.11 python3; do \
	if $$name -c "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)" >/dev/null 2>&1; \
	then command -v $$name; break; fi; done)

# Arguments for the program behind a target: `make test ARGS='-k quarantine'`, `make demo ARGS=--help`.
ARGS ?=

SOURCES := layers functions local demo bench tests
PRESENT = $(wildcard $(SOURCES))

# uv installs in less than half of pip's time; where it cannot (no wheel, an index only pip knows), pip does.
define install_into
.venv/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes --compile-bytecode -r $(2) \
	|| $(1)/bin/python -m pip install --quiet --require-hashes -r $(2)
endef

help: ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- environments ---------------------------------------------------------------------------------

setup: .venv/.local ## Install what the demo and the local cloud need into .venv

.venv/.installer: requirements/installer.txt
	@test -n "$(PYTHON)" || { \
		echo "Evergreen needs Python 3.11 or newer with its venv module, and found none." >&2; \
		echo "On Debian or Ubuntu: apt install python3-venv. Else: make PYTHON=/path/to/python3.12 setup" >&2; \
		exit 1; }
	@echo "Making .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv
	@.venv/bin/python -m pip install --quiet --require-hashes -r $< \
		|| echo "uv cannot be installed here; pip does the rest, more slowly"
	@touch $@

.venv/.local: requirements/local.txt .venv/.installer
	@echo "Installing requirements/local.txt"
	@$(call install_into,.venv,$<)
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.local
	@echo "Installing requirements/dev.txt"
	@$(call install_into,.venv,$<)
	@touch $@

.venv-sam/.installed: requirements/sam.txt .venv/.installer
	@echo "Installing AWS SAM CLI and AWS CLI into .venv-sam"
	@.venv/bin/python -m venv .venv-sam
	@$(call install_into,.venv-sam,$<)
	@touch $@

.venv-peers/.installed: requirements/peers.txt .venv/.installer
	@echo "Installing what others profile and check tables with into .venv-peers"
	@.venv/bin/python -m venv .venv-peers
	@$(call install_into,.venv-peers,$<)
	@touch $@

# ---- use ------------------------------------------------------------------------------------------

demo: .venv/.local ## Play the whole story on real data: upload, model, prediction, drift, new model
	@PYTHONPATH=layers/evergreen/python .venv/bin/python -m demo $(ARGS)

up: .venv/.local ## Start the local cloud with the stack deployed; print its addresses
	@.venv/bin/python -m local up $(ARGS)

down: .venv/.local ## Stop the local cloud
	@.venv/bin/python -m local down $(ARGS)

deploy-local: .venv/.local ## Bring the running local cloud up to date with the checkout
	@.venv/bin/python -m local deploy $(ARGS)

bench: .venv/.local ## Measure how long the journey and one prediction take
	@PYTHONPATH=layers/evergreen/python .venv/bin/python -m bench $(ARGS)

bench-peers: .venv/.local .venv-peers/.installed ## Measure profile and checks beside ydata-profiling and Great Expectations
	@PYTHONPATH=layers/evergreen/python .venv/bin/python -m bench.peers

# ---- judge ----------------------------------------------------------------------------------------

# What measures seconds runs beside nothing. Pytest ends with 5 if ARGS leaves nothing to one of the two.
test: .venv/.dev ## Run unit, integration and local-cloud tests, three files at once
	@.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow and not timed" $(ARGS) \
		|| [ $$? -eq 5 ]
	@.venv/bin/python -m pytest -m timed $(ARGS) || [ $$? -eq 5 ]

test-hostile: .venv/.dev ## Upload everything hostile, the large things too
	@.venv/bin/python -m pytest tests/hostile tests/unit/data/test_limits_are_kept.py -m "slow or not slow" $(ARGS)

test-sam: .venv/.dev .venv-sam/.installed ## Build with SAM, then run every function in Lambda's container
	@.venv/bin/python -m pytest tests/sam $(ARGS)

lint: .venv/.dev ## Check style and formatting
	@.venv/bin/ruff check $(PRESENT)
	@.venv/bin/ruff format --check $(PRESENT)

types: .venv/.dev ## Check types
	@.venv/bin/python -m mypy $(ARGS)

check: lint types test test-sam ## Run all of CI's judgements

# ---- make -----------------------------------------------------------------------------------------

build: .venv-sam/.installed .aws-sam/.builder ## Build functions and layers for AWS, without a container
	@SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam build $(ARGS)

# SAM's cache of a layer knows the layer's folder, but not what is beside it.
.aws-sam/.builder: layers/build_layer.py layers/layer.mk
	@rm -rf .aws-sam
	@mkdir -p .aws-sam
	@touch $@

lock: .venv/.installer ## Resolve the pins again: requirements/*.in, layers/*/requirements.in
	@requirements/lock $(ARGS)

clean: ## Remove everything that was made here: environments, builds, local state
	@rm -rf .venv .venv-sam .venv-peers .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
