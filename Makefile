# make demo     train a small teacher and distil it into a student, here and now, on the CPU
# make papers   train the four papers' comparisons on the digits and write one report
# make papers-cifar  the same on synthetic CIFAR-100, ResNet-20 to ResNet-8; hours on a CPU
# make test     the whole test suite        (ARGS="-k nkd -x" is passed on to pytest)
# make configs  build every config and train it for two steps on made-up images; takes long (ARGS='"digits/*"')
# make docs     the documentation site, docs/_build/html/index.html; a dead link is an error
# make lint     style, types and the direction of imports, as CI checks them
# make format   let ruff put the style right
# make audit    known vulnerabilities of the pinned dependencies, and their licenses
# make clean    remove the environment and the caches; work_dirs/ stays
#
# All you need is make and Python 3.10 or newer. The first use of any target makes .venv and installs
# the pinned requirements there; after that it is done again only when they change.
# Another Python: make test PYTHON=python3.12 VENV=.venv312

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Processes of make configs.
JOBS ?= 2

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -qq
SUM := $(shell cat requirements.txt setup.py pyproject.toml | cksum | cut -d ' ' -f 1)
# There only after an install that went through to its end.
STAMP := $(VENV)/.installed-$(SUM)
# There while an install is under way, and after one that was interrupted; holds the number of its process.
PARTIAL := $(VENV)/.partial

# configs/digits/papers/*.py, in the order of the report
PAPERS := nkd tf_nkd generations generations_transfer online online_diversity ipwd self
# configs/synthetic/papers/*.py
PAPERS_CIFAR := distillation online
SYNTHETIC := data/synthetic_cifar100

.PHONY: demo papers papers-cifar test configs docs lint format audit clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

demo: $(STAMP)
	@$(PY) tools/train.py configs/digits/demo.py

# Runs that are finished and unchanged are not run again. Two experiments at once: make -j2 papers
papers: $(PAPERS:%=papers-%)
	@$(PY) tools/report.py $(PAPERS:%=work_dirs/digits/papers/%) --output work_dirs/digits/papers --title "Four papers on the digits"

.PHONY: $(PAPERS:%=papers-%)
$(PAPERS:%=papers-%): papers-%: $(STAMP)
	@$(PY) tools/train.py configs/digits/papers/$*.py --together

# Finished runs are not run again. --amp: on a processor that computes in bfloat16 (AMX) in half the time
papers-cifar: $(PAPERS_CIFAR:%=papers-cifar-%)
	@$(PY) tools/report.py $(PAPERS_CIFAR:%=work_dirs/synthetic/papers/%) --output work_dirs/synthetic/papers --title "Four papers on synthetic CIFAR-100"

.PHONY: $(PAPERS_CIFAR:%=papers-cifar-%)
$(PAPERS_CIFAR:%=papers-cifar-%): papers-cifar-%: $(STAMP) $(SYNTHETIC)/cifar-100-python/meta
	@$(PY) tools/train.py configs/synthetic/papers/$*.py --amp

$(SYNTHETIC)/cifar-100-python/meta: | $(STAMP)
	@$(PY) tools/make_synthetic.py cifar100 $(SYNTHETIC) --train 10000 --test 5000

# Workers pay for a long run only: each imports torch first, and two of them on two cores save a sixth of
# the time of one. Hence here, not in pyproject.toml; a bare `pytest tests/losses` is one process. One
# thread each, or they fight for the cores.
test: $(STAMP)
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

configs: $(STAMP)
	@OMP_NUM_THREADS=1 $(PY) tools/smoke_configs.py --jobs $(JOBS) $(ARGS)

docs: $(STAMP)
	@$(PY) -m sphinx -q -W --keep-going -n -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "Written: docs/_build/html/index.html"

lint: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy cls_kd
	@$(VENV)/bin/lint-imports --no-logo

format: $(STAMP)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

# In an environment of its own: what pip-audit needs has pins of its own.
AUDIT := .venv-audit/bin
audit: $(STAMP)
	@[ -x $(AUDIT)/pip-audit ] || { $(PYTHON) -m venv .venv-audit; \
	  $(AUDIT)/python -m pip --disable-pip-version-check -qq install pip-audit==2.10.1 pip-licenses==5.5.5; }
	@$(AUDIT)/pip-licenses --python=$(PY) --format=markdown --with-urls --order=license
	@$(AUDIT)/pip-audit --requirement requirements.txt

clean:
	rm -rf $(VENV) .venv-audit build dist docs/_build docs/methods docs/api docs/project *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What an interrupted install left is thrown away: pip may take half a package for a whole one.
$(STAMP):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No '$(PYTHON)' here. Install Python 3.10 or newer, or name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "$$($(PYTHON) --version 2>&1) is too old: cls_kd needs Python 3.10 or newer." \
	    "Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) lacks its venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@if [ -e $(PARTIAL) ]; then \
	  if kill -0 $$(cat $(PARTIAL)) 2>/dev/null; then \
	    echo "Process $$(cat $(PARTIAL)) is installing into $(VENV): wait for it, or remove $(VENV)." >&2; exit 1; fi; \
	  echo "Removing $(VENV), left by an interrupted install."; rm -rf $(VENV); fi
	@mkdir -p $(VENV) && echo $$PPID > $(PARTIAL) && rm -f $(VENV)/.installed-*
	@[ -x $(PY) ] || { echo "Making $(VENV) with $$($(PYTHON) --version)."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing requirements.txt into $(VENV). The first time, pip downloads several GB (PyTorch with"
	@echo "its CUDA libraries), which takes minutes; it prints nothing unless something fails."
	@$(PIP) install -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@rm -f $(PARTIAL) && touch $@
	@echo "Installed."
