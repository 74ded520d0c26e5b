# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# sudo make run     install what is missing, build, start vmalocktop
# sudo make check   install what the tests need, build, run every test
# make help         all targets
#
# New files are found by their place; none needs a line here:
#   bpf/*.bpf.c        linked into one skeleton, build/bpf/vmalock.skel.h (vmalock_bpf)
#   bpf/probe/*.bpf.c  one skeleton each, build/bpf/NAME.skel.h (NAME)
#   src/*/*.c          build/libvmalock.a
#   tools/NAME.c       build/bin/NAME
#   tests/unit/test_*.c              build/tests/test_*, with cmocka
#   tests/{bpf,cli,tui,vm}/NAME.c    build/tests/NAME, helpers of the tests
#   tests/fixtures/*.c               build/tests/vmalocktop-fake: vmalocktop on an invented source
#   tests/bpf/*.bpf.c  one skeleton each, for the helper of the same folder
#   bench/*.bpf.c, bench/NAME.c      one skeleton each, build/bench/NAME

.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += -rR

SAN ?= 0
ifeq ($(SAN),1)
BUILD ?= build-san
else
BUILD ?= build
endif

# make ARCH=aarch64 on another machine: into a folder of its own, with clang and
# what tests/vm/system unpacks
HOST_ARCH := $(shell uname -m)
ARCH ?= $(HOST_ARCH)
ifneq ($(ARCH),$(HOST_ARCH))
VM_CACHE ?= build/vm/cache
SYSROOT ?= $(VM_CACHE)/system-$(ARCH)
BUILD := $(BUILD)-$(ARCH)
CC := clang --target=$(ARCH)-linux-gnu --sysroot=$(SYSROOT) -fuse-ld=lld -Wno-unused-command-line-argument
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(ARCH)-linux-gnu/pkgconfig pkg-config
endif

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := ar
endif
CLANG ?= clang
# not in the path of ordinary users
BPFTOOL ?= $(or $(firstword $(wildcard $(addsuffix /bpftool,$(subst :, ,$(PATH)) /usr/sbin /sbin))),bpftool)
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
PREFIX ?= /usr/local

BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(ARCH)))
NPROC = $(shell getconf _NPROCESSORS_ONLN)

# ---- flags

CFLAGS ?= -O2 -g
# WERROR= builds with a compiler that warns about more
WERROR ?= -Werror
WARN := -Wall -Wextra -Wtype-limits $(WERROR)
ifeq ($(SAN),1)
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# asked once, and only when something is compiled or linked
PKGS := libbpf libelf libdw zlib jansson libseccomp smartcols ncursesw
pkg = $(or $(shell $(PKG_CONFIG) $(1) $(2)),$(error $(2): development files are missing; try: sudo make deps))
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(call pkg,--cflags,$(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(call pkg,--libs,$(PKGS)))$(PKG_LIBS)
CMOCKA_LIBS = $(eval CMOCKA_LIBS := $$(call pkg,--libs,cmocka))$(CMOCKA_LIBS)

CPPFLAGS_ALL = -D_GNU_SOURCE= -Iinclude -Isrc $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(WARN) $(CFLAGS) $(SAN_FLAGS) -ffunction-sections -fdata-sections
LDFLAGS_ALL = $(CFLAGS) $(SAN_FLAGS) -Wl,--as-needed -Wl,--gc-sections $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -lpthread

# Linux 7 embeds structures by their tags; its types need that extension too
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_$(BPF_ARCH) -Wall $(WERROR) \
	-fms-extensions -Wno-microsoft-anon-tag \
	-Ivmlinux/$(ARCH) -Iinclude -Ibpf

# ---- files

OBJ := $(BUILD)/obj
objs = $(patsubst %.c,$(OBJ)/%.o,$(1))

# bpftool 7.0 loses a map whose definition comes after its first use: the objects that define shared ones first
BPF_SRCS := $(wildcard bpf/core.bpf.c bpf/lock.bpf.c) $(filter-out bpf/core.bpf.c bpf/lock.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_OBJS := $(BPF_SRCS:%.c=$(BUILD)/%.o)
PROBE_SKELS := $(patsubst bpf/probe/%.bpf.c,$(BUILD)/bpf/%.skel.h,$(wildcard bpf/probe/*.bpf.c))
SKELS := $(if $(BPF_OBJS),$(BUILD)/bpf/vmalock.skel.h) $(PROBE_SKELS)
BENCH_SKELS := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard bench/*.bpf.c))
HELPER_SKELS := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard tests/bpf/*.bpf.c))

LIB := $(BUILD)/libvmalock.a
LIB_OBJS := $(call objs,$(wildcard src/*/*.c))

TOOLS := $(patsubst tools/%.c,$(BUILD)/bin/%,$(wildcard tools/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
HELPER_SRCS := $(filter-out %.bpf.c,$(wildcard $(foreach d,bpf cli tui vm,tests/$(d)/*.c)))
HELPERS := $(addprefix $(BUILD)/tests/,$(notdir $(HELPER_SRCS:.c=)))
FAKE := $(if $(and $(wildcard tests/fixtures/fake_source.c),$(wildcard tools/vmalocktop.c)),$(BUILD)/tests/vmalocktop-fake)
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(filter-out %.bpf.c,$(wildcard bench/*.c)))

C_FILES := $(sort $(wildcard $(foreach d,include/vmalock bpf bpf/probe src/* tools tests/* bench,$(d)/*.c $(d)/*.h)))

# ---- output: one line a step, the whole command with V=1

ifeq ($(V),1)
Q =
msg =
else
Q = @
msg = @printf '  %-8s %s\n' '$(1)' '$(2)';
MAKEFLAGS += --no-print-directory
endif

# ---- build

.PHONY: all
all: $(TOOLS) ## build the programs into build/bin (SAN=1: with ASan and UBSan, CC=clang, V=1)

.PHONY: tests vm-programs bench-build
tests: $(UNIT_TESTS) $(HELPERS) $(FAKE)
vm-programs: $(TOOLS) $(BUILD)/tests/around
bench-build: $(BENCHES)

# A stamp changes when its text does: other flags or a removed file rebuild what depends on it.
.PHONY: FORCE
stamp = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@
$(OBJ)/flags: FORCE
	$(call stamp,$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL))
$(OBJ)/lib: FORCE
	$(call stamp,$(LIB_OBJS))
$(BUILD)/bpf/flags: FORCE
	$(call stamp,$(CLANG) $(BPF_CFLAGS) $(BPF_OBJS))

vmlinux/$(ARCH)/vmlinux.h:
	$(call msg,GEN,$@)
	$(Q)vmlinux/gen.sh

$(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/bpf/flags | vmlinux/$(ARCH)/vmlinux.h
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# gen object also drops the debug sections that only a debugger of BPF reads
$(BUILD)/bpf/vmalock.linked.o: $(BPF_OBJS) $(BUILD)/bpf/flags
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJS)
$(BUILD)/bpf/%.linked.o: $(BUILD)/bpf/probe/%.bpf.o
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $<
$(BUILD)/bench/%.linked.o: $(BUILD)/bench/%.bpf.o
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $<
$(BUILD)/tests/bpf/%.linked.o: $(BUILD)/tests/bpf/%.bpf.o
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $<

$(BUILD)/bpf/vmalock.skel.h: SKEL_NAME = vmalock_bpf
$(BUILD)/%.skel.h: SKEL_NAME ?= $(notdir $*)
$(BUILD)/%.skel.h: $(BUILD)/%.linked.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(SKEL_NAME) >$@

$(call objs,$(wildcard src/collect/*.c)): CPPFLAGS_DIR = -I$(BUILD)/bpf
$(call objs,$(wildcard src/collect/*.c)): | $(SKELS)
$(call objs,$(wildcard bench/*.c)): CPPFLAGS_DIR = -I$(BUILD)/bench
$(call objs,$(wildcard bench/*.c)): | $(BENCH_SKELS)
$(call objs,$(wildcard tests/*/*.c)): CPPFLAGS_DIR = -Itests -I$(BUILD)/tests/bpf
$(call objs,$(wildcard tests/bpf/*.c)): | $(HELPER_SKELS)

$(OBJ)/%.o: %.c $(OBJ)/flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_DIR) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

archive = $(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(1)
$(LIB): $(LIB_OBJS) $(OBJ)/lib
	$(call msg,AR,$@)
	$(call archive,$(LIB_OBJS))

# objects come before archives: what an object defines is not taken from the library
link = $(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS)
$(TOOLS): $(BUILD)/bin/%: $(OBJ)/tools/%.o $(LIB)
	$(call msg,LINK,$@)
	$(call link)
$(UNIT_TESTS): $(BUILD)/tests/%: $(OBJ)/tests/unit/%.o $(LIB)
	$(call msg,LINK,$@)
	$(call link,$(CMOCKA_LIBS))
define helper_rule
$$(BUILD)/tests/$$(notdir $(1)): $$(OBJ)/$(1).o $$(LIB)
	$$(call msg,LINK,$$@)
	$$(call link)
endef
$(foreach h,$(HELPER_SRCS:.c=),$(eval $(call helper_rule,$(h))))
# vmalocktop on an invented source: everything but the BPF programs, without root
$(BUILD)/tests/vmalocktop-fake: $(call objs,$(wildcard tests/fixtures/*.c)) $(OBJ)/tools/vmalocktop.o $(LIB)
	$(call msg,LINK,$@)
	$(call link)
$(BENCHES): $(BUILD)/bench/%: $(OBJ)/bench/%.o $(LIB)
	$(call msg,LINK,$@)
	$(call link)

# keep what is only a step on the way
.SECONDARY:
-include $(patsubst %.o,%.d,$(LIB_OBJS) $(BPF_OBJS) $(call objs,$(HELPER_SRCS) \
	$(wildcard tools/*.c tests/unit/test_*.c tests/fixtures/*.c bench/*.c)) $(patsubst %.c,$(BUILD)/%.o,$(wildcard bpf/probe/*.bpf.c bench/*.bpf.c tests/bpf/*.bpf.c)))

# ---- with root: packages as root, the build as the user who called sudo

# $(call as_user,GOALS): a tree that was built by root before is handed over first
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(NPROC))
as_user = +@user=$${SUDO_USER:-root}; \
	if [ "$$(id -u)" != 0 ] || [ "$$user" = root ]; then exec $(MAKE) $(jobs) $(1); fi; \
	if command -v runuser >/dev/null; then as="runuser -u $$user --"; else as="sudo -u $$user"; fi; \
	if ! $$as test -w .; then \
		echo "make: $$user cannot write here: building as root" >&2; exec $(MAKE) $(jobs) $(1); \
	fi; \
	if [ -e $(BUILD) ]; then chown -hR "$$user" $(BUILD); fi; \
	exec $$as $(MAKE) $(jobs) $(1) $(MAKEOVERRIDES)

.PHONY: run
run: ## install what is missing, build, start vmalocktop (sudo make run)
	$(call deps,$(DEPS_BUILD))
	$(call as_user,all)
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BUILD)/bin/vmalocktop; else exec $(BUILD)/bin/vmalocktop -b -n 3 -d 1; fi

.PHONY: check
check: need-root ## run every test, or STEPS='unit cli ...' of them (sudo make check)
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK))
	+@MAKE='$(MAKE)' tests/run $(STEPS)

.PHONY: check-vm
check-vm: need-root ## run the tests on all kernels of tests/vm/kernels, in virtual machines (sudo make check-vm)
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK))
	+@MAKE='$(MAKE)' tests/run gcc vm-all

.PHONY: bench
bench: need-root ## measure what a page fault costs with and without vmalock (sudo make bench; ARGS=...)
	$(call deps,$(DEPS_BUILD) $(DEPS_BENCH))
	$(call as_user,bench-build)
	@$(BUILD)/bench/hotpath $(ARGS)

.PHONY: bench-instructions
bench-instructions: ## count the instructions vmalock adds to a page fault, in an emulated machine, into docs/cost.md
	$(call deps,$(DEPS_BUILD) $(DEPS_INSTRUCTIONS))
	$(call as_user,bench-build)
	@BUILD='$(BUILD)' bench/instructions docs/cost.md

.PHONY: need-root
need-root:
	@[ "$$(id -u)" = 0 ] || { echo "make $(MAKECMDGOALS): BPF programs need root: sudo make $(MAKECMDGOALS)" >&2; exit 1; }

# used by tests/run: make as-user GOALS="all tests" CC=clang BUILD=build-clang
.PHONY: as-user
as-user:
	$(call as_user,$(GOALS))

# ---- packages: NAME=PROBE, where PROBE is a command, a pkg-config module (.pc) or a file

DEPS_BUILD := gcc=$(firstword $(CC)) clang=$(CLANG) bpftool=$(BPFTOOL) pkg-config=$(PKG_CONFIG) libc6-dev=/usr/include/stdio.h \
	libbpf-dev=libbpf.pc libelf-dev=libelf.pc libdw-dev=libdw.pc zlib1g-dev=zlib.pc libncurses-dev=ncursesw.pc \
	libsmartcols-dev=smartcols.pc libjansson-dev=jansson.pc libseccomp-dev=libseccomp.pc libbpfcc-dev=/usr/include/bcc/bcc_syms.h
DEPS_CHECK := gcc=gcc clang=clang libcmocka-dev=cmocka.pc bats=bats procps=pkill tmux=tmux jq=jq \
	qemu-system-x86=qemu-system-x86_64 qemu-system-arm=qemu-system-aarch64 busybox-static=busybox cpio=cpio lld=ld.lld
DEPS_BENCH := bpftrace=bpftrace
DEPS_INSTRUCTIONS := qemu-system-x86=qemu-system-x86_64 busybox-static=busybox cpio=cpio

.PHONY: deps
deps: ## install the packages that building, checking and measuring need (APT=no: only print the command)
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK) $(DEPS_BENCH) $(DEPS_INSTRUCTIONS))

deps = @PKG_CONFIG='$(PKG_CONFIG)' APT='$(APT)' sh -euc "$$DEPS_SH" deps $(sort $(1))
define DEPS_SH
missing=
for dep in "$$@"; do
	probe=$${dep#*=}
	case $$probe in
	*.pc) "$$PKG_CONFIG" --exists "$${probe%.pc}" 2>/dev/null ;;
	/usr/include/*) [ -e "$$probe" ] ;;
	*) command -v "$$probe" >/dev/null ;;
	esac || missing="$$missing $${dep%%=*}"
done
[ "$$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "deps: missing here; install what your distribution calls (names are Debian's):$$missing" >&2
	exit 1
fi
install="apt-get install --yes --no-install-recommends$$missing"
find /var/lib/apt/lists -name '*Packages*' 2>/dev/null | grep -q . || [ "$$(id -u)" != 0 ] || [ "$$APT" = no ] ||
	apt-get update
echo "deps: missing:$$missing"
all=$$(apt-get -s install --no-install-recommends $$missing 2>/dev/null | awk '/^Inst/ { print $$2 }')
[ -z "$$all" ] || apt-cache show --no-all-versions $$all | awk '
	/^Package:/ { n++ } /^Size:/ { get += $$2 } /^Installed-Size:/ { disk += $$2 }
	END { printf "deps: %d packages, %.1f MB to download, %.1f MB on disk\n", n, get / 1e6, disk / 1e3 }'
if [ "$$APT" = no ] || [ "$$(id -u)" != 0 ]; then
	echo "deps: to install them, as root:"
	echo "$$install"
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$$install
endef
export DEPS_SH

# ---- the rest

.PHONY: format-check
format-check: ## compare the C files with .clang-format
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

.PHONY: install
install: all ## copy the programs to DESTDIR/PREFIX/bin (PREFIX=/usr/local)
	$(call msg,INSTALL,$(DESTDIR)$(PREFIX)/bin)
	$(Q)install -d '$(DESTDIR)$(PREFIX)/bin'
	$(Q)install -m 755 $(TOOLS) '$(DESTDIR)$(PREFIX)/bin'

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(BUILD) build build-clang build-san build-aarch64

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile
