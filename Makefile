# Commands of the project; `make` lists them. Needs make and Python 3.11 or newer: the rest goes into .boot and .venv.
# Targets are relative paths only, because make can't handle the space that the path of the checkout may hold.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
UV := .boot/bin/uv
DEMO_ARGS ?=
LOCK_ARGS ?=
TEST_ARGS ?=
TORTURE_ARGS ?=

export UV_PYTHON_DOWNLOADS := never

# Package caches lie below HOME; an account without a usable one gets one in .boot.
ifneq ($(shell test -w "$$HOME" || echo unusable),)
export HOME := $(CURDIR)/.boot/home
endif

.DEFAULT_GOAL := help
.PHONY: help demo up down compose-up compose-down test test-docker test-localstack test-spark test-trino spark-job test-fast test-long torture lint format docs lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: .venv/.synced ## Start everything, run the main job, prove the result (DEMO_ARGS=--stop stops it afterwards)
	$(BIN)/lakehouse demo $(DEMO_ARGS)

up: .venv/.synced ## Start the local stack in the background
	$(BIN)/lakehouse up --detach

down: .venv/.synced ## Stop the local stack; its data stays
	$(BIN)/lakehouse down

compose-up: ## Start everything in containers, and run the demo there
	PROJECT="$(CURDIR)" docker compose -f docker/compose.yaml --profile all up --build --detach --wait
	PROJECT="$(CURDIR)" docker compose -f docker/compose.yaml --profile all --profile demo run --rm demo

compose-down: ## Delete the containers with their data
	PROJECT="$(CURDIR)" docker compose -f docker/compose.yaml --profile '*' down --volumes

test: .venv/.synced ## Run all tests, and show the time of each level (TEST_ARGS=unit runs one level)
	$(BIN)/python -m tests.run $(TEST_ARGS)

test-fast: .venv/.synced ## Run the unit tests
	$(BIN)/python -m pytest tests/unit -n 2

test-long: .venv/.synced ## Run what takes long: 1,000 examples of each model, failing storage, all of the merges on S3
	$(BIN)/python -m pytest tests/long tests/unit/test_merge_model.py -n 2 --dist loadfile --hypothesis-profile=long --timeout=7200

test-docker: .venv/.synced ## Build the image and run flows in it, where a container engine answers (DOCKER_ARGS="--build-arg ...")
	$(BIN)/python -m pytest tests/docker

test-localstack: .venv/.synced ## Run the tests of loads from S3 against LocalStack, where there is Python 3.13
	$(BIN)/python -m tests.localstack.run

test-spark: .venv/.synced ## Run the tests of the Spark engine, where there is Java 17
	$(BIN)/python -m tests.spark.run

test-trino: .venv/.synced ## Run the tests of reading with Trino (downloads 800 MB the first time)
	$(BIN)/python -m tests.trino.run

spark-job: .venv/.synced ## Pack what the Spark job needs into .boot/spark-job (docs/spark.md)
	$(BIN)/python -m deployments.spark.package .boot/spark-job --uv $(UV) $(SPARK_ARGS)

torture: .venv/.synced ## Prove that no fault loses or doubles a row (TORTURE_ARGS="--faults 50 --seed 7")
	$(BIN)/python -m tests.crash.torture $(TORTURE_ARGS)

lint: .venv/.synced ## Check format, types, layers, deployments, SQL, YAML, spelling, secrets, dependencies and generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy docs/generate.py tests/run.py
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry --no-ansi .
	$(BIN)/python -m deployments.validate
	$(BIN)/sqlfluff lint --disable-progress-bar dbt
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/yamllint --strict .
	git ls-files -z | xargs -0 $(BIN)/codespell
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
	$(BIN)/python docs/generate.py --check

format: .venv/.synced ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --disable-progress-bar dbt

docs: .venv/.synced ## Write the generated pages: settings, commands, events, .env.example
	$(BIN)/python docs/generate.py

lock: $(UV) ## Renew requirements.lock from pyproject.toml (LOCK_ARGS=--upgrade takes the newest versions)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --all-extras --group dev pyproject.toml -o requirements.lock $(LOCK_ARGS)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --extra docker --extra ecs -c requirements.lock pyproject.toml \
		-o docker/requirements.lock
	$(UV) pip compile --quiet --python-version 3.13 --exclude-newer 2026-03-01T00:00:00Z --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" tests/localstack/requirements.in \
		-o tests/localstack/requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" -c requirements.lock deployments/spark/requirements.in \
		-o deployments/spark/requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" tests/spark/requirements.in \
		-o tests/spark/requirements.lock

clean: ## Stop the stack; remove the environment and caches (your data in .lakehouse stays)
	if test -x $(BIN)/lakehouse; then $(BIN)/lakehouse down || echo "the stack may still run" >&2; fi
	rm -rf .venv .boot .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	rm -rf dbt/target dbt/logs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is exactly the lock; the project itself is installed on top, editable.
.venv/.synced: requirements.lock pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# uv is installed by pip at the version and hashes of the lock: into a virtual environment where Python can make one,
# else (Debian splits ensurepip off) into a plain folder.
$(UV):
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed. hint: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@mkdir -p .boot/home
	@sed -n '/^uv==/,/# via/p' requirements.lock > .boot/uv.txt
	@if "$(PYTHON)" -m ensurepip --version >/dev/null 2>&1; then \
		"$(PYTHON)" -m venv .boot && .boot/bin/python -m pip install --quiet --require-hashes -r .boot/uv.txt; \
	elif "$(PYTHON)" -m pip --version >/dev/null 2>&1; then \
		"$(PYTHON)" -m pip install --quiet --target .boot --upgrade --require-hashes -r .boot/uv.txt; \
	else \
		echo '$(PYTHON) has neither venv nor pip. hint: on Debian or Ubuntu, apt install python3-venv' >&2; exit 1; \
	fi
