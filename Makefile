# The one way in: `make help` lists what there is. Everything runs from .venv, which is made when it is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
OFFLINE_TESTS := tests/chart tests/harness tests/runtime tests/bench
CHECKED := harness/src runtime/src tests model-samples charts
# pytest-xdist workers; of the live tests, each brings up a cluster of its own.
WORKERS ?= 2
# Kubernetes versions of the schemas in tests/chart/kubernetes-schemas: the lowest and the newest supported.
SCHEMA_VERSIONS := v1.30.14 v1.37.2
# Live tests that look at the whole host for what they left behind, so that nothing may run beside them.
WHOLE_HOST := tests/live/test_cluster_life.py tests/live/test_cluster_pods.py tests/live/test_images.py

.PHONY: help setup demo down browser old-environment test test-offline test-live soak bench bench-full bench-check lint format generate kubernetes-schemas package images lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | column -t -s "$$(printf '\t')"

.venv/.installed: tests/requirements.lock harness/pyproject.toml runtime/pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e harness -e runtime
	@touch $@

browser: .venv/.installed ## Install Chromium for the tests of the page at /docs (as root, where it is missing)
	@$(BIN)/python -m tests.browser

# v1's scoring server, for comparison. What scripts import (numpy, pandas) it takes from .venv, to which a .pth leads.
.venv-incumbent/.installed: tests/requirements-incumbent.lock .venv/.installed
	rm -rf .venv-incumbent
	$(PYTHON) -m venv .venv-incumbent
	.venv-incumbent/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r tests/requirements-incumbent.lock
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$(.venv-incumbent/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/shared.pth"
	@touch $@

old-environment: .venv/.installed ## Unpack the old Python that tests serve a script with (as root)
	@$(BIN)/python -m tests.old_environment

setup: browser old-environment .venv-incumbent/.installed ## Install all that is needed: Python packages, Debian packages, the cluster's programs (as root)
	$(BIN)/gpu-inference cluster setup

demo: .venv/.installed ## From nothing to handwritten digits scored on a real cluster; leaves the service running
	$(BIN)/gpu-inference cluster setup
	$(BIN)/python model-samples/mnist-tf/demo.py

down: .venv/.installed ## Remove every cluster that the demo and the tests brought up
	$(BIN)/gpu-inference cluster down --all

test: lint test-offline test-live ## Run every check and every test, on a cluster of the tests' own

test-offline: browser old-environment .venv-incumbent/.installed ## Run the tests that need no cluster (about 5 minutes)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(OFFLINE_TESTS)

test-live: setup ## Run the tests on a real cluster that they bring up and remove (as root)
	$(BIN)/python -m pytest $(WHOLE_HOST)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests/live \
	  $(addprefix --ignore=,$(WHOLE_HOST))

soak: .venv/.installed ## Fuzz and load the runtime for long: SOAK_SECONDS (600) a part, SOAK_REQUESTS (100000) of a kind
	$(BIN)/python -m pytest -n $(WORKERS) tests/soak

bench: .venv-incumbent/.installed ## Measure beside the incumbent, KServe and PyTriton (under 10 minutes)
	$(BIN)/python -m tests.bench

bench-full: .venv-incumbent/.installed ## The same with more rounds, MLServer and the curves
	$(BIN)/python -m tests.bench --full

bench-check: .venv-incumbent/.installed ## Measure, and fail where a ratio is far below the stored one
	$(BIN)/python -m tests.bench --check

lint: .venv/.installed ## Check style, formatting, types, and that generated files are up to date
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy harness/src runtime/src
	$(BIN)/mypy tests model-samples/mnist-tf
	for script in $(filter-out model-samples/mnist-tf/%,$(wildcard model-samples/*/train.py)); do \
	  $(BIN)/mypy $$script || exit; \
	done
	$(BIN)/python -m gpu_inference.values check

format: .venv/.installed ## Put the code into the house's format
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

kubernetes-schemas: .venv/.installed ## Write the JSON schemas that the chart's tests hold its objects to
	$(BIN)/python tests/chart/kubernetes-schemas/generate.py $(SCHEMA_VERSIONS)

generate: .venv/.installed ## Write what is generated from the typed values: the chart's schema and README table
	$(BIN)/python -m gpu_inference.values write

package: .venv/.installed ## Write the chart's .tgz to dist/, with provenance where SIGN_KEY (and KEYRING) are given
	$(BIN)/gpu-inference chart package --destination dist \
	  $(if $(SIGN_KEY),--sign-key "$(SIGN_KEY)") $(if $(KEYRING),--keyring "$(KEYRING)")

images: .venv/.installed ## List every image of the default render: what a cluster without internet must have
	@$(BIN)/gpu-inference chart images

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
FRAMEWORKS := $(patsubst runtime/requirements-%.in,%,$(wildcard runtime/requirements-*.in))
lock: .venv/.installed ## Pin all Python dependencies anew after a change of a pyproject.toml or a requirements*.in
	$(COMPILE) tests/requirements.in harness/pyproject.toml runtime/pyproject.toml -o tests/requirements.lock
	$(COMPILE) tests/requirements-incumbent.in -o tests/requirements-incumbent.lock \
	  -c <(sed -nE 's/^((flask|flask-cors|gunicorn|inference-schema|werkzeug|wrapt)==[^ ]+).*/\1/p' tests/requirements.lock)
	$(COMPILE) harness/pyproject.toml -c tests/requirements.lock -o harness/requirements.lock
	$(COMPILE) runtime/pyproject.toml -c tests/requirements.lock -o runtime/requirements.lock
	for framework in $(FRAMEWORKS); do \
	  $(COMPILE) runtime/requirements-$$framework.in -c tests/requirements.lock \
	    -o runtime/requirements-$$framework.lock || exit; \
	done
	for peer in kserve pytriton mlserver; do \
	  $(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_36 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    tests/bench/peers/$$peer.in -o tests/bench/peers/$$peer.lock || exit; \
	done

clean: ## Remove what was built inside the checkout (not the cache, not a running cluster)
	rm -rf .venv .venv-incumbent dist .artifacts .pytest_cache .mypy_cache .ruff_cache model-samples/*/outputs
