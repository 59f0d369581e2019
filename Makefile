PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
unexport PYTHONDONTWRITEBYTECODE # or each process of the tests compiles everything again

.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## .venv with every extra; .venv/bin/ailb is the command line

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	@echo 'fetching some 150 packages (800 MB when they are in place), which may take minutes'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[uvicorn,postgres,redis,otel,rag,dev]'
	touch $(READY)

run: install ## set up and serve on http://127.0.0.1:8080
	$(BIN)/ailb serve

test: install ## set up and pass the tests
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

check: install ## lint, format, types, and the default configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/ailb check

format: install ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## measure beside the bare floor (needs nginx with lua, and wrk)
	$(BIN)/python -m benchmarks

soak: install ## ask 2.5 million times and see what stays behind: hours (needs nginx with lua, and wrk)
	$(BIN)/python -m benchmarks.soak

clean: ## remove what was built
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help install run test check format bench soak clean
