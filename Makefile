# What people and CI run. A fresh Debian needs only git, make, python3 and python3-venv: everything else goes into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Otherwise each gateway that a test starts would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup native console run demo client example check test test-all fuzz histories bench bench-peers bench-disclosure format schema lock clean

PYTHON ?= python3
PYTHON_IS_OLD := import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d, and 3.11 or newer is needed: for example make setup PYTHON=python3.12" % sys.version_info[:2])
BIN := .venv/bin
STAMP := .venv/.stamp
# One more than the usual number of cores, because many tests wait for a process to start.
WORKERS ?= 3
# The processors that Argon2 is built for, as the compiler's -march: x86-64-v3 for an image that moves, empty for the wheel.
MARCH ?= native
REQUESTS ?= 20000
OPERATIONS ?= 20000
ENGINES ?= sqlite postgresql
SEED ?= 1
# Here the workers of pytest-xdist, and the gateways that tests start, write their coverage.
COVERAGE := var/coverage

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP) ## install what the lock names into .venv

# The stamp is written last, so that an interrupted set-up starts again from an empty .venv.
$(STAMP): requirements.lock native.lock pyproject.toml
	@$(PYTHON) -c '$(PYTHON_IS_OLD)'
	@test -e $@ || { echo "Setting up .venv: some seconds ..."; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing the packages of requirements.lock: a minute or two ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m native.build --march="$(MARCH)" --if-possible
	@touch $@

native: $(STAMP) ## build Argon2 for this host, or fail (make setup falls back to the portable wheel); MARCH=x86-64-v3
	$(BIN)/python -m native.build --march="$(MARCH)"

console: $(STAMP) ## build the offline GraphiQL; nothing happens when it is up to date
	@$(BIN)/python console/build.py

# `?=`: a GATEWAY_ variable of the environment or of `make run GATEWAY_PORT=9000` wins.
run: export GATEWAY_MODE ?= development
run: export GATEWAY_MAIL_URL ?= file://$(CURDIR)/var/mail
run: export GATEWAY_DATABASE_URL ?= sqlite:///var/registration.db
run: console ## serve on http://127.0.0.1:8000 with SQLite and mails in var/
	@exec $(BIN)/registration-gateway serve

# GATEWAY_PORT and DEMO_PORT choose the ports.
demo: export GATEWAY_MODE ?= development
demo: export GATEWAY_REFRESH_COOKIE ?= on
demo: export GATEWAY_MAIL_URL ?= file://$(CURDIR)/var/mail
demo: export GATEWAY_DATABASE_URL ?= sqlite:///var/registration.db
demo: console ## build the single-page example of examples/signup-spa and serve it on http://127.0.0.1:8080 beside the gateway
	@exec $(BIN)/python -m examples.demo

client: $(STAMP) ## build the npm package of clients/typescript, and print the file that `npm install` takes
	@$(BIN)/python -m harness.client_package

check: $(STAMP) ## formatting, types, import rules, locks, the published schema
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.lockfiles
	$(BIN)/registration-gateway schema --check
	$(BIN)/registration-gateway schema --since last-release

# Before the tests, so that their workers do not build it at the same time.
example: $(STAMP)
	@$(BIN)/python -m examples.demo --build

test: console ## the tests that take seconds, on SQLite and PostgreSQL
	@$(BIN)/pytest --numprocesses $(WORKERS) $(ARGUMENTS)

test-all: console example ## all tests, and the coverage
	@$(call measured,-m "")

fuzz: $(STAMP) ## hostile requests against gateways of both modes on both engines; REQUESTS=200000 SEED=2; goes on where it stopped
	@$(BIN)/python -m fuzz --requests $(REQUESTS) --seed $(SEED)

histories: $(STAMP) ## random operations against faults, checked: OPERATIONS=1000000 SEED=2 ENGINES="sqlite postgresql cluster"
	@$(BIN)/python -m tests.histories --operations $(OPERATIONS) --seed $(SEED) --engines $(ENGINES)

# The last line is pytest's summary, below the coverage: CI reads it there.
define measured
	rm -rf $(COVERAGE); mkdir -p $(COVERAGE); status=0; \
	$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) $(1) $(ARGUMENTS) | tee $(COVERAGE)/pytest.log || status=$$?; \
	$(BIN)/coverage combine --quiet; \
	$(BIN)/coverage report || status=$$?; \
	tail --lines=1 $(COVERAGE)/pytest.log; \
	exit $$status
endef

bench-disclosure: $(STAMP) ## whether the time of an answer tells that an address is registered: ten minutes
	@$(BIN)/python -m benchmarks.disclosure $(ARGUMENTS)

bench: $(STAMP) ## how fast it is here: forty minutes, or QUICK=1 eight; needs wrk (apt-get install wrk)
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

bench-peers: $(STAMP) ## the same for better-auth and Vendure: 25 minutes, or QUICK=1 eight; needs wrk and the npm registry once
	@$(BIN)/python -m benchmarks.peers $(if $(QUICK),--quick) $(ARGUMENTS)

format: $(STAMP) ## format the code with ruff
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schema: $(STAMP) ## write schema.graphql and operator.graphql from the code
	$(BIN)/registration-gateway schema > schema.graphql.new
	mv schema.graphql.new schema.graphql
	$(BIN)/registration-gateway schema --operators > operator.graphql.new
	mv operator.graphql.new operator.graphql

# uv is installed in a temporary directory. Settings of this machine are unset, so that they leave no trace in the locks.
lock: ## write requirements.lock and native.lock from pyproject.toml
	directory=$$(mktemp -d); trap 'rm -rf "$$directory"' EXIT; \
	$(PYTHON) -m venv "$$directory"; \
	"$$directory/bin/pip" install --quiet --disable-pip-version-check uv; \
	unset $${!UV_@} $${!PIP_@}; \
	compile="$$directory/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --no-config"; \
	$$compile --group dev --extra traces $(ARGUMENTS) --output-file requirements.lock pyproject.toml; \
	$$compile --group pyproject.toml:native $(ARGUMENTS) --output-file native.lock

clean: ## remove everything that these commands made except var/
	rm -rf .venv $(COVERAGE) graphql_api/console console/node_modules examples/signup-spa/{node_modules,dist} benchmarks/peers/node_modules clients/typescript/node_modules clients/typescript/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
