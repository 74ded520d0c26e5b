// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "probe_hooks.skel.h"
#include "vmalock/base.h"

#define TEXT(w, l, g)                                \
	{                                            \
		.what = (w), .lost = (l), .get = (g) \
	}

static const struct vml_cap texts[VML_NCAPS] = {
	[VML_CAP_BPF] = TEXT("loading BPF programs", "everything", "run as root, or with CAP_BPF and CAP_PERFMON"),
	[VML_CAP_BTF] = TEXT("type information of the kernel", "everything",
			     "a kernel with CONFIG_DEBUG_INFO_BTF=y, or --btf FILE"),
	[VML_CAP_PER_VMA_LOCK] = TEXT("per-VMA locks in the kernel", "hits and fallbacks: every fault takes mmap_lock",
				      "Linux 6.4 or later with CONFIG_PER_VMA_LOCK"),
	[VML_CAP_FAULTS_USER] = TEXT("tracepoint page_fault_user", "faults, hits, fallbacks and their VMAs",
				     "x86-64; other machines have no fault tracepoint"),
	[VML_CAP_FAULTS_KERNEL] = TEXT("tracepoint page_fault_kernel", "kernel-mode faults and bypasses",
				       "x86-64; other machines have no fault tracepoint"),
	[VML_CAP_MMAP_LOCK] = TEXT("tracepoints mmap_lock:*", "waits, holds, fallbacks",
				   "Linux 6.1 or later with CONFIG_TRACEPOINTS"),
	[VML_CAP_TASK_ITERATOR] =
		TEXT("reading all threads in one pass", "everything", "Linux 6.1 or later with CONFIG_BPF_SYSCALL"),
	[VML_CAP_EXIT] = TEXT("tracepoint sched_process_free",
			      "what a thread counted between the last interval and its end", "CONFIG_TRACEPOINTS"),
	[VML_CAP_EXEC] = TEXT("tracepoint sched_process_exec", "two programs run by one process are not kept apart",
			      "CONFIG_TRACEPOINTS"),
	[VML_CAP_FAULT_CONTEXT] = TEXT("telling a fallback from a trylock under the VMA lock", "hits and fallbacks",
				       "CONFIG_MEMCG_V1, or CONFIG_LRU_GEN and readable kallsyms"),
	[VML_CAP_VMA_IDENTITY] =
		TEXT("finding the VMA of a fault without a lock", "rows by VMA, reasons", "Linux 6.2 or later"),
	[VML_CAP_CGROUP] = TEXT("cgroup of a process", "cgroup column and --cgroup", "CONFIG_CGROUPS"),
	[VML_CAP_FENTRY] =
		TEXT("BPF trampolines", "the fentry backend; the kprobe backend shows the same, with some loss",
		     "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, and a host that allows it"),
	[VML_CAP_KPROBE] = TEXT("kprobes", "the kprobe backend: what fentry shows, where that is missing",
				"CONFIG_KPROBES; under lockdown=confidentiality also CONFIG_FPROBE"),
	[VML_CAP_OUTCOME] = TEXT("telling aborts from retries, exactly",
				 "aborts and retries apart; reasons are inferred", "the fentry or the kprobe backend"),
	[VML_CAP_RETRY_REASON] = TEXT("functions that give the VMA lock up", "reasons of retries are inferred",
				      "the fentry or the kprobe backend"),
	[VML_CAP_VMA_WRITE] = TEXT("write locks of VMAs that wait for readers",
				   "how long writers wait for the readers of a VMA, and for how many",
				   "the fentry or the kprobe backend"),
	[VML_CAP_USERFAULTFD_TIME] =
		TEXT("time inside handle_userfault", "how long userfaultfd monitors take to answer",
		     "the fentry or the kprobe backend, CONFIG_USERFAULTFD"),
	[VML_CAP_PAGE_IO_TIME] = TEXT("time inside filemap_fault and do_swap_page",
				      "how long faults wait for pages to be read; that reason of retries is inferred",
				      "the fentry or the kprobe backend"),
	[VML_CAP_LOOKUPS] =
		TEXT("lookups of VMAs, by who makes them", "lookups that are made by others than page faults",
		     "the fentry or the kprobe backend, with --detail exact"),
	[VML_CAP_MISSES] =
		TEXT("lookups that begin again", "misses; they are rare, and end as one of the other outcomes",
		     "--detail exact, kprobes, readable /proc/kallsyms, no lockdown=confidentiality"),
	[VML_CAP_SERVE_TIME] = TEXT("time from a fault to the end of its handler", "how long faults take, by outcome",
				    "the fentry or the kprobe backend, with --detail exact"),
	[VML_CAP_RUN_DELAY] = TEXT("how long a thread waited for a CPU",
				   "holders and next owners without a CPU: that time counts as sleep and waking up",
				   "CONFIG_SCHEDSTATS or CONFIG_TASK_DELAY_ACCT"),
	[VML_CAP_NAMES] =
		TEXT("reading strings of the kernel", "names of files and cgroups", "no lockdown=confidentiality"),
	[VML_CAP_VMSTAT] = TEXT("the kernel's own vma_lock_* counters", "nothing: they serve as a cross-check",
				"CONFIG_PER_VMA_LOCK_STATS"),
};

void caps_init(struct vml_caps *c)
{
	*c = (struct vml_caps){ .backend = "none", .detail = "default", .own_pids = !pids_are_hosts() };
	memcpy(c->cap, texts, sizeof(texts));
	for (size_t i = 0; i < VML_NCAPS; i++) {
		c->cap[i].name = vml_cap_name(i);
		caps_set(c, i, VML_CAP_UNKNOWN, "not tried");
	}
}

void caps_set(struct vml_caps *c, enum vml_cap_id id, enum vml_cap_state state, const char *how, ...)
{
	va_list ap;

	c->cap[id].state = state;
	va_start(ap, how);
	vsnprintf(c->cap[id].how, sizeof(c->cap[id].how), how, ap);
	va_end(ap);
}

/* ---- BTF */

#define LIBBPF_ERRNO_FIRST 4000 /* __LIBBPF_ERRNO__START: not for strerror() */

static bool has_member(const struct btf *btf, const struct btf_type *t, const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (size_t i = 0; i < btf_vlen(t); i++, m++) {
		const char *s = btf__name_by_offset(btf, m->name_off);
		const struct btf_type *inner = btf__type_by_id(btf, m->type);

		if (s && !strcmp(s, name))
			return true;
		/* members of anonymous structs and unions are the struct's own */
		if (s && !*s && btf_is_composite(inner) && has_member(btf, inner, name))
			return true;
	}
	return false;
}

static bool has_field(const struct btf *btf, const char *type, const char *field)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);

	return id > 0 && (!field || has_member(btf, btf__type_by_id(btf, id), field));
}

static bool has_tracepoint(const struct btf *btf, const char *name)
{
	char typedef_name[64];

	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF) > 0;
}

/* A tracepoint in BTF is not yet attached: that is session.c's trial. */
static void from_tracepoint(struct vml_caps *c, const struct btf *btf, enum vml_cap_id id, const char *name)
{
	if (has_tracepoint(btf, name))
		caps_set(c, id, VML_CAP_UNKNOWN, "%s is in BTF", name);
	else
		caps_set(c, id, VML_CAP_NO, "%s is not in BTF", name);
}

static void from_fault_bits(struct vml_caps *c, const struct btf *btf)
{
	uint64_t start, end;
	int err;

	if (has_field(btf, "task_struct", "in_user_fault")) {
		caps_set(c, VML_CAP_FAULT_CONTEXT, VML_CAP_YES, "task_struct.in_user_fault is in BTF");
		return;
	}
	err = kallsyms_range("lock_mm_and_find_vma", &start, &end);
	if (!err)
		caps_set(c, VML_CAP_FAULT_CONTEXT, VML_CAP_YES, "%sstack frames of lock_mm_and_find_vma",
			 has_field(btf, "task_struct", "in_lru_fault") ? "task_struct.in_lru_fault, and " : "");
	else
		caps_set(c, VML_CAP_FAULT_CONTEXT, VML_CAP_NO, "lock_mm_and_find_vma in kallsyms: %s", strerror(-err));
}

bool caps_btf_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

bool caps_vma_lock_is_rwsem(const struct btf *btf)
{
	return has_field(btf, "vm_area_struct", "vm_lock") && !has_field(btf, "vm_area_struct", "vm_refcnt");
}

int caps_from_btf(struct vml_caps *c, const char *btf_path, struct btf **ret, char error[VML_ERROR_MAX])
{
	const char *path = btf_path ? btf_path : CAPS_BTF_PATH;
	struct utsname u = {};
	struct btf *btf;
	int err = 0;

	uname(&u);
	btf = btf__parse(path, NULL);
	if (!btf) {
		err = -errno;
		caps_set(c, VML_CAP_BTF, VML_CAP_NO, "%s: %s", path,
			 -err >= LIBBPF_ERRNO_FIRST ? "it is no BTF" : strerror(-err));
		if (btf_path) {
			snprintf(error, VML_ERROR_MAX,
				 "cannot read BTF from %s: %s. Give a file made by pahole or bpftool for kernel %s.",
				 path, -err >= LIBBPF_ERRNO_FIRST || err == -EINVAL ? "it is no BTF" : strerror(-err),
				 u.release);
			return -EINVAL;
		}
		snprintf(error, VML_ERROR_MAX,
			 "cannot read %s: %s. This kernel has no type information; give a file with --btf.", path,
			 strerror(-err));
		return -EOPNOTSUPP;
	}
	caps_set(c, VML_CAP_BTF, VML_CAP_YES, "%s", path);
	if (!has_tracepoint(btf, "mmap_lock_start_locking") || !has_field(btf, "maple_tree", NULL)) {
		snprintf(error, VML_ERROR_MAX,
			 "kernel %s cannot be observed: %s has no %s. Linux 6.1 is the oldest supported.", u.release,
			 path, has_field(btf, "maple_tree", NULL) ? "mmap_lock tracepoints" : "maple tree");
		err = -EOPNOTSUPP;
	}
	if (has_field(btf, "mm_struct", "mm_lock_seq"))
		caps_set(c, VML_CAP_PER_VMA_LOCK, VML_CAP_YES, "mm_struct.mm_lock_seq is in BTF");
	else
		caps_set(c, VML_CAP_PER_VMA_LOCK, VML_CAP_NO, "mm_struct.mm_lock_seq is not in BTF");
	from_tracepoint(c, btf, VML_CAP_FAULTS_USER, "page_fault_user");
	from_tracepoint(c, btf, VML_CAP_FAULTS_KERNEL, "page_fault_kernel");
	from_tracepoint(c, btf, VML_CAP_MMAP_LOCK, "mmap_lock_start_locking");
	from_tracepoint(c, btf, VML_CAP_EXIT, "sched_process_free");
	from_tracepoint(c, btf, VML_CAP_EXEC, "sched_process_exec");
	from_fault_bits(c, btf);
	if (btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0)
		caps_set(c, VML_CAP_VMA_IDENTITY, VML_CAP_YES, "the maple tree and bpf_rdonly_cast are in BTF");
	else
		caps_set(c, VML_CAP_VMA_IDENTITY, VML_CAP_NO, "bpf_rdonly_cast is not in BTF");
	if (has_field(btf, "css_set", "dfl_cgrp"))
		caps_set(c, VML_CAP_CGROUP, VML_CAP_YES, "css_set.dfl_cgrp is in BTF");
	else
		caps_set(c, VML_CAP_CGROUP, VML_CAP_NO, "css_set.dfl_cgrp is not in BTF");
	if (has_field(btf, "sched_info", "run_delay"))
		caps_set(c, VML_CAP_RUN_DELAY, VML_CAP_YES, "sched_info.run_delay is in BTF");
	else
		caps_set(c, VML_CAP_RUN_DELAY, VML_CAP_NO, "sched_info.run_delay is not in BTF");
	if (err) {
		btf__free(btf);
		btf = NULL;
	}
	*ret = btf;
	return err;
}

void caps_from_vmstat(struct vml_caps *c)
{
	FILE *f = fopen("/proc/vmstat", "re");
	char line[128];
	bool found = false;

	if (!f) {
		caps_set(c, VML_CAP_VMSTAT, VML_CAP_UNKNOWN, "/proc/vmstat: %s", strerror(errno));
		return;
	}
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "vma_lock_", 9);
	fclose(f);
	caps_set(c, VML_CAP_VMSTAT, found ? VML_CAP_YES : VML_CAP_NO, "/proc/vmstat has %s vma_lock_* lines",
		 found ? "the" : "no");
}

/* ---- trials */

#define TRIED "lock_mm_and_find_vma"

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* One program of the trial object, loaded; NULL: @ret_err says why. */
static struct probe_hooks *load_trial(const char *name, struct bpf_program **ret, int *ret_err)
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	struct probe_hooks *skel = probe_hooks__open();
	struct bpf_program *p;

	*ret_err = skel ? 0 : -errno;
	if (skel) {
		bpf_object__for_each_program(p, skel->obj)
			bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
		*ret_err = probe_hooks__load(skel);
		*ret = bpf_object__find_program_by_name(skel->obj, name);
	}
	libbpf_set_print(before);
	if (*ret_err && skel) {
		probe_hooks__destroy(skel);
		skel = NULL;
	}
	return skel;
}

static int attach_trial(struct bpf_program *p, bool multi)
{
	const char *target = TRIED;
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = &target, .cnt = 1);
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	struct bpf_link *link;
	int err;

	link = multi ? bpf_program__attach_kprobe_multi_opts(p, NULL, &opts) : bpf_program__attach(p);
	err = link ? 0 : -errno;
	bpf_link__destroy(link);
	libbpf_set_print(before);
	return err;
}

/* True when a program called @name could be attached; else @id says why not. */
static bool try_attach(struct vml_caps *c, enum vml_cap_id id, const char *name, bool multi)
{
	const char *what = multi ? "kprobe.multi" : c->cap[id].name;
	struct bpf_program *p = NULL;
	struct probe_hooks *skel;
	int err;

	skel = load_trial(name, &p, &err);
	if (!skel) {
		caps_set(c, id, VML_CAP_NO, "loading a %s program on " TRIED ": %s", what, strerror(-err));
		return false;
	}
	err = attach_trial(p, multi);
	probe_hooks__destroy(skel);
	if (err)
		caps_set(c, id, VML_CAP_NO, "attaching a %s program to " TRIED ": %s", what, strerror(-err));
	else
		caps_set(c, id, VML_CAP_YES, "a %s program attached to " TRIED, what);
	return !err;
}

/* By hand: for an object with a trampoline libbpf would read the types of the kernel once more. */
void caps_try_fentry(struct vml_caps *c, const struct btf *btf)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int id = btf ? btf__find_by_name_kind(btf, TRIED, BTF_KIND_FUNC)
		     : libbpf_find_vmlinux_btf_id(TRIED, BPF_TRACE_FENTRY);
	int fd = id, link, err;

	if (id > 0) {
		opts.attach_btf_id = id;
		fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe_fentry", "GPL", nothing, VML_ARRAY_SIZE(nothing),
				   &opts);
	}
	if (fd < 0) {
		caps_set(c, VML_CAP_FENTRY, VML_CAP_NO, "loading a fentry program on " TRIED ": %s", strerror(-fd));
		return;
	}
	link = bpf_raw_tracepoint_open(NULL, fd);
	err = link < 0 ? -errno : 0;
	if (link >= 0)
		close(link);
	close(fd);
	if (err)
		caps_set(c, VML_CAP_FENTRY, VML_CAP_NO, "attaching a fentry program to " TRIED ": %s", strerror(-err));
	else
		caps_set(c, VML_CAP_FENTRY, VML_CAP_YES, "a fentry program attached to " TRIED);
}

void caps_try_kprobe(struct vml_caps *c, bool *ret_multi)
{
	*ret_multi = !try_attach(c, VML_CAP_KPROBE, "probe_kprobe", false) &&
		     try_attach(c, VML_CAP_KPROBE, "probe_kprobe_multi", true);
}

void caps_try_names(struct vml_caps *c)
{
	struct bpf_program *p;
	struct probe_hooks *skel;
	int err;

	skel = load_trial("probe_names", &p, &err);
	if (skel)
		caps_set(c, VML_CAP_NAMES, VML_CAP_YES, "a program with bpf_probe_read_kernel loaded");
	else
		caps_set(c, VML_CAP_NAMES, VML_CAP_NO, "loading a program with bpf_probe_read_kernel: %s",
			 strerror(-err));
	probe_hooks__destroy(skel);
}

/* ---- what to say when bpf(2) refuses */

#define CAP_SYS_ADMIN_BIT 21
#define CAP_PERFMON_BIT 38
#define CAP_BPF_BIT 39

static uint64_t effective_caps(void)
{
	unsigned long long caps = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	fclose(f);
	return caps;
}

bool caps_perfmon(void)
{
	return effective_caps() & (1ULL << CAP_SYS_ADMIN_BIT | 1ULL << CAP_PERFMON_BIT);
}

int caps_explain(int err, const char *what, char error[VML_ERROR_MAX])
{
	uint64_t caps = effective_caps();
	bool admin = caps & 1ULL << CAP_SYS_ADMIN_BIT;
	bool bpf = admin || caps & 1ULL << CAP_BPF_BIT, perfmon = admin || caps & 1ULL << CAP_PERFMON_BIT;

	if (err != -EPERM)
		snprintf(error, VML_ERROR_MAX, "cannot %s: %s. Run vmalock doctor to see what this kernel offers.",
			 what, strerror(-err));
	else if (bpf && perfmon)
		snprintf(
			error, VML_ERROR_MAX,
			"cannot %s: refused in spite of CAP_BPF and CAP_PERFMON. In a container the runtime's seccomp profile refuses bpf(2): add capabilities BPF and PERFMON.",
			what);
	else
		snprintf(error, VML_ERROR_MAX, "cannot %s: %s%s%s missing (you are uid %u). Use sudo.", what,
			 bpf ? "" : "CAP_BPF", bpf || perfmon ? "" : " and ",
			 perfmon ? "is"
			 : bpf	 ? "CAP_PERFMON is"
				 : "CAP_PERFMON are",
			 geteuid());
	return err == -EINVAL ? -EIO : err;
}
