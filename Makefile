# Two commands matter: `make demo` (the main job, with all set-up) and `make test`.
# Each part of the set-up leaves a stamp, so that the next run starts at once.

PYTHON ?=
export PYTHON

VENV := .venv/bin
STAMPS := .tools/stamps
# Our own tools come first on the PATH: the OPA that fits is .tools/opa.
RUN := PATH="$(CURDIR)/.tools:$(CURDIR)/.venv/bin:$$PATH"
CODE := $(wildcard datwat broker connectors keyholder witness demo bench scripts tests)

.DEFAULT_GOAL := help
.PHONY: help demo demo-several serve test test-postgresql test-long lint mutate bench bench-full \
	screenshots clean setup setup-dev lock lint-python lint-policies lint-api lint-files lint-texts format

help:
	@echo 'make demo    plays the seven cases with all parties as processes, and ends'
	@echo 'make demo-several  the same on four brokers and PostgreSQL: fail-over, every key replaced'
	@echo 'make serve   as make demo, and leaves the parties running until Ctrl-C'
	@echo 'make test    every test (arguments for pytest: make test ARGS="-k merkle")'
	@echo 'make test-postgresql  every test, each party with a database on a PostgreSQL server'
	@echo 'make test-long  whole what make test does in part: faults, soak, fuzz: two hours or more'
	@echo 'make lint    every check of code, policies and API'
	@echo 'make mutate  takes out each policy condition in turn: none may go unnoticed'
	@echo 'make bench   measures speed and prints the table'
	@echo 'make bench-full  the same on each database, with few and many pointers (hours)'
	@echo 'make screenshots  takes the pictures in docs/pictures anew'
	@echo 'make clean   removes everything that these commands made'

demo: setup
	@$(RUN) $(VENV)/datwat demo

demo-several: setup $(STAMPS)/postgresql
	@$(RUN) $(VENV)/datwat demo --brokers 4 $(ARGS)

serve: setup
	@$(RUN) exec $(VENV)/datwat demo --keep

TEST_PARTS := setup setup-dev $(STAMPS)/postgresql $(STAMPS)/strace $(STAMPS)/chromium $(STAMPS)/node

test: $(TEST_PARTS)
	@$(RUN) $(VENV)/pytest -n 2 --dist loadgroup $(ARGS)

test-postgresql: $(TEST_PARTS)
	@$(RUN) $(VENV)/pytest -n 2 --dist loadgroup --database postgresql $(ARGS)

test-long: $(TEST_PARTS)
	@$(RUN) $(VENV)/pytest -n 2 --dist loadgroup --long -m long $(ARGS)

mutate: setup setup-dev
	@$(RUN) $(VENV)/python -m tests.mutate $(ARGS)

bench: setup setup-dev $(STAMPS)/chromium
	@$(RUN) $(VENV)/python -m bench $(ARGS)

bench-full: setup setup-dev $(STAMPS)/chromium $(STAMPS)/postgresql
	@$(RUN) $(VENV)/python -m bench --full $(ARGS)

screenshots: setup setup-dev $(STAMPS)/chromium $(STAMPS)/node
	@$(RUN) $(VENV)/python -m scripts.screenshots

lint: lint-files lint-texts lint-python lint-policies lint-api

lint-files: $(STAMPS)/python
	$(VENV)/python scripts/check_files.py

lint-texts: $(STAMPS)/python
	$(VENV)/python scripts/check_texts.py
	$(VENV)/python scripts/list_schemas.py --check
	$(VENV)/python scripts/list_guards.py --check
	$(VENV)/python -m scripts.list_scale --check
	$(VENV)/python scripts/list_events.py --check
	$(VENV)/python scripts/list_metrics.py --check

lint-python: setup setup-dev
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy $(CODE)
	$(VENV)/lint-imports --no-logo

lint-policies: setup $(STAMPS)/regal
	.tools/opa fmt --fail --list policies
	.tools/opa check --strict policies/datwat
	@mkdir -p build
	.tools/opa test --coverage --threshold 100 policies/datwat > build/policy-coverage.json
	.tools/regal lint policies

# The ruleset is the API Design Rules' own and is not part of this project: ADR_RULESET names it.
lint-api: setup
	@if [ -n "$$ADR_RULESET" ]; then $(MAKE) --no-print-directory build/openapi.checked; \
	elif [ "$$CI" = true ]; then echo 'error: ADR_RULESET must name the ruleset in CI' >&2; exit 1; \
	else echo 'API Design Rules: skipped, as ADR_RULESET names no ruleset'; fi

.PHONY: build/openapi.checked
build/openapi.checked: $(STAMPS)/node
	@test -f "$$ADR_RULESET" || { echo 'error: ADR_RULESET names no file' >&2; exit 1; }
	@mkdir -p build
	$(RUN) $(VENV)/python -m broker.openapi > build/openapi.json
	node_modules/.bin/spectral lint --fail-severity=error -r "$$ADR_RULESET" build/openapi.json

format: setup setup-dev
	$(VENV)/ruff check --fix-only
	$(VENV)/ruff format
	.tools/opa fmt --write policies

# Makes the lock files anew from requirements*.in; no address of a registry gets into them.
LOCK := $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock: setup-dev
	$(LOCK) requirements.in -o requirements.lock
	$(LOCK) -c requirements.lock requirements-dev.in -o requirements-dev.lock
	$(LOCK) requirements-node.in -o requirements-node.lock

setup: $(STAMPS)/python $(STAMPS)/libsodium $(STAMPS)/opa $(STAMPS)/web

setup-dev: $(STAMPS)/dev

$(STAMPS)/python: requirements.lock pyproject.toml $(wildcard */__init__.py)
$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/python
$(STAMPS)/libsodium: $(STAMPS)/python
$(STAMPS)/opa: tools/go.mod tools/go.sum
$(STAMPS)/regal: tools/regal/go.mod tools/regal/go.sum
$(STAMPS)/web: package-lock.json .npmrc requirements-node.lock datwat/web/icons.txt scripts/web_parts.py $(STAMPS)/python
$(STAMPS)/node: package-lock.json .npmrc requirements-node.lock $(STAMPS)/python
# Who needs both installs once: what `node` brings holds the parts of the pages.
ifneq (,$(filter test test-postgresql test-long screenshots,$(MAKECMDGOALS)))
$(STAMPS)/web: $(STAMPS)/node
endif
$(STAMPS)/%:
	@scripts/setup.sh $*
	@mkdir -p $(STAMPS) && touch $@

clean:
	rm -rf .venv .tools node_modules build datwat.egg-info datwat/web/parts
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
