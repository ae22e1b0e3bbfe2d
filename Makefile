# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
SECONDS ?=
TORCH   ?= 2.13.0
TORCH_INDEX ?=
WORKERS ?= 2
MINUTES ?= 60
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup services demo test test-long bench chaos soak bench-gpu docs lint check clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { sh .ci/apt python3-venv && $(PYTHON) -m venv --clear $(VENV); }

$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --prefer-binary --editable .
	@$(BIN)/python -c 'from broadcaster.redis_server import program; program()' 2>/dev/null || sh .ci/apt redis-server
	@touch $@

$(VENV)/.test: $(VENV)/.base
	@$(BIN)/python -c 'import torch' 2>/dev/null || \
	  echo "Installing torch: 0.2 GB from a CPU index (make test TORCH_INDEX=URL), several GB from the default one"
	$(PIP) install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==$(TORCH)
	$(PIP) install --quiet --prefer-binary --editable '.[test,flashtalk]'
	@touch $@

setup: $(VENV)/.base  ## install what the broadcaster needs, into .venv

services:  ## install the servers that the tests talk to (redis, nginx-rtmp, ffmpeg, chromium)
	@sh .ci/apt redis-server:redis-server nginx:nginx-light /usr/lib/nginx/modules/ngx_rtmp_module.so:libnginx-mod-rtmp ffmpeg:ffmpeg openssl:openssl chromium:chromium systemd-analyze:systemd dbus-run-session:dbus-daemon gcc:gcc /usr/include/stdlib.h:libc6-dev ip:iproute2 unshare:util-linux

demo: $(VENV)/.base  ## go on air on this machine: make demo, or make demo SECONDS=60
	@$(BIN)/broadcaster demo $(if $(SECONDS),--seconds $(SECONDS))

test: $(VENV)/.test services  ## run all tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(VENV)/.test services  ## run the tests that `make test` leaves out for their length
	@$(BIN)/python -m pytest -q -m long $(ARGS)

bench: $(VENV)/.test services  ## print the measured figures
	@$(BIN)/python -m benchmarks

chaos: $(VENV)/.test services  ## break a room in every way and print what was reached: make chaos, or ARGS="reset hung"
	@$(BIN)/python -m tests.lab chaos $(ARGS)

soak: $(VENV)/.test services  ## random faults for an hour, with plots: make soak MINUTES=60 SEED=1
	@$(PIP) install --quiet --prefer-binary --editable '.[lab]'
	@$(BIN)/python -m tests.lab soak --minutes $(MINUTES) --seed $(SEED) $(ARGS)

bench-gpu:  ## time FlashTalk on the GPU that is here; needs only torch, installs nothing
	@$(PYTHON) -m benchmarks.gpu $(ARGS)

docs: $(VENV)/.base  ## write the pages that are made from other files
	@$(BIN)/python -m broadcaster.reference > docs/configuration.md

lint: $(VENV)/.test  ## ruff and strict mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check: lint test  ## what CI runs

clean:  ## remove the environment and what runs left behind
	rm -rf $(VENV) out var .mypy_cache .ruff_cache .pytest_cache
