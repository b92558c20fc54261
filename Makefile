# make demo: the main job on data that is built in. make test: every test that needs nothing but Go.

GO   ?= go
DATA ?=
GOLANGCI ?= golangci-lint
# How long "make fuzz" spends on each fuzz target.
FUZZTIME ?= 20s
# What "make bench" measures, with which providers and at which batch sizes.
MODEL     ?=
MODELS    ?=
PROVIDERS ?= native
TORCH_PYTHON ?= python3

.PHONY: all build test race demo docs bench bench-train bench-kernels conformance generate lint fuzz reliability cover cross test-arm64 test-avx512 examples clean

all: build

build:
	$(GO) build -o bin/onnxcnn ./cmd/onnxcnn

test:
	$(GO) test -timeout 15m ./...

# What runs side by side: the engine, its users, and what they are built on. The rest calls these. Trainings that differ
# from others only in what comes out are left out: the race detector makes them slow.
TRAININGS = Torch|EvaluateMulti|MultiLabel|Classical.*|LastOfOne|ExportInterrupted|FindLR|Time|Again

# Comparisons with other programs, which take the time: what they compare with runs in the tests beside them.
COMPARISONS = ConvolutionGradientsReference|ReduceReference|LossesEqualPyTorch|RulesEqualPyTorch|AugmentTorchvision|Pillow|Photographs|H5py

race:
	$(GO) test -race -short -skip '^Test($(TRAININGS)|$(COMPARISONS))$$' -timeout 20m ./backend ./backend/native ./backend/ort ./features/... ./finetune ./internal/...

demo:
	$(GO) run ./cmd/onnxcnn demo

# Makes the pictures of README.md again.
docs:
	$(GO) run ./scripts/docs

# make bench: the networks in the folder MODELS (default: the tests' reference models) beside ONNX Runtime; writes
# docs/benchmarks.md. make bench MODEL=resnet50.onnx PROVIDERS=native,ort: one network. make bench-kernels: the kernels.
bench:
ifeq ($(MODEL),)
	$(GO) run ./scripts/bench -models '$(MODELS)'
else
	$(GO) run ./cmd/onnxcnn bench --provider $(PROVIDERS) $(MODEL)
endif

# Steps of training beside PyTorch, which TORCH_PYTHON has; writes docs/training.md.
bench-train:
	$(GO) run ./scripts/bench -train -runs 5 -models '$(MODELS)' -python '$(TORCH_PYTHON)'

bench-kernels:
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./internal/...

# make conformance: the cases of the ONNX project, against the manifests. make conformance DATA=dir: cases in another folder.
conformance:
	ONNXCNN_CASES='$(DATA)' $(GO) test -count=1 -timeout 15m ./internal/conformance

# Writes the assembly kernels again; the generator is a module of its own.
generate:
	$(GO) generate ./internal/kernel

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GOLANGCI) run

fuzz:
	$(GO) run ./scripts/reliability -fuzz -fuzztime $(FUZZTIME)

# Runs what kills, starves, fuzzes and soaks, and writes docs/reliability.md.
reliability:
	$(GO) run ./scripts/reliability -fuzztime $(FUZZTIME)

cover:
	scripts/coverage.sh 85 ./onnx ./internal/op ./internal/pixel

# Every platform must build, with cgo and without.
cross:
	CGO_ENABLED=0 $(GO) test ./backend/ort
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build ./...

# The NEON kernels, on a machine of another kind (Debian package qemu-user-static).
test-arm64:
	CGO_ENABLED=0 GOARCH=arm64 $(GO) test -short -timeout 15m -exec qemu-aarch64-static ./internal/cpu ./internal/kernel/... ./internal/conv

# The AVX-512 kernels, on a processor without, in an emulator; the script says which Debian packages it needs.
test-avx512:
	scripts/avx512.sh

examples:
	$(GO) build -o bin/ ./examples/...

clean:
	rm -rf bin build coverage.out
