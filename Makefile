# Two commands do all set-up on a fresh Linux machine with Python 3.11, make and git: `make up` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock

# uv does not read pip's settings: hand it the folder of local wheels (torch's CPU build) that pip is set up with, if any
FIND_LINKS := $(or $(UV_FIND_LINKS),$(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
export UV_FIND_LINKS := $(FIND_LINKS)
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help install up down test check format lock check-lock schema clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.ready: $(LOCK) pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or say make PYTHON=/path/to/python3.11"; exit 2; }
	@start=$$(date +%s); \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	sed -n '/^uv==/,/[^\\]$$/p' $(LOCK) > $(VENV)/uv.lock && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock && \
	{ $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK) || { echo "make: the locked packages could not be installed. If the error above names torch: its CPU build is not on PyPI; set PIP_FIND_LINKS to a folder or page that holds $$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' $(LOCK))"; exit 1; }; } && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . && \
	touch $@ && echo "installed in $$(( $$(date +%s) - start )) s"

install: $(VENV)/.ready  ## make .venv with everything locked

up: $(VENV)/.ready  ## run the demo: Postgres, Airflow, logs, replays, alerts; Ctrl-C stops it
	@$(BIN)/llmmon up --config $(or $(LLMMON_CONFIG),dags/llmmon.toml)

down: $(VENV)/.ready  ## stop everything that `make up` started
	@$(BIN)/llmmon down

test: $(VENV)/.ready  ## run the whole test suite
	@sh .ci/test-tools
	@$(BIN)/python -m pytest

check: $(VENV)/.ready check-lock  ## lint, types, import layers, fresh schema and lock
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m llmmon.store.snapshot --check
	$(BIN)/python -m llmmon.store.grants --check

format: $(VENV)/.ready  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(VENV)/.ready  ## write sql/schema.sql and sql/grants.golden anew
	$(BIN)/python -m llmmon.store.snapshot
	$(BIN)/python -m llmmon.store.grants

UV_COMPILE = uv pip compile pyproject.toml --quiet --all-extras --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links

lock: $(VENV)/.ready  ## lock every dependency anew (UPGRADE=1 takes newer versions)
	$(BIN)/$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --output-file $(LOCK) > /dev/null

check-lock: $(VENV)/.ready
	@cp $(LOCK) $(VENV)/fresh.lock && $(BIN)/$(UV_COMPILE) --output-file $(VENV)/fresh.lock > /dev/null && \
	diff -u $(LOCK) $(VENV)/fresh.lock || { echo "make: $(LOCK) is stale; run make lock"; exit 1; }

clean: down  ## stop, and remove what `make up` made (the virtual environment stays)
	rm -rf .llmmon
