GO   ?= go
N    ?= 20
FUZZ ?= 60s

BIN  := $(CURDIR)/build/bin
LINT := $(BIN)/golangci-lint-v2.15.0/golangci-lint
VULN := $(BIN)/govulncheck-v1.9.0/govulncheck
CORE := $(wildcard batch flow io/jdbcio io/kafkaio io/parquetio runners transforms)

.PHONY: help build quick test check format fmt vet lint style nocgo race vuln demo crash bench fuzz nightly docs tools clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile everything; programs land in build/bin
	$(GO) build -o $(BIN)/ ./...

quick: ## vet, style and the short tests
	$(GO) vet ./...
	$(GO) test -short -timeout 5m ./...

test: ## every test
	$(GO) test -timeout 20m ./...

check: format vet lint style nocgo vuln race ## what a change must pass

format: $(LINT) ## is every file as gofumpt writes it? (fmt rewrites them)
	$(LINT) fmt --diff

fmt: $(LINT)
	$(LINT) fmt

vet:
	$(GO) vet ./...

lint: $(LINT) ## golangci-lint with .golangci.yml
	$(LINT) run

style: ## budgets, layers, layout and links
	$(GO) test -count=1 .

nocgo: ## the core packages build without cgo
	CGO_ENABLED=0 $(GO) build $(CORE:%=./%/...)

race: ## every test under the race detector
	$(GO) test -race -timeout 40m ./...

vuln: $(VULN) ## known vulnerabilities that the code can reach
	.ci/vuln $(VULN)

demo: ## history and live trips into one lake, through a kill -9; leaves build/demo
	$(GO) build -o $(BIN)/ ./pipelines/trips ./pipelines/trips/demo
	$(BIN)/demo -trips $(BIN)/trips -dir build/demo

crash: ## kill -9 N times at random, and once at each failpoint; N=20
	$(GO) test -count=1 -timeout 60m -run '^TestCrash$$' ./pipelines/trips -v -crash.random $(N)

bench: ## the benchmark jobs; each prints its table and appends to build/bench
	$(GO) build -o $(BIN)/ ./pipelines/trips/bench/...
	$(BIN)/bench

fuzz: ## each fuzz test for FUZZ=60s
	.ci/fuzz $(FUZZ)

nightly: check ## check, long tests, fuzzing, 200 kills and the benchmarks
	MILLRACE_NIGHTLY=1 $(GO) test -count=1 -timeout 120m ./...
	$(MAKE) fuzz
	$(MAKE) crash N=200
	$(MAKE) bench

docs: ## do the documents' links and first program hold?
	$(GO) test -count=1 -run 'TestDocs|TestReadme' .

clean:
	rm -rf build

tools: $(LINT) $(VULN)

$(LINT):
	GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

$(VULN):
	GOBIN=$(@D) $(GO) install golang.org/x/vuln/cmd/govulncheck@v1.9.0
