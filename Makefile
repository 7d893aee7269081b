# The one way in: `make help` lists the targets. Everything runs from .venv, which is made when it is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# Many container images set this. Without compiled files each pytest rewrites all tests anew (10 s), and each of the
# hundreds of servers that the tests start compiles its modules.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
OFFLINE_TESTS := tests/chart tests/sdk tests/harness tests/runtime tests/bench
CHECKED := sdk harness/src runtime/src tests model-samples charts
# pytest-xdist workers; of the live tests, each brings up a cluster of its own.
WORKERS ?= 2
# The images that users can choose from: each runtime/requirements-<FRAMEWORK>.in has a lock file beside it.
FRAMEWORKS := $(sort $(patsubst runtime/requirements-%.in,%,$(wildcard runtime/requirements-*.in)))
# The version of the chart, the packages and the images: one for all.
RELEASE := $(shell sed -nE 's/^version = "(.*)"/\1/p' runtime/pyproject.toml)
# The release targets push to REGISTRY, such as ghcr.io/OWNER, the images of all FRAMEWORKS unless IMAGES names fewer.
IMAGES ?= none $(FRAMEWORKS)
# The kind cluster that chart-install creates and deletes.
KIND_CLUSTER ?= gpu-inference-ct

# $(call needs,PROGRAM …): stop unless these programs are on PATH.
needs = @for program in $(1); do command -v $$program > /dev/null \
	  || { echo "make $@ needs $$program on PATH." >&2; exit 1; }; done
# $(call given,VARIABLE,EXAMPLE): stop unless the variable has a value.
given = $(if $($(1)),,@echo "make $@ needs $(1): make $@ $(1)=$(2)" >&2; exit 2)
# Live tests that look at the whole host for what they left behind, so that nothing may run beside them.
WHOLE_HOST := tests/live/test_cluster_life.py tests/live/test_cluster_pods.py tests/live/test_images.py

.PHONY: help setup demo down browser old-environment test test-one test-offline test-live soak bench bench-full \
  bench-check lint chart-lint chart-install format generate kubernetes kubernetes-schemas package images lock version \
  release-check release-images release-chart clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/' | column -t -s "$$(printf '\t')"

.venv/.installed: tests/requirements.lock sdk/pyproject.toml harness/pyproject.toml runtime/pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e sdk -e harness -e runtime
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

setup: browser old-environment .venv-incumbent/.installed ## Install everything: Python and Debian packages, the cluster's programs (as root)
	$(BIN)/gpu-inference cluster setup

demo: .venv/.installed ## Bring up a cluster, deploy the sample and score handwritten digits; leaves it running (as root)
	$(BIN)/gpu-inference cluster setup
	$(BIN)/python model-samples/mnist-tf/demo.py

down: .venv/.installed ## Remove every cluster that the demo and the tests have brought up
	$(BIN)/gpu-inference cluster down --all

test: lint test-offline test-live ## Run every check and every test, on a cluster of its own (as root)

test-one: $(if $(T),.venv/.installed) ## Run one test, file or folder: T=tests/chart/test_quality.py::test_a_render_holds_nothing_random
	$(call given,T,tests/chart/test_quality.py::test_a_render_holds_nothing_random)
	$(BIN)/python -m pytest $(T)

test-offline: browser old-environment .venv-incumbent/.installed ## Run the tests that need no cluster (about 5 minutes)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(OFFLINE_TESTS)

test-live: setup ## Run the tests that bring up a cluster, use it and remove it (as root)
	$(BIN)/python -m pytest $(WHOLE_HOST)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests/live \
	  $(addprefix --ignore=,$(WHOLE_HOST))

soak: .venv/.installed ## Fuzz and load the runtime: SOAK_SECONDS (600) per part, SOAK_REQUESTS (100000) of each kind
	$(BIN)/python -m pytest -n $(WORKERS) tests/soak

bench: .venv-incumbent/.installed ## Measure against v1's server, KServe and PyTriton (under 10 minutes)
	$(BIN)/python -m tests.bench

bench-full: .venv-incumbent/.installed ## The same with more rounds, MLServer and the curves
	$(BIN)/python -m tests.bench --full

bench-check: .venv-incumbent/.installed ## Measure, and fail if a ratio is far below the stored one
	$(BIN)/python -m tests.bench --check

lint: .venv/.installed ## Check style, formatting and types, and that generated files are up to date
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy sdk harness/src runtime/src charts/values
	$(BIN)/mypy tests model-samples/mnist-tf
	for script in $(filter-out model-samples/mnist-tf/%,$(wildcard model-samples/*/train.py)); do \
	  $(BIN)/mypy $$script || exit; \
	done
	$(BIN)/python -m charts.values check

chart-lint: .venv/.installed ## Lint the chart with chart-testing (needs ct, helm)
	$(call needs,ct helm)
	PATH="$(CURDIR)/$(BIN):$$PATH" ct lint --config ct.yaml --charts charts/gpu-inference \
	  --chart-yaml-schema tests/chart/chart-testing/chart_schema.yaml \
	  --lint-conf tests/chart/chart-testing/lintconf.yaml

chart-install: .venv/.installed ## Install and upgrade the chart on a kind cluster of its own (needs ct, kind, Docker)
	$(call needs,ct helm kubectl kind docker)
	set -e; export GPU_INFERENCE_STATE_DIR="$(CURDIR)/.artifacts/chart-install"; \
	kind='--provider kind --name $(KIND_CLUSTER)'; \
	trap "$(BIN)/gpu-inference cluster down $$kind" EXIT; \
	$(BIN)/gpu-inference cluster up $$kind; \
	image=$$($(BIN)/gpu-inference image build | cut -d ' ' -f 1); \
	before=$$(git show origin/main:charts/gpu-inference/Chart.yaml | sed -nE 's/^appVersion: "(.*)"/\1/p'); \
	: 'The chart of origin/main, which ct upgrades from, names the image of its own version.'; \
	docker tag "$$image" "$${image%:*}:$$before"; \
	for name in "$$image" "$${image%:*}:$$before"; do \
	  $(BIN)/gpu-inference cluster load-image $$kind "$$name"; \
	done; \
	KUBECONFIG=$$($(BIN)/gpu-inference cluster kubeconfig $$kind) \
	  ct install --config ct.yaml --charts charts/gpu-inference --upgrade

format: .venv/.installed ## Format the code and fix what ruff can fix
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

kubernetes: $(if $(VERSION),.venv/.installed) ## Move everything to another Kubernetes version: VERSION=v1.38.0
	$(call given,VERSION,v1.38.0)
	$(BIN)/python -m tests.kubernetes_version $(VERSION)

kubernetes-schemas: .venv/.installed ## Write the JSON schemas that the chart's tests validate its objects against
	$(BIN)/python tests/chart/kubernetes-schemas/generate.py
	$(BIN)/python tests/chart/kubernetes-schemas/generate_crds.py

generate: .venv/.installed ## Write the files generated from the typed values: schema, values.yaml, form, README table
	$(BIN)/python -m charts.values write

package: .venv/.installed ## Write the chart's .tgz to dist/, with provenance if SIGN_KEY (and KEYRING) are given
	$(BIN)/gpu-inference chart package --destination dist \
	  $(if $(SIGN_KEY),--sign-key "$(SIGN_KEY)") $(if $(KEYRING),--keyring "$(KEYRING)")

images: .venv/.installed ## List every image of the default render, for a mirror or a cluster without internet
	@$(BIN)/gpu-inference chart images

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
# The harness needs the SDK, which no index has; what both need is resolved together.
HARNESS := sdk/pyproject.toml harness/pyproject.toml --excludes <(echo gpu-inference)
lock: .venv/.installed ## Write all lock files again, after a change to a pyproject.toml or a requirements*.in
	$(COMPILE) tests/requirements.in $(HARNESS) runtime/pyproject.toml -o tests/requirements.lock
	$(COMPILE) tests/requirements-incumbent.in -o tests/requirements-incumbent.lock \
	  -c <(sed -nE 's/^((flask|flask-cors|gunicorn|inference-schema|werkzeug|wrapt)==[^ ]+).*/\1/p' tests/requirements.lock)
	$(COMPILE) sdk/pyproject.toml -c tests/requirements.lock -o sdk/requirements.lock
	$(COMPILE) $(HARNESS) -c tests/requirements.lock -o harness/requirements.lock
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

version: ## Set the version of the chart and the packages, and begin its changelog: TO=0.3.0
	$(call given,TO,0.3.0)
	sed -i -E 's/^((version|appVersion): "?)$(RELEASE)/\1$(TO)/; s/(image: gpu-inference-runtime:)$(RELEASE)/\1$(TO)/' \
	  charts/gpu-inference/Chart.yaml
	sed -i -E 's/^(version|__version__) = "$(RELEASE)"/\1 = "$(TO)"/; s/"gpu-inference==$(RELEASE)"/"gpu-inference==$(TO)"/' \
	  sdk/pyproject.toml harness/pyproject.toml runtime/pyproject.toml \
	  sdk/src/gpu_inference/__init__.py runtime/src/gpu_inference_runtime/__init__.py
	sed -i '0,/^## \[/s//## [$(TO)] - Unreleased\n\n&/' CHANGELOG.md

release-check: ## Check that TAG is the version and that the changelog dates it: TAG=v0.3.0
	$(call given,TAG,v$(RELEASE))
	@test "$(TAG)" = "v$(RELEASE)" || { echo "The tag is $(TAG), and the packages say $(RELEASE)." >&2; exit 1; }
	@grep -qE '^## \[$(RELEASE)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$$' CHANGELOG.md \
	  || { echo "CHANGELOG.md has no line '## [$(RELEASE)] - YYYY-MM-DD'." >&2; exit 1; }

release-images: $(if $(REGISTRY),.venv/.installed) ## Build, push and sign the images: REGISTRY=ghcr.io/OWNER (needs Docker, syft, cosign)
	$(call given,REGISTRY,ghcr.io/OWNER)
	$(call needs,docker syft cosign)
	@mkdir -p dist
	set -e; for framework in $(IMAGES); do \
	  built=$$($(BIN)/gpu-inference image build --framework $$framework | cut -d ' ' -f 1); \
	  image="$(REGISTRY)/$${built##*/}"; sbom="dist/$${built##*/}.spdx.json"; \
	  docker tag "$$built" "$$image"; \
	  docker push "$$image"; \
	  digest=$$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$$image" \
	    | grep '^$(REGISTRY)/'); \
	  syft scan "$$digest" --output "spdx-json=$$sbom"; \
	  cosign sign --yes "$$digest"; \
	  cosign attest --yes --type spdxjson --predicate "$$sbom" "$$digest"; \
	done

release-chart: $(if $(REGISTRY),package) ## Package, push and sign the chart: REGISTRY=ghcr.io/OWNER (needs helm, cosign)
	$(call given,REGISTRY,ghcr.io/OWNER)
	$(call needs,helm cosign)
	set -e -o pipefail; \
	digest=$$(helm push dist/gpu-inference-$(RELEASE).tgz oci://$(REGISTRY)/charts 2>&1 | tee /dev/stderr \
	  | sed -n 's/^Digest: //p'); \
	test -n "$$digest"; \
	cosign sign --yes "$(REGISTRY)/charts/gpu-inference@$$digest"

clean: ## Remove what was built inside the checkout (not the cache, not a running cluster)
	rm -rf .venv .venv-incumbent dist .artifacts .pytest_cache .mypy_cache .ruff_cache model-samples/*/outputs
