# `make demo` and `make test` set everything up from nothing; see README.md.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-all check format bench clean help

help:            ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/  /'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rlar needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train,serve]'
	touch $(STAMP)

demo: $(STAMP)   ## build a registry from examples/mix.jsonl, score, let a scripted LLM write a tool, train a tiny model
	rm -rf demo && mkdir demo
	$(BIN)/rlar agent build-tools --llm none --dataset examples/mix.jsonl --registry demo/registry.db --report demo/report
	$(BIN)/rlar score --registry demo/registry.db --input examples/completions.jsonl --output demo/scored.jsonl
	$(BIN)/python examples/show_scores.py demo/scored.jsonl
	$(BIN)/python examples/agent_demo.py demo/agent
	$(BIN)/python examples/train_demo.py demo/train --baseline

test: $(STAMP)   ## the test suite without the slow part (about 3 minutes)
	$(BIN)/python -m pytest -n 2 -m "not slow and not studio and not network and not gpu"

test-all: $(STAMP) ## every test that this machine can run
	RLAR_EXAMPLES=all $(BIN)/python -m pytest -n 2 --cpu-limit 0 -m "not network and not gpu"

check: $(STAMP)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## apply style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## timed comparisons (minutes)
	$(BIN)/python benchmarks/sandbox.py
	$(BIN)/python benchmarks/discovery.py

clean:           ## remove the environment and everything made
	rm -rf $(VENV) demo report registry.db* build dist *.egg-info
