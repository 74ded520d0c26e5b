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
#   src/*/*.proto      build/gen/NAME.pb-c.h and .c, in it too (protobuf-c)
#   tools/NAME.c       build/bin/NAME
#   tests/unit/test_*.c              build/tests/test_*, with cmocka
#   tests/{anomaly,bpf,cli,tui,vm,web}/NAME.c  build/tests/NAME, helpers of the tests
#   tests/fixtures/*.c               build/tests/{vmalocktop,vmalockd,vmalock}-fake: the programs on an invented source
#   tests/bpf/*.bpf.c  one skeleton each, for the helper of the same folder
#   bench/*.bpf.c, bench/NAME.c      one skeleton each, build/bench/NAME
#   man/PAGE.SECTION.in              build/man/PAGE.SECTION, with what the programs say of their options

.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += -rR

SAN ?= 0
ifeq ($(SAN),1)
BUILD ?= build-san
else
BUILD ?= build
endif
# an empty one would be /bin, /obj and the like
ifneq ($(words $(BUILD)),1)
$(error BUILD='$(BUILD)' is not the name of a folder)
endif

# make ARCH=aarch64 on another machine: into a folder of its own, with clang and
# what tests/vm/system unpacks
HOST_ARCH := $(shell uname -m)
ARCH ?= $(HOST_ARCH)
BUILD_HERE := $(BUILD)
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
PROTOC_C ?= protoc-c
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
PKGS := sqlite3 libbpf libelf libdw zlib jansson libseccomp smartcols ncursesw libprotobuf-c \
	libmicrohttpd gnutls yaml-0.1 libcrypt libcap libsystemd
pkg = $(or $(shell $(PKG_CONFIG) $(1) $(2)),$(error $(2): development files are missing; try: sudo make deps))
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(call pkg,--cflags,$(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(call pkg,--libs,$(PKGS)))$(PKG_LIBS)
CMOCKA_LIBS = $(eval CMOCKA_LIBS := $$(call pkg,--libs,cmocka))$(CMOCKA_LIBS)

CPPFLAGS_ALL = -D_GNU_SOURCE= -Iinclude -Isrc $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(WARN) $(CFLAGS) $(SAN_FLAGS) -ffunction-sections -fdata-sections
LDFLAGS_ALL = $(CFLAGS) $(SAN_FLAGS) -Wl,--as-needed -Wl,--gc-sections $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -lpthread

# programs for hosts that have nothing but a C library (make tarball); CFLAGS do not name this folder
ifeq ($(STATIC),1)
PKG_LIBS = $(eval PKG_LIBS := $$(shell packaging/static-libs '$$(CC)' $$(call pkg,--static --libs,$$(PKGS))))$(PKG_LIBS)
CFLAGS_ALL += -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE -ffile-prefix-map=$(CURDIR)=vmalock
LDFLAGS_ALL += -pie -s -Wl,-z,relro,-z,now -Wl,--exclude-libs,ALL -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib/vmalock'
endif

# Linux 7 embeds structures by their tags; its types need that extension too
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_$(BPF_ARCH) -Wall $(WERROR) \
	-fms-extensions -Wno-microsoft-anon-tag \
	-ffile-prefix-map=$(CURDIR)=vmalock -Ivmlinux/$(ARCH) -Iinclude -Ibpf

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
PROTOS := $(wildcard src/*/*.proto)
PROTO_HEADERS := $(patsubst %.proto,$(BUILD)/gen/%.pb-c.h,$(notdir $(PROTOS)))
LIB_OBJS := $(call objs,$(wildcard src/*/*.c)) $(PROTO_HEADERS:.h=.o)

TOOLS := $(patsubst tools/%.c,$(BUILD)/bin/%,$(wildcard tools/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
PRELOADED := tests/anomaly/nth.c
HELPER_SRCS := $(filter-out %.bpf.c $(PRELOADED),$(wildcard $(foreach d,anomaly bpf cli tui vm web,tests/$(d)/*.c)))
HELPERS := $(addprefix $(BUILD)/tests/,$(notdir $(HELPER_SRCS:.c=)))
FAKE := $(patsubst %,$(BUILD)/tests/%-fake,vmalocktop vmalockd vmalock)
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
tests: $(UNIT_TESTS) $(HELPERS) $(FAKE) $(BUILD)/tests/nth.so
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

vpath %.proto $(sort $(dir $(PROTOS)))
$(BUILD)/gen/%.pb-c.h: %.proto
	$(call msg,PROTOC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PROTOC_C) --proto_path=$(<D) --c_out=$(@D) $<
$(BUILD)/gen/%.pb-c.o: $(BUILD)/gen/%.pb-c.h $(OBJ)/flags
	$(call msg,CC,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $(<:.h=.c) -o $@

$(call objs,$(wildcard src/export/*.c)): CPPFLAGS_DIR = -I$(BUILD)/gen
$(call objs,$(wildcard src/export/*.c tests/*/*.c)): | $(PROTO_HEADERS)
$(call objs,$(wildcard src/collect/*.c)): CPPFLAGS_DIR = -I$(BUILD)/bpf
$(call objs,$(wildcard src/collect/*.c)): | $(SKELS)
$(call objs,$(wildcard bench/*.c)): CPPFLAGS_DIR = -I$(BUILD)/bench
$(call objs,$(wildcard bench/*.c)): | $(BENCH_SKELS)
$(call objs,$(wildcard tests/*/*.c)): CPPFLAGS_DIR = -Itests -I$(BUILD)/tests/bpf -I$(BUILD)/gen
$(call objs,$(wildcard tests/bpf/*.c)): | $(HELPER_SKELS)
# unit tests of BPF programs: bpf/*.bpf.c in user space, on types and helpers of their own
$(call objs,$(wildcard tests/unit/test_lock*.c) tests/unit/test_doing.c): \
	CPPFLAGS_DIR = -Itests/unit/kernel -Ibpf -D__TARGET_ARCH_$(BPF_ARCH)
# those of parts of src/collect that know them
$(call objs,$(foreach t,memory perf,tests/unit/test_$(t).c)): CPPFLAGS_DIR = -Itests -I$(BUILD)/bpf
$(call objs,$(foreach t,memory perf,tests/unit/test_$(t).c)): | $(SKELS)

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
# those that need an invented host
FIXTURES := $(call objs,$(wildcard tests/fixtures/*.c))
$(filter $(BUILD)/tests/test_store% $(BUILD)/tests/test_sum $(BUILD)/tests/test_fuzz,$(UNIT_TESTS)): $(FIXTURES)
define helper_rule
$$(BUILD)/tests/$$(notdir $(1)): $$(OBJ)/$(1).o $$(LIB)
	$$(call msg,LINK,$$@)
	$$(call link)
endef
$(foreach h,$(HELPER_SRCS:.c=),$(eval $(call helper_rule,$(h))))
# preloaded into programs with and without sanitizers: has none itself
$(BUILD)/tests/nth.so: $(PRELOADED) tests/anomaly/nth.h
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) -D_GNU_SOURCE= -std=gnu17 $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<
# on an invented source: everything but the BPF programs, without root
$(BUILD)/tests/exposition $(BUILD)/tests/kept: $(FIXTURES)
$(FAKE): $(BUILD)/tests/%-fake: $(OBJ)/tools/%.o $(FIXTURES) $(LIB)
	$(call msg,LINK,$@)
	$(call link)
$(BENCHES): $(BUILD)/bench/%: $(OBJ)/bench/%.o $(LIB)
	$(call msg,LINK,$@)
	$(call link)

$(BUILD)/bench/store $(BUILD)/bench/connect: $(FIXTURES)

# Manual pages and completions, of what the programs say of themselves: of those that run here.
# TABLES=FILE on the command line: that was made before.
HELP := $(wildcard packaging/help/*)
TABLES := $(BUILD_HERE)/help/tables
PROGRAMS := $(notdir $(TOOLS))
MAN := $(patsubst %.in,$(BUILD)/%,$(wildcard man/*.in))
COMPLETIONS := $(foreach s,bash zsh fish,$(PROGRAMS:%=$(BUILD)/help/%.$(s)))

.PHONY: help-files
help-files: $(MAN) $(COMPLETIONS)
ifeq ($(origin TABLES),command line)
else ifeq ($(BUILD),$(BUILD_HERE))
$(TABLES): $(TOOLS) $(HELP)
	$(call msg,HELP,$@)
	$(Q)mkdir -p $(@D)
	$(Q)packaging/help/tables $(BUILD)/bin >$@
else
$(TABLES): FORCE
	+$(Q)env -u MAKEFLAGS -u MAKEOVERRIDES $(MAKE) ARCH=$(HOST_ARCH) BUILD=$(BUILD_HERE) $@
endif
$(BUILD)/man/%: man/%.in $(TABLES) $(HELP)
	$(call msg,MAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)awk -v page=$(basename $*) -f packaging/help/man.awk $(TABLES) $< >$@
define completion_rule
$$(BUILD)/help/%.$(1): $$(TABLES) $$(HELP)
	$$(call msg,HELP,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)awk -v program=$$* -v code=packaging/help/bash.in -f packaging/help/values.awk -f packaging/help/$(1).awk $$(TABLES) >$$@
endef
$(foreach s,bash zsh fish,$(eval $(call completion_rule,$(s))))

# keep what is only a step on the way
.SECONDARY:
-include $(patsubst %.o,%.d,$(LIB_OBJS) $(BPF_OBJS) $(call objs,$(HELPER_SRCS) \
	$(wildcard tools/*.c tests/unit/test_*.c tests/fixtures/*.c bench/*.c)) $(patsubst %.c,$(BUILD)/%.o,$(wildcard bpf/probe/*.bpf.c bench/*.bpf.c tests/bpf/*.bpf.c)))

# Each tests/fuzz/NAME.c with the seeds of tests/fuzz/NAME; what it finds is left in $(BUILD)/fuzz
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_SECONDS ?= 600
.PHONY: fuzz
fuzz: $(FUZZERS) ## feed the parsers with what nobody writes, FUZZ_SECONDS=600 each (clang)
	$(Q)for f in $(FUZZERS); do mkdir -p $$f.corpus; \
		$$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -artifact_prefix=$$f. $$f.corpus tests/fuzz/$${f##*/} || exit; done
# of the library what they need, built once for all of them
FUZZ_FLAGS := -std=gnu17 $(WARN) -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all
FUZZ_OBJS := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(wildcard $(foreach d,base export model run sinks store tui web,src/$(d)/*.c) \
	$(foreach f,doing host identity kallsyms symbols_elf symbols_maps,src/collect/$(f).c) src/connect/source.c \
	src/daemon/latest.c src/daemon/log.c src/daemon/pages.c tests/fixtures/world.c))
$(BUILD)/fuzz/flags: FORCE
	$(call stamp,$(CLANG) $(CPPFLAGS_ALL) $(FUZZ_FLAGS))
$(FUZZ_OBJS): | $(PROTO_HEADERS)
$(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/fuzz/flags
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -I$(BUILD)/gen $(CPPFLAGS_ALL) -Itests $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(BUILD)/fuzz/lib.a: $(FUZZ_OBJS) $(PROTO_HEADERS:.h=.o)
	$(call archive,$^)
$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/lib.a $(wildcard tests/fuzz/*.h)
	$(call msg,FUZZ,$@)
	$(Q)$(CLANG) -I$(BUILD)/gen $(CPPFLAGS_ALL) -Itests $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $(filter-out %.h,$^) $(LIBS)
-include $(FUZZ_OBJS:.o=.d)

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

IMAGE_ARCHS ?= x86_64 aarch64
.PHONY: image check-image
image: need-root ## make the container image, build/image/vmalock.tar (sudo make image; IMAGE_ARCHS=x86_64: only that)
	$(call deps,$(DEPS_BUILD) $(DEPS_IMAGE))
	$(foreach a,$(IMAGE_ARCHS),$(call image_programs,$(a)))
	$(Q)deploy/image $(BUILD)/image $(foreach a,$(IMAGE_ARCHS),$(a)=$(call image_build,$(a))/bin)
image_build = $(BUILD)$(if $(filter-out $(HOST_ARCH),$(1)),-$(1))
define image_programs
$(if $(filter-out $(HOST_ARCH),$(1)),$(Q)tests/vm/system $(1) >/dev/null)
$(call as_user,ARCH=$(1) all)

endef

check-image: need-root ## build the image of this machine, start its vmalockd, scrape it (sudo make check-image; not in make check)
	$(call deps,$(DEPS_BUILD) $(DEPS_IMAGE) bats=bats curl=curl jq=jq)
	$(call as_user,all)
	@BUILD='$(BUILD)' tests/run tests/image/image.bats

# of another machine: in a system that packaging/deb makes, which takes root
DEB_HERE := $(shell dpkg --print-architecture 2>/dev/null)
DEB_ARCH ?= $(DEB_HERE)
.PHONY: deb check-deb
deb: $(if $(filter-out $(DEB_HERE),$(DEB_ARCH)),need-root) ## make the Debian packages vmalock and vmalock-daemon, in build/deb (DEB_ARCH=arm64: of another machine)
ifeq ($(DEB_ARCH),$(DEB_HERE))
	$(call deps,$(DEPS_BUILD) $(DEPS_DEB))
	$(call as_user,deb-packages)
else
	$(call deps,$(DEPS_BUILD) $(DEPS_DEB) debootstrap=debootstrap)
	$(call as_user,$(TABLES))
	$(Q)TABLES='$(TABLES)' packaging/deb $(BUILD)/deb $(DEB_ARCH)
endif
.PHONY: deb-packages
deb-packages:
	$(Q)packaging/deb $(BUILD)/deb $(DEB_ARCH)

check-deb: need-root ## install, upgrade, remove and purge the packages in a clean system (sudo make check-deb; not in make check)
	$(call deps,$(DEPS_BUILD) $(DEPS_DEB) bats=bats curl=curl debootstrap=debootstrap)
	$(call as_user,deb-packages)
	@BUILD='$(BUILD)' tests/run tests/deb/deb.bats

# hosts without packages; the programs are built with other flags, so in a folder of their own
TARBALL := $(BUILD)/tarball
.PHONY: tarball tarball-files check-tarball
tarball: ## make an archive of programs that need no package, in build/tarball
	$(call deps,$(DEPS_BUILD) $(DEPS_TARBALL))
	$(call as_user,tarball-files)
ifeq ($(ARCH),$(HOST_ARCH))
tarball-files: $(TABLES)
	$(Q)rm -rf $(TARBALL)/tree
	+$(Q)$(MAKE) STATIC=1 BUILD=$(TARBALL)/build TABLES=$(TABLES) install DESTDIR=$(TARBALL)/tree PREFIX=/opt/vmalock
	$(Q)packaging/tarball $(TARBALL) $(TARBALL)/tree '$(CC)' $(ARCH) $(call pkg,--static --libs,$(PKGS))
else
tarball-files:
	@echo 'make tarball: for the machine it is made on only' >&2; exit 1
endif

check-tarball: need-root ## run what is in the archive in virtual machines that have nothing else (sudo make check-tarball; not in make check)
	$(call deps,$(DEPS_BUILD) $(DEPS_TARBALL) bats=bats jq=jq $(DEPS_VM))
	$(call as_user,tarball-files)
	@BUILD='$(BUILD)' tests/run tests/tarball/tarball.bats

.PHONY: check-vm
check-vm: need-root ## run the tests on all kernels of tests/vm/kernels, in virtual machines (sudo make check-vm)
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK))
	+@MAKE='$(MAKE)' tests/run gcc vm-all

.PHONY: bench
bench: need-root ## measure what vmalock costs here, into docs/bench.md (sudo make bench; ARGS='-q start': see bench/run)
	$(call deps,$(DEPS_BUILD) $(DEPS_BENCH))
	$(call as_user,all bench-build)
	@BUILD='$(BUILD)' bench/run $(or $(ARGS),-d docs/bench.md)

.PHONY: bench-daemon
bench-daemon: need-root ## measure what vmalockd costs with 10,000 threads, into docs/cost.md
	$(call deps,$(DEPS_BUILD) $(DEPS_DAEMON))
	$(call as_user,all bench-build)
	@BUILD='$(BUILD)' bench/daemon docs/cost.md

# SOAK seconds each: loads of all kinds, and 1,000 cgroups; as built, and with ASan.  ASan
# keeps what was freed for a while, here 1 MB of it: 16 MB were still filling up after the
# warm-up, and all the growth there was to see.
SOAK ?= 1800
soak_tests = BUILD=$(1) SOAK='$(SOAK)' ASAN_OPTIONS=exitcode=99:quarantine_size_mb=1 \
	bats -f 'under changing load|cgroups with ten' tests/bpf/daemon.bats
.PHONY: soak
soak: need-root ## run vmalockd under load for long, also with ASan: four times SOAK=1800 seconds
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK))
	$(call as_user,all tests)
	@$(call soak_tests,$(BUILD))
	$(call as_user,all tests BUILD=build-san SAN=1)
	@$(call soak_tests,build-san)

# STORM seconds of processes that come and go, of which vmalocktop prints a gigabyte
STORM ?= 120
.PHONY: storm
storm: need-root ## run vmalocktop under processes that come and go as fast as they can, for STORM=120 seconds
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK))
	$(call as_user,all tests)
	@BUILD='$(BUILD)' STORM='$(STORM)' bats tests/bpf/storm.bats

ANOMALIES := all
.PHONY: anomalies
anomalies: need-root ## let each allocation and system call fail once, in programs with ASan (hours; ANOMALIES=300: so many of each kind)
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK))
	$(call as_user,all tests)
	$(call as_user,all tests BUILD=build-san SAN=1)
	@BUILD=build-san ANOMALIES='$(ANOMALIES)' bats tests/anomaly

.PHONY: bench-exposition
bench-exposition: $(BUILD)/bench/exposition ## measure what an interval and a scrape of the metrics cost
	@$<

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
	libsmartcols-dev=smartcols.pc libjansson-dev=jansson.pc libsqlite3-dev=sqlite3.pc libseccomp-dev=libseccomp.pc \
	libprotobuf-c-dev=libprotobuf-c.pc protobuf-c-compiler=protoc-c libbpfcc-dev=/usr/include/bcc/bcc_syms.h \
	libmicrohttpd-dev=libmicrohttpd.pc libcurl4-gnutls-dev=libcurl.pc libgnutls28-dev=gnutls.pc libyaml-dev=yaml-0.1.pc libcrypt-dev=libcrypt.pc \
	libcap-dev=libcap.pc libsystemd-dev=libsystemd.pc
DEPS_CHECK = gcc=gcc clang=clang libcmocka-dev=cmocka.pc bats=bats procps=pkill tmux=tmux jq=jq curl=curl openssl=openssl sqlite3=sqlite3 chromium=chromium prometheus=promtool \
	kubernetes-client=kubectl python3-yaml=/usr/lib/python3/dist-packages/yaml/__init__.py systemd=systemd-analyze mandoc=mandoc zsh=zsh fish=fish bsdextrautils=col locales=/usr/share/i18n/locales/de_DE \
	$(DEPS_VM)
DEPS_VM := qemu-system-x86=qemu-system-x86_64 qemu-system-arm=qemu-system-aarch64 busybox-static=busybox cpio=cpio lld=ld.lld
DEPS_BENCH := bpftrace=bpftrace linux-perf=perf libbpf-tools=klockstat default-jre-headless=java postgresql=pg_ctlcluster \
	curl=curl jq=jq
DEPS_DEB := debhelper=dh dpkg-dev=dpkg-buildpackage lintian=lintian
DEPS_TARBALL := libunistring-dev=/usr/include/unistr.h
DEPS_IMAGE := buildah=buildah libcap2-bin=/sbin/setcap lld=ld.lld
DEPS_DAEMON := prometheus-node-exporter=prometheus-node-exporter curl=curl jq=jq
DEPS_INSTRUCTIONS := qemu-system-x86=qemu-system-x86_64 busybox-static=busybox cpio=cpio jq=jq

.PHONY: deps
deps: ## install the packages that building, checking and measuring need (APT=no: only print the command)
	$(call deps,$(DEPS_BUILD) $(DEPS_CHECK) $(DEPS_BENCH) $(DEPS_DAEMON) $(DEPS_INSTRUCTIONS) $(DEPS_DEB) debootstrap=debootstrap $(DEPS_TARBALL))

deps = @PKG_CONFIG='$(PKG_CONFIG)' APT='$(APT)' sh -euc "$$DEPS_SH" deps $(sort $(1))
define DEPS_SH
missing=
for dep in "$$@"; do
	probe=$${dep#*=}
	case $$probe in
	*.pc) "$$PKG_CONFIG" --exists "$${probe%.pc}" 2>/dev/null ;;
	/*) [ -e "$$probe" ] ;;
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

BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
DOCDIR = $(DATADIR)/doc/vmalock
EXAMPLEDIR = $(DATADIR)/vmalock
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
BASHDIR = $(DATADIR)/bash-completion/completions
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d

# $(call copy,MODE,FOLDER,FILES)
copy = $(Q)install -d '$(DESTDIR)$(2)' && install -m $(1) $(3) '$(DESTDIR)$(2)'

.PHONY: install install-data
install: all help-files install-data ## copy programs, units, manual pages, examples to DESTDIR/PREFIX (PREFIX=/usr/local)
	$(call msg,INSTALL,$(DESTDIR)$(PREFIX))
	$(call copy,755,$(BINDIR),$(TOOLS))
	$(call copy,644,$(DATADIR)/man/man1,$(filter %.1,$(MAN)))
	$(call copy,644,$(DATADIR)/man/man8,$(filter %.8,$(MAN)))
	$(Q)install -d '$(DESTDIR)$(BASHDIR)' '$(DESTDIR)$(ZSHDIR)' '$(DESTDIR)$(FISHDIR)'
	$(Q)set -e; for p in $(PROGRAMS); do \
		install -m 644 $(BUILD)/help/$$p.bash "$(DESTDIR)$(BASHDIR)/$$p"; \
		install -m 644 $(BUILD)/help/$$p.zsh "$(DESTDIR)$(ZSHDIR)/_$$p"; \
		install -m 644 $(BUILD)/help/$$p.fish "$(DESTDIR)$(FISHDIR)/$$p.fish"; \
	done

# what is not built; what an administrator may have changed stays
install-data:
	$(call msg,INSTALL,$(DESTDIR)$(UNITDIR))
	$(Q)install -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)/etc/default' '$(DESTDIR)$(EXAMPLEDIR)'
	$(Q)sed 's|@BINDIR@|$(BINDIR)|' packaging/vmalockd.service.in >'$(DESTDIR)$(UNITDIR)/vmalockd.service'
	$(Q)chmod 644 '$(DESTDIR)$(UNITDIR)/vmalockd.service'
	$(call copy,644,$(UNITDIR),packaging/vmalockd.socket)
	$(call copy,644,$(DOCDIR),CHANGELOG.md LICENSE LICENSES/*.txt packaging/symbols.conf docs/*.md)
	$(Q)install -d '$(DESTDIR)$(SYSUSERSDIR)'
	$(Q)install -m 644 packaging/sysusers.conf '$(DESTDIR)$(SYSUSERSDIR)/vmalock.conf'
	$(call copy,644,$(EXAMPLEDIR)/prometheus,deploy/prometheus/*.yml)
	$(call copy,644,$(EXAMPLEDIR)/grafana,deploy/grafana/*.json)
	$(call copy,644,$(EXAMPLEDIR)/kubernetes/base,deploy/kubernetes/base/*.yaml)
	$(call copy,644,$(EXAMPLEDIR)/kubernetes/overlays/history,deploy/kubernetes/overlays/history/*.yaml)
	$(Q)[ -e '$(DESTDIR)/etc/default/vmalockd' ] || install -m 644 packaging/vmalockd.default '$(DESTDIR)/etc/default/vmalockd'

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(BUILD) build build-clang build-san build-aarch64

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile
