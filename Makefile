# `make` alone says what there is. Everything runs in .venv, made from the hashed locks; the demonstration lives in .home.
.DEFAULT_GOAL := help
.PHONY: help setup run test check soak bench shots golden lock clean tools
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON := .venv/bin/python
ARGS ?=

help: ## say what can be made
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /|/' | while IFS='|' read -r name words; do printf '  make %-7s %s\n' "$$name" "$$words"; done

setup: ## prepare the environment (again only when a lock has changed)
	@scripts/environment run

run: setup ## load the demonstration, start web and worker, print the address and the sign-ins
	@.venv/bin/shudu up --demo --home .home $(ARGS)

tools:
	@scripts/environment all

test: tools ## install what the tests need and run them all, on up to four cores (ARGS="-k word" for some, "-n 0" on one)
	@scripts/apt
	@$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: tools ## lint, format, types, import floors, spelling, documents
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@.venv/bin/codespell
	@$(PYTHON) -m pytest -q tests/unit/docs

soak: tools ## the long tests (ARGS="-k word" for some)
	@scripts/apt
	@$(PYTHON) -m pytest -m soak --timeout=0 $(ARGS)

bench: tools ## measure side by side, each file of bench/ in a process of its own (ARGS="churn" for some)
	@scripts/bench $(ARGS)

shots: tools ## every page of the demonstration as a picture, in build/screenshots (ARGS="--modes phone" for some)
	@$(PYTHON) scripts/screenshots $(ARGS)

golden: tools ## write the golden files again; read the difference before you commit it
	@SHUDU_GOLDEN=write $(PYTHON) -m pytest -q -k golden

lock: ## compile the locks from pyproject.toml (needs uv; ARGS="--upgrade" for newer versions)
	@locks/compile $(ARGS)

clean: ## remove what can be made again, but not .home
	@rm -rf .venv build web/node_modules src/shudu/site/built .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
