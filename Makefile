# Dolium. `make help` lists what can be made; the text comes from the comments behind the targets.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export DOLIUM_DATA ?= $(CURDIR)/data

.PHONY: help testkit image containers install console run test check check-gen gen tidy unit sim sim-long sim-cluster planted crash power aborts rot fuzz cluster growth chaos one-node uploads clients kubernetes go-clients client-matrix report million format \
	erasure-kernel raft-core check-built bench bench-compare bench-scale clean docs sbom

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

node_modules/.package-lock.json: package-lock.json package.json
	npm ci --no-fund --no-audit
	touch $@

install: node_modules/.package-lock.json ## install what package-lock.json names, Node among it
	@if ! node_modules/node/bin/node --version >/dev/null 2>&1; then
		npm rebuild node >/dev/null 2>&1 || true
	fi
	if ! node_modules/node/bin/node --version >/dev/null 2>&1; then
		echo "npm refused the install script that brings Node: run  npm install-scripts approve node && npm rebuild node" >&2
		exit 1
	fi
	[ -f services/console/dist/index.html ] || node services/console/build.ts

console: install ## build the console (services/console/dist)
	node services/console/build.ts

image: install ## build the container image (IMAGE: dolium:latest)
	deploy/build-image.sh $${IMAGE:-dolium:latest}

testkit: install ## make the package @dolium/testing (deploy/.testkit)
	node deploy/test-kit.ts deploy/.testkit

containers: image ## the image as one node, in compose and as a cluster under faults; needs Docker
	node test/run.ts test/containers

run: install ## start a local cluster, S3 on 127.0.0.1:9000 (DOLIUM_S3_PORT), data in ./data (DOLIUM_DATA)
	@exec npx --no-install dolium dev

test: install check-gen check-built ## everything that CI runs on code and processes
	node test/run.ts

check: install ## types and lint
	tsc -p .
	tsc -p services/console
	biome check .

check-gen: install ## the generated code matches proto/, the chart the settings
	node proto/generate.ts --check
	node helm/generate.ts --check

gen: install ## write services/lib/gen from proto/, the chart's schema, table and copies
	node proto/generate.ts
	node helm/generate.ts

docs: install ## write the generated pages of docs/ from the settings and the tables of commands and calls
	DOLIUM_UPDATE_DOCS=1 node --test test/tidy/cli-reference.test.ts test/tidy/admin-reference.test.ts

sbom: ## print what the program is made of (CycloneDX), from package-lock.json
	@npm sbom --sbom-format cyclonedx --package-lock-only --omit dev

check-built: install ## the built WebAssembly matches its checksums and sources
	node services/lib/erasure/wasm/build.ts --check
	cd services/lib/raft/core && sha256sum --quiet -c raft_core.wasm.sha256

tidy: install ## layout, import rule and style limits
	node test/run.ts test/tidy

unit: install ## unit tests
	node test/run.ts test/tidy test/unit

sim: install ## seeded fault simulation, the slice that CI runs
	node test/run.ts test/sim

sim-long: install ## 10,000 seeds of the Raft simulation
	node test/sim/raft/main.ts --seeds 1..10000

sim-cluster: install ## a whole cluster in simulation, SEEDS=A..B (1..1000)
	node test/sim/main.ts --seeds $${SEEDS:-1..1000}

planted: install ## every planted bug of the simulated cluster must be found by its check
	DOLIUM_TEST_PLANTED=1 node test/run.ts test/sim/cluster

crash: install ## cuts the power after every disk operation of a metadata cluster and of a whole small one (CRASH_EVERY: each n-th), the stores' own points too
	node test/run.ts test/crash test/unit/storage/crash.test.ts test/unit/metadata/log-store.test.ts
	node test/crash/main.ts --every $${CRASH_EVERY:-1}
	node test/crash/cluster-main.ts --every $${CRASH_EVERY:-1}

power: install ## whole-store power cuts on loop ext4 and XFS under load (CYCLES, SEED); needs root and xfs_io
	node test/power/main.ts --cycles $${CYCLES:-1000} --seed $${SEED:-1}

aborts: install ## clients that go away in the middle of a body (COUNT)
	node test/aborts/main.ts --count $${COUNT:-5000}

rot: install ## flips, truncations, zeroed and swapped blocks in every kind of file (FLIPS, SEED)
	node test/rot/main.ts --rounds $${FLIPS:-20000} --seed $${SEED:-1}

fuzz: install ## 10,000,000 inputs (FUZZ_INPUTS, FUZZ_SEED) for each parser of what anybody may send
	node test/fuzz/main.ts --inputs $${FUZZ_INPUTS:-10000000} --seed $${FUZZ_SEED:-1}

cluster: install ## a cluster of processes: kills, lost disks, rot, full disks
	node test/run.ts test/cluster

chaos: install ## faults on real processes over three campuses (SECONDS, SEED, NEMESES, RTT, BRISK=1, LASTS=MS..MS), as root
	node test/chaos/main.ts --seconds $(or $(SECONDS),600) --nemeses "$(NEMESES)" $(if $(SEED),--seed $(SEED)) $(if $(RTT),--rtt $(RTT)) $(if $(BRISK),--brisk) $(if $(LASTS),--lasts $(LASTS))

one-node: install ## a storage node dead, stalled and slow: failed requests, and read times beside healthy ones (ROUNDS)
	node test/chaos/one-node.ts --rounds $(or $(ROUNDS),5)

growth: install ## nodes added, emptied, weighed, lost and disks replaced under data, with a census at each step
	DOLIUM_TEST_GROWTH=1 node --test test/cluster/growth.test.ts

uploads: install ## the console uploads 2 GiB in a browser, over a reload of its page
	DOLIUM_TEST_FULL=1 node --test --test-name-pattern "large upload" test/console/uploads.test.ts

clients: install ## real S3 clients against a server
	node test/run.ts test/clients

kubernetes: install ## the chart on a real Kubernetes of this machine, built once from Go modules (long); needs root, the image
	test/kubernetes/build.sh
	node test/run.ts test/kubernetes

go-clients: ## build the clients for Go that test/clients runs (minutes, once)
	cd test/clients/go && nice go build -o $(CURDIR)/.ci/go-clients .

client-matrix: install ## run every client and write docs/client-matrix.md
	node test/clients/matrix.ts

report: install ## write docs/quality.md (SUMMARY: the last line of a full run)
	node test/report.ts $${SUMMARY:+"$$SUMMARY"}

million: install ## load 1,000,000 keys (DOLIUM_TEST_KEYS; DOLIUM_TEST_RECORDED=1: fast) and list them by every client
	DOLIUM_TEST_KEYS=$${DOLIUM_TEST_KEYS:-1000000} node --test test/clients/million.test.ts

bench: install ## measure one process and the local cluster beside a floor (BENCH: options, e.g. --quick)
	node benchmarks/main.ts $${BENCH:-}

bench-compare: install ## measure, and compare ratios to the floor with benchmarks/baseline.json
	node benchmarks/main.ts --quick --compare benchmarks/baseline.json $${BENCH:-}

format: install ## format the code
	biome check --write .

erasure-kernel: install ## rebuild the erasure-coding kernel (AssemblyScript)
	node services/lib/erasure/wasm/build.ts

raft-core: ## rebuild the Raft core (Rust, wasm32-unknown-unknown)
	services/lib/raft/core/build.sh

bench-scale: install ## stores of 10 thousand and a million keys (KEYS: others), shards on a disk, layouts of 10 to 1,000 nodes
	nice node --expose-gc benchmarks/scale/metadata.ts $${KEYS:-10000 1000000}
	nice node --expose-gc benchmarks/scale/buckets.ts
	nice node --expose-gc benchmarks/scale/shards.ts $${SHARDS:-100000}
	nice node benchmarks/scale/placement.ts

clean: ## remove installed packages; data stays
	rm -rf node_modules services/lib/raft/core/target
