# Everything here works in a fresh clone: the set-up happens by itself, and again only when what is pinned has changed.
#
# PYTHON=/path/to/python chooses the interpreter; VENV=elsewhere the place of the virtual environment.

VENV ?= .venv
bin := $(VENV)/bin
python := $(bin)/python
pip := $(python) -m pip --disable-pip-version-check --quiet
pinned := --constraint constraints.txt --build-constraint constraints.txt

# Newest first; each is tried, since a name on the PATH may be a shim for a version that is not installed.
PYTHON ?=
candidates := $(PYTHON) $(if $(PYTHON),,python3.13 python3.12 python3.11 python3 python)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint bench soak pin picture clean

help:  ## show this list
	@awk -F ':.*## +' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.run  ## watch alerts travel, on this machine alone; SECONDS=20 ends by itself and adds up
	@$(bin)/bellwire demo $(if $(SECONDS),--seconds $(SECONDS))

# A module is one unit of work, and they go in the order of their names: the long ones are end-to-end tests, the short ones
# that fill up the end are unit tests. By number of tests, as xdist would have them, the longest would come last.
test: lint  ## linters, types, layers and every test, with branch coverage
	$(python) -m pytest -n 3 --dist loadscope --no-loadscope-reorder --cov --cov-report=term $(ARGS)

lint: $(VENV)/.dev  ## ruff and mypy alone
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy

bench: $(VENV)/.dev  ## run every benchmark; figures are printed, not judged
	@set -e; for script in $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)); do \
	    echo "== $$script"; $(python) "$$script"; \
	done

soak: $(VENV)/.dev  ## let everything go wrong at random for MINUTES=10, and start on a million waiting alerts; SEED=1 repeats a run
	MINUTES=$(or $(MINUTES),10) SEED=$(SEED) BACKLOG=1000000 KILLS=100 \
	    $(python) -m pytest -s tests/e2e/faults/test_soak.py tests/e2e/faults/test_processes.py tests/e2e/faults/test_backlog.py $(ARGS)

# Run it with the oldest Python supported (PYTHON=python3.11), which needs the most.
pin:  ## write constraints.txt anew from the newest versions that pyproject.toml allows
	@set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(MAKE) --no-print-directory VENV="$$new" "$$new/bin/python"; \
	pip="$$new/bin/python -m pip --disable-pip-version-check --quiet"; \
	$$pip install --upgrade pip; \
	$$pip install --editable '.[demo]' --group dev; \
	echo '# Every package that Bellwire, its tools and its builds are tested with. Written by `make pin`.' > "$$new/pins"; \
	$$pip freeze --all --exclude-editable --exclude setuptools --exclude wheel >> "$$new/pins"; \
	cp "$$new/pins" constraints.txt

picture: $(VENV)/.dev  ## take the README's picture of the overview anew: docs/overview.png
	BELLWIRE_PICTURES=docs $(python) -m pytest -q tests/e2e/test_page.py -k picture

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist htmlcov demo .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up --------------------------------------------------------------------------------------------------------
# .run holds what the daemon and the demo need, .dev what the tests need on top.

$(VENV)/.run: pyproject.toml constraints.txt | $(python)
	@echo "installing Bellwire into $(VENV)"
	@$(pip) install --constraint constraints.txt pip
	@$(pip) install $(pinned) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the tools for tests into $(VENV)"
	@$(pip) install $(pinned) --group dev
	@touch $@

$(python):
	@for candidate in $(candidates); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then \
	            exec "$$candidate" -m venv --clear $(VENV); \
	        fi; \
	        bare="$$candidate"; \
	    fi; \
	done; \
	if [ -n "$$bare" ]; then \
	    echo "$$bare lacks the modules venv and ensurepip: install them (on Debian: apt-get install python3-venv)" >&2; \
	else \
	    echo "Bellwire needs Python 3.11 or newer, and none of these is: $(candidates)" >&2; \
	    echo "Install one, or name it: make PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1
