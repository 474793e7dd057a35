# `make app` and `make test` need Python 3.11 or newer and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV ?= .venv
PORT ?= 8501
HOST ?= 127.0.0.1
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# Each worker has one server and one browser for all of its tests, and takes over some of another's
# when its own are done.
TEST_OPTIONS ?= -n auto --maxprocesses 4 --dist worksteal

.PHONY: help app test check bench lock clean

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

app: $(STAMP) ## install on first use, then serve the app on http://127.0.0.1:8501
	@$(BIN)/iwae-lab --host $(HOST) --port $(PORT)

test: $(STAMP) ## install on first use, then run every test
	@$(BIN)/python -m pytest $(TEST_OPTIONS)

check: $(STAMP) ## lint, formatting, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_layers.py

# What has no __main__ is imported by others, and save_*.py write files that the app ships.
bench: $(STAMP) ## run every benchmark, hours in all; each prints JSON, and one that fails stops none
	@failed=; for script in $$(grep -l __main__ benchmarks/*.py | grep -v /save_); do \
		echo "== $$script" >&2; $(BIN)/python $$script || failed="$$failed $$script"; \
	done; test -z "$$failed" || { echo "These failed:$$failed" >&2; exit 1; }

lock: ## resolve requirements.lock anew in a clean environment
	@VENV=$(VENV).lock sh .ci/install lock

clean: ## remove what `make` made
	rm -rf $(VENV) $(VENV).lock build dist

$(STAMP): requirements.lock pyproject.toml .ci/install
	@VENV=$(VENV) sh .ci/install
