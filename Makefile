# A thin front: Meson builds, tools/ does the rest. `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja ## build the programs (default)
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup --prefix=$(PREFIX) $(BUILD)

demo: ## build, and see a container answer (root)
	tools/demo

check: ## every test (root)
	tools/check

install: all ## install; DESTDIR and PREFIX are honoured
	meson install -C $(BUILD) --no-rebuild

lint: ## format, includes, function length, clang-tidy, cppcheck, gcc -fanalyzer
	tools/lint

fuzz: ## every fuzzer for a minute each (FUZZ_SECONDS=60)
	tools/fuzz

bench: ## beside dockerd, runc and crun (root)
	bench/run
bench-build: ## building, beside BuildKit in dockerd (root)
	bench/run build
bench-net: ## networks, beside dockerd's (root)
	bench/run net

clean: ## remove the build folder
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 12

.PHONY: all demo check install lint fuzz bench bench-build bench-net clean help
