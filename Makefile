# Everything a newcomer types. The virtual environment is made on first use.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: help demo test test-fast lint docs bench chaos mutants clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.venv: requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes -r requirements.lock
	touch .venv

demo: .venv ## Run everything with invented data; ONCE=1 ends after the summary
	$(RUN) manage.py demo $(if $(ONCE),--once)

# Python keeps what it compiles: each process that a test starts would compile the project anew.
test test-fast: export PYTHONDONTWRITEBYTECODE =

test: .venv ## Run all tests
	$(RUN) -m pytest

test-fast: .venv ## Run the tests without browsers, processes, waits and very many inputs
	$(RUN) -m pytest --ignore tests/browser --ignore tests/end_to_end --ignore tests/tools \
		-m "not browser and not end_to_end and not chaos and not slow"

lint: .venv ## Check style, types, imports, documents and known weaknesses of packages
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(RUN) manage.py generate_docs --check
	@$(RUN) -m tests.support.advisories

docs: .venv ## Write the generated documents anew
	$(RUN) manage.py generate_docs

bench: .venv ## Measure beside the bare minimum; ONLY=send SIZE=10000 chooses
	$(RUN) -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE))

chaos: .venv ## Break a running installation and count violated rules; ROUNDS=200 SEED=1
	$(RUN) -m tests.chaos --rounds $(or $(ROUNDS),30) $(if $(SEED),--seed $(SEED))

mutants: .venv ## Break lines and see whether a test notices; SEED=1 SAMPLE=60
	$(RUN) -m tests.mutants $(if $(SEED),--seed $(SEED)) $(if $(SAMPLE),--sample $(SAMPLE))

clean: ## Remove the virtual environment, data and caches
	rm -rf .venv .astronote .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
