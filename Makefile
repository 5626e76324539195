# Each target has a line of help: `make help`.
PYTHON ?= python3
BIN    := .venv/bin
TOOLS  := .tools/bin

.DEFAULT_GOAL := help
.PHONY: help setup run demo test lint bench soak lock audit sbom docs clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/dev ## Make .venv/ (Python packages) and .tools/ (the real programs; needs npm, Go and a C compiler)
	@$(PYTHON) tools/install.py

run: .venv/runtime ## Run the authorizer with an embedded PDP on the example (needs npm, no Go)
	@$(PYTHON) tools/install.py cerbos
	@$(BIN)/python tools/run.py

demo: .venv/runtime ## Run the whole chain with Kratos and Oathkeeper; CHECK=1 walks the scenario and judges
	@$(PYTHON) tools/install.py
	@$(BIN)/python tools/demo.py $(if $(CHECK),--check)

test: setup lint ## Pass all tests, the chain through the real programs included (needs Linux, npm, Go and a C compiler)
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: .venv/dev ## Check style, types, the direction of imports, and the Dockerfile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/hadolint Dockerfile

bench: .venv/dev ## Measure decisions, and loading, matching and reloading many routes, and an overload (25 minutes; needs wrk)
	@$(PYTHON) tools/install.py cerbos oathkeeper vegeta
	@$(BIN)/python bench/decisions.py
	@$(BIN)/python bench/routing.py
	@$(BIN)/python bench/reload.py
	@$(BIN)/python bench/overload.py

soak: .venv/dev ## Soak a service for 10 minutes, with faults, reloads and renewals meanwhile (needs Linux)
	@$(PYTHON) tools/install.py cerbos toxiproxy vegeta
	@$(BIN)/python bench/soak.py

# They are built from what the tests are built from.
bench soak: export PYTHONPATH := tests

docs: .venv/dev ## Write the generated pages of docs/ anew
	@$(BIN)/python -m authorizer.config.reference docs/configuration.md

lock: .venv/dev ## Lock the Python packages anew, as pyproject.toml asks for them
	@tools/lock

audit: .venv/dev ## Ask for known flaws in what is shipped; without a network it only says so
	@$(BIN)/python tools/audit.py

sbom: .venv/dev ## List what is shipped in dist/sbom.json (CycloneDX), from the lock file
	@mkdir -p dist
	@PYTHONWARNINGS=ignore $(BIN)/uvx --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements \
		--pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json \
		requirements/runtime.txt

clean: ## Remove what the other targets made here; built programs stay in ~/.cache/oathkeeper-cerbos-authorizer
	rm -rf .venv .tools .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp for each set of packages, renewed when its lock file is.
.venv/runtime: requirements/runtime.txt pyproject.toml
	@$(PYTHON) tools/environment.py runtime
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml
	@$(PYTHON) tools/environment.py dev
	@touch $@ .venv/runtime
