# Everything a person types here: `make` prints the list.
# Settings of the site (KB_INSTANCE, KB_SECRET_KEY, ...) are read from the environment by kb itself.

PORT ?= 8000
VENV ?= .venv
export VENV

BIN := $(VENV)/bin
RUNTIME := $(VENV)/runtime.stamp
DEVELOPMENT := $(VENV)/development.stamp
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard translations/*/LC_MESSAGES/messages.po))

.PHONY: help run test check stress format venv messages translations lock clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: export KB_BASE_URL ?= http://127.0.0.1:$(PORT)
run: $(RUNTIME) translations  ## the site with demo content on http://127.0.0.1:8000 (PORT=8001 to change)
	@$(BIN)/kb migrate
	@$(BIN)/kb demo --if-empty
	@exec $(BIN)/kb serve --host 127.0.0.1 --port $(PORT)

test: $(DEVELOPMENT) translations  ## all tests, those in a real browser too
	@KB_CHROMIUM=$$(scripts/browser.sh) && export KB_CHROMIUM && $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(DEVELOPMENT) translations  ## format, lint, types, templates and catalogues, then all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python scripts/catalogues.py check
	$(MAKE) --no-print-directory test

stress: $(DEVELOPMENT) translations  ## long runs: kill -9 at every step that must not be half done; faults that tests must notice
	$(BIN)/python -m pytest stress --timeout=600
	$(BIN)/python -m stress.mutation --fresh

format: $(DEVELOPMENT)  ## put the code into our format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

venv: $(DEVELOPMENT)  ## .venv with everything for running and testing

messages: $(RUNTIME)  ## bring new messages of the pages into translations/
	$(BIN)/python scripts/catalogues.py update

translations: $(CATALOGUES)  ## compile the interface catalogues

%.mo: %.po | $(RUNTIME)
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

lock: $(RUNTIME)  ## write the lock files from pyproject.toml (LOCK_FLAGS=--upgrade for newer versions)
	scripts/lock.sh

clean:  ## remove what make made; the data in instance/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find translations -name '*.mo' -delete 2>/dev/null || true
	find . -name __pycache__ -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock pyproject.toml scripts/venv.sh
	@scripts/venv.sh requirements.lock
	@touch $@

$(DEVELOPMENT): requirements-dev.lock pyproject.toml scripts/venv.sh
	@scripts/venv.sh requirements-dev.lock
	@touch $@ $(RUNTIME)
