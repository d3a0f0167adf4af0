# The one vocabulary: people, hooks and CI run these targets.
#   make demo     from a clone to a served model, on this machine
#   make test     the whole test suite
#   make check    ruff, mypy, import-linter, and cfn-lint on the synthesized templates
#   make audit    what every role may do and did, and what cdk-nag, cfn-lint and checkov say
#   make experiments  the SageMaker SDK, which slipway experiment needs (700 MiB)
#   make test-long    more models through the whole pipeline than make test has the time for
#   make test-experiments  its tests, which ask for it
#   make permissions  take every permission away and give back what the runs fail without (half an hour)
#   make lock     after a change of a requirements*.in or package.json

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
# Without byte-code each of the many processes of a test compiles what it imports: a second for every command.
unexport PYTHONDONTWRITEBYTECODE
export SLIPWAY_DEMO_STARTED := $(shell date +%s)
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# What IAM decided in the last run of the tests.
DECISIONS := $(CURDIR)/build/decisions.jsonl
RECORDED = mkdir -p build && rm -f $(DECISIONS) && LOCAL_CLOUD_DECISIONS=$(DECISIONS) python -m pytest
# A worker takes whole files, and the suite waits more than it computes.
SIDE_BY_SIDE := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: setup demo test check lint templates audit findings permissions experiments test-experiments test-long lock benchmark benchmark-gate benchmark-rollout clean

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
	@$(RECORDED) $(SIDE_BY_SIDE)

check: setup
	@$(MAKE) --no-print-directory --jobs 2 lint templates

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

# checkov pins a boto3 of its own, so it lives apart.
build/checkov/.installed: audit/requirements-checkov.txt $(VENV)/.installed
	@echo "Setting up checkov ..."
	@uv venv --quiet --clear build/checkov
	@VIRTUAL_ENV=build/checkov uv pip install --quiet --require-hashes -r audit/requirements-checkov.txt
	@touch $@

# The SageMaker SDK's pins conflict with ours, so it lives apart.
build/experiments/.installed: requirements-experiments.txt $(VENV)/.installed
	@echo "Setting up the SageMaker SDK ..."
	@uv venv --quiet --clear build/experiments
	@VIRTUAL_ENV=build/experiments uv pip install --quiet --require-hashes -r requirements-experiments.txt
	@touch $@

experiments: setup build/experiments/.installed

test-long: setup
	@python -m pytest -m long tests/test_delivery_line.py tests/test_rollout.py tests/test_serverless.py

test-experiments: experiments
	@python -m pytest -m experiments tests/slipway/test_experiment_trainer.py tests/test_experiments.py

# The audit of a fresh run of the whole pipeline.
audit: setup
	@$(RECORDED) tests/test_delivery_line.py
	@$(MAKE) --no-print-directory findings

# The audit of what the last test run recorded.
findings: setup build/checkov/.installed
	@python -m audit --decisions $(DECISIONS)

permissions: setup
	@python -m audit.necessity

lock:
	$(LOCK) requirements-bootstrap.in -o requirements-bootstrap.txt
	$(LOCK) model_code/requirements.in -o model_code/requirements.txt
	$(LOCK) pipeline_steps/requirements.in -o pipeline_steps/requirements.txt
	$(LOCK) pipeline_steps/verification/requirements.in -c pipeline_steps/requirements.txt -o pipeline_steps/verification/requirements.txt
	$(LOCK) pipeline_steps/report/requirements.in -c pipeline_steps/requirements.txt -o pipeline_steps/report/requirements.txt
	$(LOCK) infra/requirements.in -o infra/requirements.txt
	$(LOCK) tests/model_code/requirements.in -c model_code/requirements.txt -o tests/model_code/requirements.txt
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	$(LOCK) audit/requirements-checkov.in -o audit/requirements-checkov.txt
	$(LOCK) requirements-experiments.in -o requirements-experiments.txt
	npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

benchmark: setup
	@python -m benchmarks.overhead

benchmark-gate: setup
	@python -m benchmarks.gate

benchmark-rollout: setup
	@python -m benchmarks.rollout

clean:
	rm -rf $(VENV) node_modules build cdk.out
