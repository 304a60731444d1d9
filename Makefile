# `make` alone explains the targets. DVC=dvc takes a DVC of your own.
DVC ?= .venv-dvc/bin/dvc
STAGES := generate train freeze convert evaluate firmware report attest

.DEFAULT_GOAL := help
.PHONY: help setup all results $(STAGES) lint test test-fast smoke seeds records tflite detect fleet compare \
	reproduce verify sign firmware-report runtimes soak bench bench-compare audit bom clean lock

help:  ## explain the targets
	@awk -F ':.*## ' '/^[a-z $$()A-Z-]+:.*## / \
		{ printf "  make %-16s %s\n", $$1 == "$$(STAGES)" ? "<stage>" : $$1, $$2 }' Makefile
	@echo "  stages: $(STAGES)"

setup:  ## build the environments from their locks; instant when nothing changed
	@sh scripts/setup

intact = sh scripts/run intact

all: setup  ## environment, every stage through DVC, and a table of the results
	@$(intact) --cache "$$($(DVC) cache dir)"
	$(DVC) repro
	@$(intact) --outputs || { $(DVC) repro && $(intact) --outputs; }
	@sh scripts/run results reports/evaluate/metrics.json

results: setup  ## the table of the results that are here now
	@sh scripts/run results reports/evaluate/metrics.json

$(STAGES): setup  ## one stage, and what it depends on
	$(DVC) repro $@

lint: setup  ## mistakes that can be read off the code
	@.venv-dvc/bin/ruff check scripts tests

test: lint  ## lint, and every test
	sh scripts/run test

test-fast: setup  ## the tests that take seconds
	sh scripts/run test -m "not slow"

smoke: setup  ## the whole pipeline on tiny params in a throwaway clone
	sh scripts/smoke $(DVC)

seeds: setup  ## the pipeline with two seeds more, for the spread of every metric
	sh scripts/run seeds

records: setup  ## the pipeline on records of your own, with labels: RECORDS=folder of logs and params
	$(call need,RECORDS,say where they are: make records RECORDS=folder)
	sh scripts/run records $(RECORDS) $(ARGS)

compare: setup  ## two commits side by side: A=HEAD~3 B=HEAD
	@sh scripts/run compare $(or $(A),HEAD~1) $(or $(B),HEAD) --page reports/compare

reproduce: setup  ## rebuild HEAD under other circumstances and compare every byte; CPUS="SandyBridge Haswell" emulates
	sh scripts/run reproduce $(if $(CPUS),--cpus $(CPUS)) $(ARGS)

resolve = .venv-dvc/bin/uv pip compile -q --no-annotate --custom-compile-command "make lock" \
	--generate-hashes --python-version $(2) $(3) $(1).in -o $(1).lock

need = $(if $($(1)),,$(error $(2)))

verify: setup  ## FILE=step_int8.tflite: did it come from this repository, from which commit and stage? KEYS="a.pub b.pub" K=2: signed by whom?
	$(call need,FILE,say which file: make verify FILE=step_int8.tflite)
	@sh scripts/run verify $(FILE)
	$(if $(KEYS),@sh scripts/setup sign)
	$(if $(KEYS),@sh scripts/run sign check $(FILE) --signed models/attest/signed.jsonl \
		--keys $(KEYS) --at-least $(or $(K),1))

sign: setup  ## KEY=me.pem: your signature on what is said of every artifact
	$(call need,KEY,say with which key: make sign KEY=me.pem)
	@sh scripts/setup sign
	@sh scripts/run sign add models/attest/provenance.jsonl --key $(KEY) --out models/attest/signed.jsonl $(ARGS)

tflite: setup  ## your own model in every form: MODEL=my_model.h5 CALIBRATION=windows.npy OUT=folder
	$(call need,MODEL,say which model: make tflite MODEL=my_model.h5 OUT=folder)
	$(call need,OUT,say where to: make tflite MODEL=my_model.h5 OUT=folder)
	sh scripts/run convert $(MODEL) --form all -o $(OUT) $(if $(CALIBRATION),--calibration $(CALIBRATION)) $(ARGS)

detect: setup  ## alarms of the int8 step model on a log: LOG=plant.csv
	@sh scripts/run detect --model models/convert/step_int8.tflite \
		--log $(or $(LOG),data/generate/test.csv) $(ARGS)

runtimes: setup  ## every .tflite file in four runtimes: the same numbers, or the refusal
	@sh scripts/setup litert tflm
	@sh scripts/run runtimes models/convert --record data/generate/test.csv \
		--scaler models/train/scaler.json --detectors reports/evaluate/detectors.json \
		--alarms reports/evaluate/alarms.csv --out reports/runtimes $(ARGS)

soak: setup  ## every step file over ten million samples: drift, saturation, memory; ARGS="--samples 100000"
	@sh scripts/run soak models/convert --record data/generate/test.csv \
		--scaler models/train/scaler.json --out reports/soak $(ARGS)

firmware-report: setup  ## the C detector on emulated cores: flash, RAM, stack, instructions a sample
	@sh scripts/setup tflm peers
	@sh scripts/run firmware_report models/convert --record data/generate/test.csv \
		--scaler models/train/scaler.json --detector reports/evaluate/detectors.json \
		--keras models/train/keras_model.h5 --out reports/firmware $(ARGS)

fleet: setup  ## thousands of sensors, on Dask: ARGS="score --logs plant/logs --out alarms"
	@sh scripts/setup fleet
	@sh scripts/run fleet $(or $(ARGS),--help)

bench: setup  ## every file in every runtime against what else there is, in time and bytes
	@sh scripts/setup litert tflm peers
	@sh scripts/run bench models/convert --keras models/train/keras_model.h5 \
		--record data/generate/validation.csv --calibration data/generate/train.csv \
		--scaler models/train/scaler.json --out reports/bench $(ARGS)

bench-compare: setup  ## two benches side by side: A=before.json B=reports/bench.json
	$(call need,A,say which bench: make bench-compare A=before.json B=reports/bench.json)
	@sh scripts/run bench_compare $(A) $(or $(B),reports/bench.json)

audit: setup  ## what is known against the packages of the locks, and why it does not reach us (network)
	@sh scripts/setup audit
	@sh scripts/run audit requirements.lock $(sort $(wildcard environments/*.lock)) \
		--reasons environments/audit.json

bom: setup  ## every package of the locks and every model file with its hashes, as CycloneDX
	@sh scripts/setup bom
	@sh scripts/run bom requirements.lock $(sort $(wildcard environments/*.lock)) \
		--models models/convert --out reports/bom.json

clean:  ## remove what is generated and not in git; the environments and DVC's cache stay
	git clean -qfdX -- data/generate models reports .hypothesis

lock: setup  ## resolve what the .in files ask for anew into hashed locks (the one target that needs the network)
	$(call resolve,requirements,3.7,--python-platform x86_64-unknown-linux-gnu --override environments/override.txt)
	$(call resolve,environments/dvc,3.9,--universal)
	$(call resolve,environments/torch,3.7,--python-platform x86_64-unknown-linux-gnu)
	for name in litert tflm peers fleet audit sign bom; do \
		$(call resolve,environments/$$name,3.10,--universal --no-emit-package tensorflow) || exit; \
	done
