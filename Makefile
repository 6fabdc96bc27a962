# Everything here needs only Python, pip and make; the rest goes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
PYTEST = $(BIN)/python -m pytest

.PHONY: help setup demo test test-all test-quick-choose slow coverage lint type notebooks docs bench bench-scale build check clean \
	train-queue train-queue-status train-queue-checkpoint train-queue-pause train-queue-continue train-queue-stop

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 24

setup: $(VENV)/.stamp  ## create .venv with graphclust and its tools

# torch first and alone: a range would fetch builds for graphics cards that this project does not need to be tested
$(VENV)/.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/graphclust warm
	@touch $@

demo: setup  ## find the communities of a bundled graph
	@mkdir -p demo
	$(BIN)/graphclust detect data:karate --quiet
	$(BIN)/graphclust detect data:karate --manifest demo/manifest.json --report demo/karate.html --out demo/karate.tsv
	$(BIN)/graphclust evaluate demo/karate.tsv --truth data/karate.labels.tsv --graph data:karate
	$(BIN)/graphclust compare data:planted --truth data/planted.labels.tsv
	@echo "Open demo/karate.html in a browser."

test: setup  ## run the quick tests, which reach every line that test-all reaches
	$(PYTEST) -n auto -m "not slow" --quick

test-all: setup  ## run all tests but the slow ones
	$(PYTEST) -n auto -m "not slow"

test-quick-choose: setup  ## choose again which tests are left out of make test
	$(BIN)/python -m tests.quick

# without setup: a GPU needs another build of torch; elsewhere: make test-cuda PYTEST="python -m pytest"
.PHONY: test-cuda
test-cuda:  ## run the tests that need a GPU
	$(PYTEST) -m cuda tests/test_cuda.py

slow: setup  ## run all tests, including the slow ones
	$(PYTEST)

coverage: setup  ## run the tests and show the share of lines that they reach
	$(PYTEST) -n auto -m "not slow" --cov=graphclust --cov-report=term

lint: setup  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup  ## mypy --strict
	$(BIN)/mypy --num-workers 2

notebooks: setup  ## execute the notebooks in place
	$(BIN)/jupyter execute --inplace --timeout=120 notebooks/*.ipynb

docs: setup  ## build the site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench-scale: setup  ## run 30 million edges with a quarter of the memory and on a cluster; takes an hour
	$(BIN)/python tests/bench/scale.py
	$(BIN)/python tests/bench/scale.py --method auto
	$(BIN)/python tests/bench/scale.py --strings
	$(BIN)/python tests/bench/scale.py --cluster 2 4
	$(BIN)/python tests/bench/scale.py --cluster 4 --kill
	$(BIN)/python tests/bench/scale.py --method label-propagation

bench: setup  ## measure times relative to pandas and igraph in the same run
	$(BIN)/python tests/bench/foundation.py
	$(BIN)/python tests/bench/reading.py
	$(BIN)/python tests/bench/random_graphs.py
	$(BIN)/python tests/bench/livejournal.py
	$(BIN)/python tests/bench/lfr.py
	$(BIN)/python tests/bench/amortized.py
	$(BIN)/python tests/bench/communities.py
	$(BIN)/python tests/bench/networkx_backend.py
	$(BIN)/python tests/bench/cells.py
	$(BIN)/python tests/bench/infomap.py
	$(BIN)/python tests/bench/block_models.py
	$(BIN)/python tests/bench/auto.py
	$(BIN)/python tests/bench/proposals.py
	$(BIN)/python tests/bench/clam.py
	$(BIN)/python tests/bench/cnc.py
	$(BIN)/python tests/bench/lnscc.py
	$(BIN)/python tests/bench/study.py
	$(BIN)/python tests/bench/start_up.py

# only the training needs what setup installs: the rest answers at once, also while pyproject.toml is edited
QUEUE = $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m training.queue
SHARED_DATA = $(abspath $(wildcard ../shared/data))

train-queue: setup  ## train the published models of training/queue.toml, one after another
	@$(if $(SHARED_DATA),GRAPHCLUST_DATA="$${GRAPHCLUST_DATA:-$(SHARED_DATA)}") $(QUEUE) run

train-queue-status:  ## show the progress of each model
	@$(QUEUE) status

train-queue-checkpoint:  ## write a state of the current model that can be committed
	@$(QUEUE) checkpoint

train-queue-pause:  ## stop the queue where it is, until train-queue-continue
	@$(QUEUE) pause

train-queue-continue:  ## let a paused queue go on
	@$(QUEUE) continue

train-queue-stop:  ## end the queue after the current training step
	@$(QUEUE) stop

build: setup  ## build the wheel and test it in a new environment
	$(BIN)/python -m build --wheel --outdir dist
	$(BIN)/python tests/bench/wheel.py dist

check: lint type test-all  ## what CI runs: ruff, mypy, all tests but the slow ones

clean:  ## remove everything that can be rebuilt
	rm -rf $(VENV) build dist demo site *.egg-info .pytest_cache .mypy_cache .ruff_cache
