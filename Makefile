# Everything is made from the locked, hashed requirements; nothing else is downloaded.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
# The first of these that runs and is a proved version makes the environment: the whole suite ran
# on each with the lock's dependencies.
CANDIDATES := $(PYTHON) python3.11 /usr/bin/python3.11 python3.12 python3.13 python3 /usr/bin/python3
PROVED := (3, 11), (3, 12), (3, 13)
# Tests and the demonstration never see the caller's keys or Prefect.
ALONE := env $$(env | sed -nE 's/^((APCA|PREFECT|MULTI_TRADER)_[A-Za-z0-9_]*)=.*/-u \1/p')
PYTEST := $(ALONE) $(PY) -m pytest -n 2 --dist loadgroup

# The size of a whole proof; BUGS is how many seeds each planted bug may survive, EVERY which
# boundaries crash: 1 is all.
SEEDS ?= 10000
EVERY ?= 1
KILLS ?= 50
RUNS ?= 1000
FILLS ?= 1000000
MUTATIONS ?= 1000000
BUGS ?= 1000
ROUNDS ?= 3

.PHONY: help install demo test test-thorough test-all prove bench bench-peers lint up down

help:  ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 23

install: $(INSTALLED)  ## make .venv from requirements.lock

demo: $(INSTALLED)  ## a whole session through Prefect on the simulator (BARS= SOURCE= DATE= CONFIG=)
	@$(ALONE) $(PY) -m flows.server demo $(if $(CONFIG),--config '$(CONFIG)') \
	  $(if $(BARS),--bars '$(BARS)') $(if $(SOURCE),--source '$(SOURCE)') $(if $(DATE),--date '$(DATE)')

test: $(INSTALLED)  ## the fast tests, offline, without keys: under three minutes
	@$(PYTEST) -m "not slow and not thorough"

test-thorough: $(INSTALLED)  ## the tests of a second or more each; CI runs both
	@$(PYTEST) -m "thorough and not slow"

test-all: $(INSTALLED)  ## both, and the long proofs
	@$(PYTEST)

prove: $(INSTALLED)  ## prove the books true under every fault (SEEDS= KILLS= RUNS= FILLS= MUTATIONS= BUGS= EVERY=)
	@$(ALONE) $(PY) -m tests.proof --seeds $(SEEDS) --every $(EVERY) --kills $(KILLS) --runs $(RUNS) \
	  --fills $(FILLS) --mutations $(MUTATIONS) --bugs $(BUGS)

bench: $(INSTALLED)  ## what ours costs: backtest, wire to orders, journal, loads (ROUNDS=)
	@$(ALONE) $(PY) -m benchmarks.backtest --rounds $(ROUNDS)
	@$(ALONE) $(PY) -m benchmarks.wire --rounds $(ROUNDS)
	@$(ALONE) $(PY) -m benchmarks.truth --rounds $(ROUNDS)
	@$(ALONE) $(PY) -m benchmarks.warehouse --sessions 25

bench-peers: $(INSTALLED)  ## other engines on the same work, beside ours (ROUNDS= ENGINES= CASES=)
	@$(ALONE) $(PY) -m benchmarks.peers --rounds $(ROUNDS) \
	  $(if $(ENGINES),--only $(ENGINES)) $(if $(CASES),--case $(CASES))
	@$(if $(ENGINES)$(CASES),true,$(ALONE) $(PY) -m benchmarks.peers.alone --rounds $(ROUNDS))

lint: $(INSTALLED)  ## ruff and mypy
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

up: $(INSTALLED)  ## start Prefect (server, UI, worker, deployments) and leave it running
	@$(PY) -m flows.server up

down: $(INSTALLED)  ## end running sessions and stop what `make up` started
	@$(PY) -m flows.server down

# The stamp is a copy of the lock: a lock that was only touched installs nothing again.
$(LOCKED): requirements.lock
	@if cmp -s requirements.lock $@; then touch $@; exit; fi; \
	for python in $(CANDIDATES); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ($(PROVED),))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Multi-Trader needs Python 3.11, 3.12 or 3.13, where its locked dependencies are proved: install one, or name it with 'make PYTHON=/path/to/python3.13'." >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) from requirements.lock with $$found; this takes a minute or a few." >&2; \
	rm -f $(LOCKED) $(INSTALLED) && rm -rf $(VENV) && \
	{ "$$found" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$$found cannot make a virtual environment: install its venv package (Debian: python3-venv)." >&2; exit 1; }; } && \
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock && \
	cp requirements.lock $@

$(INSTALLED): $(LOCKED) pyproject.toml
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . && touch $@
