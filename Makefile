# Condiviso: `make help` says what there is.
PYTHON ?= python3
PORT ?= 8000
VAR ?= var
WORKERS ?= 2
POINTS ?= 240
SEED ?= 1
MINUTES ?= 10
BENCH ?= --kinds clustered uniform --sizes 200 1000 5000 --seconds 60 --chart docs/pictures/matching.svg

VENV := .venv
RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip install --quiet --disable-pip-version-check
UV := VIRTUAL_ENV=$(VENV) $(RUN)/uv
CATALOGUES := $(wildcard marketplace/translations/*/LC_MESSAGES/messages.po)
PYTEST := timeout --foreground 3000 $(RUN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
APT := DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends

unexport PYTHONDONTWRITEBYTECODE  # without compiled modules a start takes seconds longer
export UV_NO_PROGRESS = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench bench-matching browser faults bench-billing load sbom permissions screenshots counts lighthouse messages lock clean chromium

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=$(PORT) and VAR=$(VAR) (the folder with all data) can be set: make demo PORT=8001 VAR=/srv/condiviso"

setup: $(VENV)/ready $(VENV)/compiled $(CATALOGUES:.po=.mo) ## make .venv with everything the project needs

demo: setup ## run a synthetic city on 127.0.0.1:PORT until Ctrl-C
	@VAR="$(VAR)" PORT="$(PORT)" exec $(RUN)/marketplace demo

test: $(VENV)/ready chromium ## run every check and every test but the long suites
	@$(MAKE) --no-print-directory --jobs=2 setup check
	$(PYTEST) -m "not long"

check: $(VENV)/ready ## run the static checks: style, types, who may import whom, templates
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/djlint --quiet --lint templates

format: setup ## put the code in the house's style
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

browser: setup chromium ## walk every page in Chromium, at every width, with axe
	$(PYTEST) -m browser

faults: setup ## hit processes at POINTS steps chosen by SEED, then play many months of a small city; audit after each
	$(RUN)/python -m tests.faults.kills --points $(POINTS) --seed $(SEED)
	$(PYTEST) tests/faults

screenshots: setup chromium ## draw the README's pictures again
	$(RUN)/python -m tests.journeys.screenshots

permissions: setup ## write down who may do what, as the routes say it (docs/permissions.md)
	.venv/bin/python -m marketplace.permissions > docs/permissions.md

counts: setup chromium ## count taps, answers, pages and bytes of the main jobs into docs/experience.md
	$(RUN)/python -m tests.journeys.counts

lighthouse: setup chromium build/lighthouse/ready ## score the pages that families open most with Lighthouse (needs Node.js)
	$(RUN)/python -m tests.journeys.lighthouse

bench: setup ## measure the matcher beside its rivals on small cities, in about two minutes
	$(RUN)/python -m tests.benchmarks.matching --kinds clustered tight village --sizes 100 200 --seconds 10

bench-matching: setup ## measure the matcher beside its rivals on cities of 200 to 20,000 needs (BENCH="..." changes it)
	$(RUN)/python -m tests.benchmarks.matching $(BENCH)

bench-billing: setup ## measure the close of a month with 100,000 sessions, and its receipts as PDF
	$(RUN)/python -m tests.benchmarks.billing

load: setup build/tools/ready ## put a city of 20,000 families and 2,000 providers under load for MINUTES, beside a bare page
	$(RUN)/python -m tests.load --minutes $(MINUTES)

sbom: $(VENV)/ready build/tools/ready ## list all parts of the product with versions and licences (build/sbom.json), and check the licences
	$(RUN)/python -m pytest tests/test_licences.py
	build/tools/bin/cyclonedx-py environment --of JSON --output-file build/sbom.json $(RUN)/python
	@echo "build/sbom.json: CycloneDX"

messages: setup ## gather the words on screen into the catalogues
	$(RUN)/pybabel -q extract --mapping pyproject.toml --keywords N_ --no-wrap --sort-output --add-location never \
		--project condiviso --output marketplace/translations/messages.pot .
	@for language in en; do \
		folder=marketplace/translations/$$language/LC_MESSAGES; \
		if [ -f $$folder/messages.po ]; then \
			$(RUN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --no-wrap --locale $$language \
				--input-file marketplace/translations/messages.pot --output-dir marketplace/translations; \
		else \
			$(RUN)/pybabel -q init --no-wrap --locale $$language \
				--input-file marketplace/translations/messages.pot --output-dir marketplace/translations; \
		fi; \
	done

lock: $(VENV)/ready ## choose the newest versions of all dependencies and write them down with their hashes
	$(UV) pip compile --quiet --upgrade --extra dev pyproject.toml --output-file requirements.lock
	@printf "cyclonedx-bom\nlocust\n" | $(UV) pip compile --quiet --upgrade - --output-file requirements-tools.lock

clean: ## remove what setup and the tools made, but no data
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
	find marketplace -name '*.mo' -delete

# The environment: uv and setuptools from the lock, then with them the rest; nothing comes without its hash.
$(VENV)/ready: requirements.lock pyproject.toml
	@echo "Setting up $(VENV): about a minute the first time ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it: make setup PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory python-venv
	@$(RUN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@awk '/^[^ ]/{on = /^(setuptools|uv)==/} on' requirements.lock > $(VENV)/first.lock
	@$(PIP) --no-deps --require-hashes -r $(VENV)/first.lock
	@test -w "$${UV_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME}}" || export UV_NO_CACHE=1; \
		$(UV) pip install --quiet --no-deps --no-build-isolation --require-hashes -r requirements.lock \
			|| { echo "Once more with pip, which knows this machine's settings ..."; \
				$(PIP) --no-deps --no-build-isolation --use-pep517 --require-hashes -r requirements.lock; }
	@$(PIP) --no-deps --no-build-isolation --no-index --editable .
	@$(RUN)/python -c "import marketplace.cli"  # compiles what every command imports
	@touch $@

# Tools that only look at a site or an environment from outside: never needed to run or to test.
build/tools/ready: requirements-tools.lock $(VENV)/ready
	@echo "Setting up build/tools ..."
	@$(RUN)/python -m venv --clear build/tools
	@VIRTUAL_ENV=build/tools $(RUN)/uv pip install --quiet --no-deps --require-hashes -r requirements-tools.lock
	@touch $@

build/lighthouse/ready:
	@command -v npm >/dev/null || { echo "Lighthouse needs Node.js and npm; an administrator can install them: apt-get install npm"; exit 1; }
	@echo "Setting up Lighthouse in build/lighthouse ..."
	@mkdir -p build/lighthouse && npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix build/lighthouse lighthouse@12.8.2
	@touch $@

$(VENV)/compiled: $(VENV)/ready $(wildcard matching/*.py)
	@echo "Compiling the matcher ..."
	@$(RUN)/python -m matching.warm
	@touch $@

.PHONY: python-venv
python-venv:
	@test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		|| { echo "Python's venv is missing; an administrator can install it: apt-get install python3-venv"; exit 1; }
	@echo "Installing python3-venv ..."
	@apt-get update --quiet=2 && $(APT) python3-venv >/dev/null

%.mo: %.po $(VENV)/ready
	@$(RUN)/pybabel -q compile --input-file $< --output-file $@

BROWSER := chromium fonts-dejavu-core libatomic1

chromium:
	@dpkg-query --show $(BROWSER) >/dev/null 2>&1 && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "The browser tests need Chromium; an administrator can install it: apt-get install $(BROWSER)"; exit 1; \
	fi; \
	echo "Installing Chromium for the browser tests ..."; \
	apt-get update --quiet=2 && $(APT) $(BROWSER) >/dev/null
