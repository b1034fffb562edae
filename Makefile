# One way in for people and CI. Everything is installed into .venv from the hashed lists in requirements/.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
UV := $(BIN)/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export PATH := $(BIN):$(PATH):/usr/sbin
export UV_SYSTEM_CERTS := true

# $(call install,ARGUMENTS): by uv, which takes seconds; where it does not get through (its own proxy and index settings
# are not pip's), by pip, which takes a minute
install = $(UV) pip install --quiet --python $(BIN)/python $(1) || \
	{ echo "uv could not; now with pip"; $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1); }

# $(call apt,PROGRAM,PACKAGE): installs PACKAGE where PROGRAM is missing
apt = command -v $(1) >/dev/null || $(call apt-install,$(2))
apt-install = { echo "installing $(1)"; export DEBIAN_FRONTEND=noninteractive; \
	$(SUDO) apt-get install -qq -y --no-install-recommends $(1) >/dev/null 2>&1 || \
	{ $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y --no-install-recommends $(1) >/dev/null; }; }

.PHONY: help demo install test test-long check bench lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: install ## a spring of a made-up company: import its CRM, sync, and report
	@bash examples/demo.sh

install: $(VENV)/.run ## dealscribe itself, into .venv/bin/dealscribe

test: $(VENV)/.servers ## all tests that take seconds
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not long" $(ARGS)

test-long: $(VENV)/.servers $(VENV)/.fuzz ## all tests, also those that take minutes
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

check: $(VENV)/.dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev $(VENV)/.bench ## how fast, and in how much memory
	$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/.uv ## the lists in requirements/ anew; UPGRADE=--upgrade takes newer versions
	$(COMPILE) pyproject.toml --extra encoder --group build -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra encoder --group build --group dev -c requirements/run.txt -o requirements/dev.txt
	$(COMPILE) --group fuzz -o requirements/fuzz.txt
	$(COMPILE) --group bench -o requirements/bench.txt
	echo uv | $(COMPILE) - -o requirements/uv.txt

clean: ## remove what was installed and made here
	rm -rf $(VENV) .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/servers/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- stamps: each says that its step was done with the lists as they are now

$(VENV)/.uv: requirements/uv.txt
	@command -v $(PYTHON) >/dev/null || $(call apt-install,python3 python3-venv)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt-install,python3-venv)
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/uv.txt
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt pyproject.toml
	@$(call install,--require-hashes -r requirements/run.txt)
	@$(call install,--no-deps --no-build-isolation --editable .)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(call install,--require-hashes -r requirements/dev.txt)
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev requirements/fuzz.txt
	@$(call install,--require-hashes -r requirements/fuzz.txt)
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@$(call apt,dovecot,dovecot-imapd)
	@$(call apt,mbsync,isync)
	@$(call install,--require-hashes -r requirements/bench.txt)
	@touch $@

$(VENV)/.servers: $(VENV)/.dev tests/servers/package-lock.json
	@$(call apt,dovecot,dovecot-imapd)
	@$(call apt,systemd-analyze,systemd)
	@$(BIN)/python -m tests.servers.gmail
	@touch $@
