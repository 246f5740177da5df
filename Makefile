# The commands of this repository. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

## help: list the commands
.PHONY: help
help:
	@echo "Volley, commands for development:"
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | awk -F': ' '{printf "  make %-34s %s\n", $$1, $$2}'

## demo: run a real load test on a real cluster on this machine, from nothing
## demo CLUSTER=current IMAGES=PREFIX: the same on the cluster of the current kubeconfig; images are pushed to PREFIX
.PHONY: demo
demo:
	@dev/demo.sh "$(CLUSTER)" "$(IMAGES)"

## test: everything that must hold before a change lands
.PHONY: test
test:
	@dev/test.sh

## test-full PART=...: the long tests; without PART it lists the parts
## test-full PART=scale WORKERS=500: simulated workers in five regions
## test-full PART=live WORKERS=500: live figures over an hour
.PHONY: test-full
test-full:
	@dev/test-full.sh "$(PART)" "$(WORKERS)"

## lint: formats, lints, licences, the rules of the house
.PHONY: lint
lint:
	@dev/lint.sh

## format: format all code
.PHONY: format
format:
	@cargo fmt --all
	@cd dev/cluster && gofmt -w .

## generate: make CRDs, references and schemas anew from the code
.PHONY: generate
generate:
	@cargo xtask generate
	@VOLLEY_WRITE_REFERENCE=1 cargo test --quiet --package volley the_reference
	@VOLLEY_WRITE_REFERENCE=1 cargo test --quiet --workspace --test schema
	@VOLLEY_WRITE_REFERENCE=1 cargo test --quiet --workspace --lib -- the_charts_roles the_objects_for_argo_cd the_reference_is_what
	@VOLLEY_WRITE_REFERENCE=1 gitops/test/check

## figures: measure what docs/verification.md reports (release build)
.PHONY: figures
figures:
	@dev/figures.sh

## clean-cluster: remove the processes, namespaces, mounts and state of the development clusters
.PHONY: clean-cluster
clean-cluster:
	@dev/clean-cluster.sh

## clean-cache: remove built images and binaries
.PHONY: clean-cache
clean-cache: clean-cluster
	@dev/clean-cache.sh
