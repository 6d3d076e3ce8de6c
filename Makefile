# Everything a developer does. `make` alone lists it. Works as root and as an ordinary user, with PostgreSQL installed or not.
SHELL  := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Where `make demo` and `make db-up` keep their data (as root and out of the server account's reach: under /var/lib/fsmstore-dev).
DB_DIR ?= .fsmstore/db
NAME   ?=
DSN    ?=
ARGS   ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint db-up db-install migrate rollback freeze verify bench mutants soak

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One environment, filled in two steps, so that the demo does not wait for test tools. A fresh stamp means: nothing to install.
define INSTALL
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed (set PYTHON=...)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing fsmstore[$(EXTRAS)] into $(VENV) (once; later runs skip this)"
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@
endef

$(VENV)/.demo: EXTRAS := demo
$(VENV)/.demo: pyproject.toml constraints.txt
	$(INSTALL)

$(VENV)/.dev: EXTRAS := test,lint,bench
$(VENV)/.dev: pyproject.toml constraints.txt
	$(INSTALL)
	@touch $(VENV)/.demo

demo: $(VENV)/.demo ## Play a whole purchase conversation, with a worker killed half-way
	$(BIN)/fsmstore demo --data "$(DB_DIR)" $(ARGS)

test: $(VENV)/.dev ## Run all tests on a server of their own (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term $(if $(ARGS),$(ARGS),--cov-fail-under=95)

lint: $(VENV)/.dev ## Check style and types of Python and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/squawk --config .squawk.toml migrations/*/up.sql
	$(BIN)/sqlfluff lint --processes 2 db

db-up: $(VENV)/.demo ## Run a PostgreSQL for development in the foreground and print its DSN
	$(BIN)/fsmstore dev-db --data "$(DB_DIR)"

db-install: need-dsn ## Install db/ by plain psql into DSN=...
	@psql=$$(command -v psql || $(BIN)/python -c 'from fsmstore.devdb import find_bin; print(find_bin() / "psql")'); \
	"$$psql" --no-psqlrc --quiet -1 -v ON_ERROR_STOP=1 -f db/install.sql -d "$(DSN)"

migrate: need-dsn $(VENV)/.demo ## Apply the migrations to DSN=...
	@$(BIN)/fsmstore migrate --dsn "$(DSN)"

rollback: need-dsn $(VENV)/.demo ## Roll the newest migration of DSN=... back
	@$(BIN)/fsmstore migrate --rollback 1 --dsn "$(DSN)"

freeze: $(VENV)/.dev ## Write db/ as a migration (NAME=what_it_does after the first release)
	$(BIN)/python tools/freeze.py $(NAME) $(ARGS)

verify: $(VENV)/.dev ## Check that migrations/ and db/ say the same, there and back
	$(BIN)/python tools/verify.py

bench: $(VENV)/.dev ## Measure what a save costs (QUICK=1 for a look)
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(ARGS)

soak: $(VENV)/.dev ## Faults under load for MINUTES=5 and a check of every history (more faults as root)
	PYTHONPATH=tests $(BIN)/python -m support.chaos --minutes $(or $(MINUTES),5) $(ARGS)

mutants: $(VENV)/.dev ## Plant every fault of tests/support/mutant_list.py; some test must fail for each
	FSMSTORE_MUTANTS=all $(BIN)/python -m pytest -q -n 2 tests/mutants $(ARGS)

.PHONY: need-dsn
need-dsn:
	@test -n "$(DSN)" || { echo 'say where: make $(MAKECMDGOALS) DSN="postgresql://USER@HOST/DATABASE"'; exit 2; }

.PHONY: mutants-client
mutants-client: $(VENV)/.dev ## Put faults into the client, see that tests find them (MODULES="retry cache")
	$(BIN)/python tools/mutate_client.py $(MODULES)
