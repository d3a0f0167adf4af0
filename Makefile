# The one vocabulary: people, hooks and CI run these targets.
#   make demo     from a clone to a served model, on this machine
#   make test     the whole test suite
#   make check    ruff, mypy, import-linter, and cfn-lint on the synthesized templates
#   make lock     after a change of a requirements*.in or package.json

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export SLIPWAY_DEMO_STARTED := $(shell date +%s)
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: setup demo test check lint templates lock benchmark clean

setup: $(VENV)/.installed node_modules/.installed

$(VENV)/.installed: requirements-bootstrap.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Slipway needs Python 3.11 or newer, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	@VIRTUAL_ENV=$(VENV) uv pip install --quiet --require-hashes -r requirements-dev.txt
	@VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps --editable .
	@touch $@

node_modules/.installed: package-lock.json $(VENV)/.installed
	@echo "Setting up the CDK CLI ..."
	@npm ci --silent --no-audit --no-fund
	@touch $@

demo: setup
	@slipway demo

test: setup
	@python -m pytest

check: setup lint templates

lint:
	ruff check .
	ruff format --check .
	mypy
	lint-imports

# The templates of AWS and of the local overlay, as they would be deployed.
templates:
	@rm -rf build/templates
	CDK_OUTDIR=build/templates/aws python app.py
	SLIPWAY_OVERLAY=local CDK_OUTDIR=build/templates/local python app.py
	cfn-lint build/templates/*/*.template.json build/templates/*/assembly-*/*.template.json

lock:
	$(LOCK) requirements-bootstrap.in -o requirements-bootstrap.txt
	$(LOCK) model_code/requirements.in -o model_code/requirements.txt
	$(LOCK) pipeline_steps/requirements.in -o pipeline_steps/requirements.txt
	$(LOCK) infra/requirements.in -o infra/requirements.txt
	$(LOCK) tests/model_code/requirements.in -c model_code/requirements.txt -o tests/model_code/requirements.txt
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

benchmark: setup
	@python -m benchmarks.overhead

clean:
	rm -rf $(VENV) node_modules build cdk.out
