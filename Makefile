# Everything a newcomer types. The virtual environment is made on first use.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: demo test lint bench chaos clean

.venv: requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes -r requirements.lock
	touch .venv

demo: .venv
	$(RUN) manage.py demo $(if $(ONCE),--once)

test: .venv
	$(RUN) -m pytest

lint: .venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	@$(RUN) -m tests.advisories

bench: .venv
	$(RUN) -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE))

chaos: .venv
	$(RUN) -m tests.chaos --rounds $(or $(ROUNDS),30) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf .venv .astronote .pytest_cache .ruff_cache
