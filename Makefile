# The development loop of rackforge.gpu_cluster. `make help` lists what there is.
# Everything prepares itself: .venv and the collection link through scripts/setup, the test
# nodes through tests/lab.

# Scenarios of `make test`, begun in this order, the longest first; each cleans up after itself.
SCENARIOS ?= lifecycle monitoring gpu k3s convect preflight docker ray os_base default access

# Scenarios of `make test-slow`, which is run before a change of what they show is called done.
SLOW_SCENARIOS ?= membership upgrade upgrade_nodes maintenance operations k3s_ha k3s_maintenance k3s_workloads k3s_airgap firewall nvidia rocm ray_venv ssh

# How many of them run at a time. They wait for their nodes more than they compute.
JOBS ?= 2

# Test nodes of `make lab-up`.
NODES ?= 3
OS ?= debian13
NAME ?= lab
RUNTIME ?= container
GPUS ?=
GPU_MODEL ?= h100

# Sizes of the meshes of `make bench-mesh`.
MESH_NODES ?= 3,8

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Molecule 26 looks elsewhere unless told.
export MOLECULE_GLOB := molecule/*/molecule.yml
# A tool's colours and caches must not depend on who runs make.
export PY_COLORS := 0
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
unexport VIRTUAL_ENV

LAB := .venv/bin/python -m tests.lab
COLLECTION := ansible_collections.rackforge.gpu_cluster

##@ Everyday

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z_-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@printf '\nTest nodes: make lab-up NODES=5 OS=debian12 NAME=lab RUNTIME=container\n'
	@printf 'One scenario: make molecule SCENARIO=docker (or: make test SCENARIOS="docker ray")\n'

.PHONY: setup
setup: .venv/.ready-dev ## Prepare .venv with the pinned tools and the collection link

.PHONY: demo
demo: .venv/.ready-run ## Boot three test nodes, build a Ray cluster on them, run a real job
	@scripts/demo

.PHONY: clean
clean: ## Remove what the tools left (not .venv, not the lab's images)
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .ansible .cache/logs .cache/dist
	find . -path ./.venv -prune -o -path ./.lab -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Gates

# Two at a time: CI has two cores. Each gate's output stays together.
.PHONY: check
check: setup ## Every gate without test nodes: lint, types, docs, unit and contract tests
	@$(MAKE) --no-print-directory -j2 -k --output-sync=target \
	  unit ansible-lint types ruff yamllint docs-lint docs-fresh changelog-lint

.PHONY: lint
lint: setup ## Linters and types only
	@$(MAKE) --no-print-directory -j2 -k --output-sync=target ansible-lint types ruff yamllint

.PHONY: ruff
ruff: setup ## Python lint and format, without changing files
	ruff check .
	ruff format --check .

.PHONY: format
format: setup ## Let ruff fix and format the Python files
	ruff check --fix .
	ruff format .

# The plugins are checked under the name by which they import each other.
.PHONY: types
types: setup ## mypy --strict over plugins, tests and scripts
	scripts/types

.PHONY: yamllint
yamllint: setup ## YAML style
	yamllint --strict .

.PHONY: ansible-lint
ansible-lint: setup ## ansible-lint, profile production, nothing skipped
	ansible-lint --offline --strict

# Installs Debian's chromium where there is no browser; needs root for that.
.PHONY: browser
browser: setup ## The pages of preflight and of monitoring in headless Chromium
	@scripts/browser-setup
	pytest -q tests/browser

.PHONY: docs-lint
docs-lint: setup ## Documentation of plugins and roles
	antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .cache/collections/ansible_collections/rackforge/gpu_cluster

.PHONY: docs-fresh
docs-fresh: setup ## Generated tables equal what the code says
	.venv/bin/python scripts/generate_docs.py --check
	.venv/bin/python scripts/generate_dashboards.py --check

.PHONY: changelog-lint
changelog-lint: setup ## Changelog fragments
	antsibull-changelog lint

.PHONY: unit
unit: setup ## Unit and contract tests
	pytest -q tests/unit

.PHONY: contracts
contracts: setup ## Contract tests only
	pytest -q tests/unit/contracts

##@ Tests on nodes

.PHONY: test
test: setup ## check, then every scenario on test nodes; ends with 'N passed, N failed'
	@JOBS=$(JOBS) scripts/run-steps check browser $(addprefix molecule-,$(SCENARIOS))

.PHONY: molecule
molecule: setup ## One scenario: make molecule SCENARIO=docker
	@scripts/scenario $(or $(SCENARIO),default)

molecule-%: setup
	@scripts/scenario $*

.PHONY: test-slow
test-slow: setup ## What takes too long for every change: interruptions, and the scenarios SLOW_SCENARIOS
	@JOBS=$(JOBS) scripts/run-steps interruptions upgrade-interruptions $(addprefix molecule-,$(SLOW_SCENARIOS))

.PHONY: interruptions
interruptions: setup ## Kill runs at 20 task boundaries (half an hour; BOUNDARIES="provision:3,9 reset:5" for some)
	@.venv/bin/python -m tests.slow.interruptions $(if $(BOUNDARIES),--boundaries $(BOUNDARIES))

.PHONY: upgrade-interruptions
upgrade-interruptions: setup ## Kill upgrades of Ray, or cut a node's power, at POINTS (10) random points (an hour; SEED=7 repeats a draw)
	@.venv/bin/python -m tests.slow.upgrade_interruptions --count $(or $(POINTS),10) $(if $(SEED),--seed $(SEED))

.PHONY: mesh-soak
mesh-soak: setup ## Preflight with every port on healthy nodes, RUNS times (50): no run may find anything
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.slow.mesh_soak --runs $(or $(RUNS),50)

.PHONY: fuzz
fuzz: setup ## Feed 100,000 broken inputs to the parsers of GPU data
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.slow.fuzz

.PHONY: lab-up
lab-up: .venv/.ready-run ## Boot test nodes (NODES, OS, NAME, RUNTIME; GPUS, GPU_MODEL: simulated GPUs)
	@$(LAB) up --name $(NAME) --nodes $(NODES) --os $(OS) --runtime $(RUNTIME) \
	  $(if $(GPUS),--gpus $(GPUS) --gpu-model $(GPU_MODEL))

.PHONY: lab-down
lab-down: .venv/.ready-run ## Remove the test nodes of NAME
	@$(LAB) down --name $(NAME)

.PHONY: lab-status
lab-status: .venv/.ready-run ## Say which test nodes are up
	@$(LAB) status --name $(NAME)

##@ Documents and releases

.PHONY: docs
docs: setup ## Write what is generated: tables in docs, dashboards
	.venv/bin/python scripts/generate_docs.py
	.venv/bin/python scripts/generate_dashboards.py

.PHONY: bench
bench: .venv/.ready-run ## Measure, and write docs/benchmarks.md
	.venv/bin/python -m tests.bench --nodes $(NODES)

.PHONY: bench-gpu
bench-gpu: setup ## Time gpu_info beside an empty module, and the parsers
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.bench.gpu_info

.PHONY: bench-callback
bench-callback: setup ## Time the callback of progress beside Ansible's default callback
	@.venv/bin/python -m tests.bench.callback

.PHONY: bench-k3s
bench-k3s: setup ## Time provisioning k3s beside k3s-ansible (PEER=checkout INSTALL=install.sh ANSIBLE=ansible-playbook)
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.bench.k3s_peer --peer $(PEER) --install-script $(INSTALL) \
	  $(if $(ANSIBLE),--ansible-playbook $(ANSIBLE)) --contenders ours,peer

.PHONY: bench-day-two
bench-day-two: setup ## Time growing a Ray cluster by one node, and status.yml (lab nodes; half an hour)
	@.venv/bin/python -m tests.bench.day_two

# Beside nmap where it is installed. Figures are printed; nothing is decided by them.
.PHONY: bench-mesh
bench-mesh: setup ## Time the port mesh: one pair beside nmap and a plain loop, then whole meshes
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.bench.mesh pair --rounds 7
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.bench.mesh pair --rounds 1 --dropped
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.bench.mesh pair --rounds 1 --udp
	@PYTHONPATH=.cache/collections .venv/bin/python -m tests.bench.mesh fleet --nodes $(MESH_NODES)

.PHONY: build
build: setup ## The collection's archive, in .cache/dist
	mkdir -p .cache/dist
	ansible-galaxy collection build --force --output-path .cache/dist

.PHONY: lock
lock: ## Resolve requirements-dev.in anew into requirements-dev.txt
	@scripts/lock

.venv/.ready-run .venv/.ready-dev: .venv/.ready-%: requirements-dev.txt scripts/setup
	@scripts/setup $*
	@touch $@
