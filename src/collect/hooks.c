// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every BPF program that attaches to an event, in one table: where it goes,
 * which backend it belongs to and what is lost without it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"

enum kind { TRACEPOINT, PERF, FENTRY, KPROBE, KRETPROBE, CALL /* a kprobe where LOOKUP calls it */ };
#define LOOKUP "lock_vma_under_rcu"

enum when {
	ALWAYS,
	EXACT, /* only in the exact detail */
	HANDLER, /* in the exact detail, and where the handler announces faults */
	ANNOUNCED, /* in the default detail, where the handler announces faults: those it does not get */
	RWSEM, /* only where the lock of a VMA is a rwsem */
	REFCOUNT, /* only where it is a count of references */
	ALONE, /* only where nothing else announces faults */
};

static const struct hook {
	const char *program, *target;
	enum kind kind;
	enum vml_cap_id cap;
	enum when when;
	bool optional; /* the capability is there without it */
} hooks[] = {
	{ "tp_page_fault_user", "page_fault_user", TRACEPOINT, VML_CAP_FAULTS_USER, ALWAYS, false },
	{ "tp_page_fault_kernel", "page_fault_kernel", TRACEPOINT, VML_CAP_FAULTS_KERNEL, ALWAYS, false },
	{ "perf_page_fault", "page-faults", PERF, VML_CAP_FAULTS_USER, ALONE, false },
	{ "tp_mmap_lock_start_locking", "mmap_lock_start_locking", TRACEPOINT, VML_CAP_MMAP_LOCK, ALWAYS, false },
	{ "tp_mmap_lock_acquire_returned", "mmap_lock_acquire_returned", TRACEPOINT, VML_CAP_MMAP_LOCK, ALWAYS, false },
	{ "tp_mmap_lock_released", "mmap_lock_released", TRACEPOINT, VML_CAP_MMAP_LOCK, ALWAYS, false },
	{ "tp_exit_mmap", "exit_mmap", TRACEPOINT, VML_CAP_MMAP_LOCK, ALWAYS, true },
	{ "tp_sched_process_exec", "sched_process_exec", TRACEPOINT, VML_CAP_EXEC, ALWAYS, false },
	{ "tp_sched_process_exit", "sched_process_exit", TRACEPOINT, VML_CAP_EXIT, ALWAYS, false },
	{ "tp_sched_process_free", "sched_process_free", TRACEPOINT, VML_CAP_EXIT, ALWAYS, false },
	{ "tp_contention_begin", "contention_begin", TRACEPOINT, VML_CAP_VMA_WRITE, RWSEM, false },
	{ "tp_contention_end", "contention_end", TRACEPOINT, VML_CAP_VMA_WRITE, RWSEM, false },

	{ "fentry_lock_mm_and_find_vma", "lock_mm_and_find_vma", FENTRY, VML_CAP_OUTCOME, ALWAYS, false },
	{ "fexit_folio_lock_or_retry", "__folio_lock_or_retry", FENTRY, VML_CAP_RETRY_REASON, ALWAYS, false },
	{ "fexit_shmem_fault", "shmem_fault", FENTRY, VML_CAP_RETRY_REASON, ALWAYS, false },
	/* a time has two ends: without either it is not there */
	{ "fentry_filemap_fault", "filemap_fault", FENTRY, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "fexit_filemap_fault", "filemap_fault", FENTRY, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "fentry_do_swap_page", "do_swap_page", FENTRY, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "fexit_do_swap_page", "do_swap_page", FENTRY, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "fexit_do_huge_pmd_device_private", "do_huge_pmd_device_private", FENTRY, VML_CAP_RETRY_REASON, ALWAYS,
	  true },
	{ "fentry_handle_userfault", "handle_userfault", FENTRY, VML_CAP_USERFAULTFD_TIME, ALWAYS, false },
	{ "fexit_handle_userfault", "handle_userfault", FENTRY, VML_CAP_USERFAULTFD_TIME, ALWAYS, false },
	{ "fentry_vma_start_write", "__vma_start_write", FENTRY, VML_CAP_VMA_WRITE, REFCOUNT, false },
	{ "fexit_vma_start_write", "__vma_start_write", FENTRY, VML_CAP_VMA_WRITE, REFCOUNT, false },
	{ "fentry_lock_vma_under_rcu", "lock_vma_under_rcu", FENTRY, VML_CAP_LOOKUPS, EXACT, false },
	{ "fexit_lock_vma_under_rcu", "lock_vma_under_rcu", FENTRY, VML_CAP_LOOKUPS, EXACT, false },
	{ "fexit_lock_next_vma", "lock_next_vma", FENTRY, VML_CAP_LOOKUPS, EXACT, true },
	{ "fexit_handle_mm_fault", "handle_mm_fault", FENTRY, VML_CAP_SERVE_TIME, HANDLER, false },
	{ "fentry_arm64_force_sig_fault", "arm64_force_sig_fault", FENTRY, VML_CAP_FAULTS_USER, ANNOUNCED, true },

	{ "call_mas_walk", "mas_walk", CALL, VML_CAP_MISSES, EXACT, false },

	{ "kprobe_lock_mm_and_find_vma", "lock_mm_and_find_vma", KPROBE, VML_CAP_OUTCOME, ALWAYS, false },
	{ "kprobe_folio_lock_or_retry", "__folio_lock_or_retry", KPROBE, VML_CAP_RETRY_REASON, ALWAYS, false },
	{ "kretprobe_folio_lock_or_retry", "__folio_lock_or_retry", KRETPROBE, VML_CAP_RETRY_REASON, ALWAYS, false },
	{ "kretprobe_shmem_fault", "shmem_fault", KRETPROBE, VML_CAP_RETRY_REASON, ALWAYS, false },
	{ "kprobe_filemap_fault", "filemap_fault", KPROBE, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "kretprobe_filemap_fault", "filemap_fault", KRETPROBE, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "kprobe_do_swap_page", "do_swap_page", KPROBE, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "kretprobe_do_swap_page", "do_swap_page", KRETPROBE, VML_CAP_PAGE_IO_TIME, ALWAYS, false },
	{ "kretprobe_do_huge_pmd_device_private", "do_huge_pmd_device_private", KRETPROBE, VML_CAP_RETRY_REASON, ALWAYS,
	  true },
	{ "kprobe_handle_userfault", "handle_userfault", KPROBE, VML_CAP_USERFAULTFD_TIME, ALWAYS, false },
	{ "kretprobe_handle_userfault", "handle_userfault", KRETPROBE, VML_CAP_USERFAULTFD_TIME, ALWAYS, false },
	{ "kprobe_vma_start_write", "__vma_start_write", KPROBE, VML_CAP_VMA_WRITE, REFCOUNT, false },
	{ "kretprobe_vma_start_write", "__vma_start_write", KRETPROBE, VML_CAP_VMA_WRITE, REFCOUNT, false },
	{ "kprobe_lock_vma_under_rcu", "lock_vma_under_rcu", KPROBE, VML_CAP_LOOKUPS, EXACT, false },
	{ "kretprobe_lock_vma_under_rcu", "lock_vma_under_rcu", KRETPROBE, VML_CAP_LOOKUPS, EXACT, false },
	{ "kretprobe_lock_next_vma", "lock_next_vma", KRETPROBE, VML_CAP_LOOKUPS, EXACT, true },
	{ "kprobe_handle_mm_fault", "handle_mm_fault", KPROBE, VML_CAP_SERVE_TIME, HANDLER, false },
	{ "kretprobe_handle_mm_fault", "handle_mm_fault", KRETPROBE, VML_CAP_SERVE_TIME, HANDLER, false },
	{ "kprobe_arm64_force_sig_fault", "arm64_force_sig_fault", KPROBE, VML_CAP_FAULTS_USER, ANNOUNCED, true },
};
#define NHOOKS (sizeof(hooks) / sizeof(hooks[0]))
_Static_assert(NHOOKS <= HOOKS_MAX, "room in struct session");

static bool is_probe(const struct hook *h)
{
	return h->kind == KPROBE || h->kind == KRETPROBE || h->kind == CALL;
}

static bool of_backend(const struct hook *h, enum backend b)
{
	switch (h->kind) {
	case FENTRY:
		return b == BACKEND_FENTRY;
	case KPROBE:
	case KRETPROBE:
		return b == BACKEND_KPROBE;
	case PERF:
		return b == BACKEND_TRACEPOINT;
	case CALL:
		return b != BACKEND_TRACEPOINT;
	default:
		return true;
	}
}

static bool wanted(const struct session *s, const struct hook *h)
{
	if (!of_backend(h, s->backend))
		return false;
	switch (h->when) {
	case EXACT:
		return s->exact;
	case HANDLER:
		return s->exact || session_faults_by_handler(s);
	case ANNOUNCED:
		return !s->exact && session_faults_by_handler(s);
	case RWSEM:
		return caps_vma_lock_is_rwsem(s->btf);
	case REFCOUNT:
		return !caps_vma_lock_is_rwsem(s->btf);
	case ALONE:
		return !s->fault_tracepoint;
	default:
		return h->kind != TRACEPOINT || s->caps.cap[h->cap].state != VML_CAP_NO;
	}
}

static struct bpf_program *program_of(const struct session *s, const struct hook *h)
{
	return bpf_object__find_program_by_name(s->skel->obj, h->program);
}

/* The function is not in this kernel, or not where a program can go. */
static void lacks(struct session *s, const struct hook *h, const char *verb, int err)
{
	struct vml_cap *cap = &s->caps.cap[h->cap];

	if (h->optional || cap->state == VML_CAP_NO)
		return;
	if (err)
		caps_set(&s->caps, h->cap, VML_CAP_NO, "%s %s: %s", verb, h->target, strerror(err));
	else
		caps_set(&s->caps, h->cap, VML_CAP_NO, "%s %s", verb, h->target);
}

void hooks_choose(struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++) {
		const struct hook *h = &hooks[i];
		struct bpf_program *p = program_of(s, h);
		bool load = wanted(s, h) && !s->dropped[i];

		if (load && h->kind == FENTRY && !caps_btf_function(s->btf, h->target)) {
			lacks(s, h, "no function to attach to:", 0);
			load = false;
		}
		bpf_program__set_autoload(p, load);
		if (load && s->multi && (h->kind == KPROBE || h->kind == KRETPROBE))
			bpf_program__set_expected_attach_type(p, BPF_TRACE_KPROBE_MULTI);
	}
}

bool hooks_drop(struct session *s, const char *name, int err)
{
	for (size_t i = 0; i < NHOOKS; i++) {
		if (strcmp(hooks[i].program, name) || s->dropped[i])
			continue;
		s->dropped[i] = true;
		lacks(s, &hooks[i], "loading a program for", -err);
		return true;
	}
	return false;
}

/* ---- attaching */

static struct bpf_link *attach_kprobe(const struct session *s, struct bpf_program *p, const struct hook *h)
{
	LIBBPF_OPTS(bpf_kprobe_multi_opts, multi, .syms = (const char **)&h->target, .cnt = 1,
		    .retprobe = h->kind == KRETPROBE);

	if (s->multi)
		return bpf_program__attach_kprobe_multi_opts(p, NULL, &multi);
	return bpf_program__attach_kprobe(p, h->kind == KRETPROBE, h->target);
}

/* lib/ is built without ftrace, so that mas_walk() itself can have neither a trampoline nor a kprobe. */
static struct bpf_link *attach_call(struct bpf_program *p, const struct hook *h)
{
	LIBBPF_OPTS(bpf_kprobe_opts, opts);
	uint64_t offset;
	int err;

	err = callsite_find(LOOKUP, h->target, &offset);
	if (err) {
		errno = -err;
		return NULL;
	}
	opts.offset = offset;
	return bpf_program__attach_kprobe_opts(p, LOOKUP, &opts);
}

static int attach(struct session *s, size_t i)
{
	const struct hook *h = &hooks[i];
	struct bpf_program *p = program_of(s, h);

	if (h->kind == PERF)
		return perf_attach(s);
	if (h->kind == CALL)
		s->link[i] = attach_call(p, h);
	else if (h->kind == KPROBE || h->kind == KRETPROBE)
		s->link[i] = attach_kprobe(s, p, h);
	else
		s->link[i] = bpf_program__attach(p);
	return s->link[i] ? 0 : -errno;
}

/* What no program of this session shows. */
static void name_absent(struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++) {
		const struct hook *h = &hooks[i];

		if (s->caps.cap[h->cap].state != VML_CAP_UNKNOWN)
			continue;
		if (s->backend == BACKEND_TRACEPOINT)
			caps_set(&s->caps, h->cap, VML_CAP_NO, "the tracepoint backend does not see %s", h->target);
		else if (!s->exact && (h->when == EXACT || h->when == HANDLER))
			caps_set(&s->caps, h->cap, VML_CAP_NO, "programs on %s are part of --detail exact", h->target);
	}
}

static void found(struct session *s, const struct hook *h)
{
	static const char *const how[] = {
		[TRACEPOINT] = "a program attached to tracepoint",
		[PERF] = "programs attached to software event",
		[FENTRY] = "a trampoline on",
		[KPROBE] = "a kprobe on",
		[KRETPROBE] = "a kretprobe on",
		[CALL] = "a kprobe where " LOOKUP " calls",
	};

	if (!h->optional && s->caps.cap[h->cap].state != VML_CAP_NO)
		caps_set(&s->caps, h->cap, VML_CAP_YES, "%s %s", how[h->kind], h->target);
}

int hooks_attach(struct session *s)
{
	int err;

	for (size_t i = 0; i < NHOOKS; i++) {
		if (!bpf_program__autoload(program_of(s, &hooks[i])))
			continue;
		err = attach(s, i);
		if (err)
			lacks(s, &hooks[i], "attaching to", -err);
		else
			found(s, &hooks[i]);
	}
	/* one event for both modes */
	if (s->nperf) {
		caps_set(&s->caps, VML_CAP_FAULTS_USER, VML_CAP_YES, "programs attached to software event page-faults");
		caps_set(&s->caps, VML_CAP_FAULTS_KERNEL, VML_CAP_YES,
			 "programs attached to software event page-faults");
	}
	if (session_faults_by_handler(s) && vml_caps_has(&s->caps, VML_CAP_SERVE_TIME)) {
		caps_set(&s->caps, VML_CAP_FAULTS_USER, VML_CAP_YES, "programs on handle_mm_fault");
		caps_set(&s->caps, VML_CAP_FAULTS_KERNEL, VML_CAP_YES, "programs on lock_mm_and_find_vma");
	}
	/* it is attached to announce faults, and keeps no times */
	if (!s->exact && vml_caps_has(&s->caps, VML_CAP_SERVE_TIME))
		caps_set(&s->caps, VML_CAP_SERVE_TIME, VML_CAP_UNKNOWN, "not tried");
	name_absent(s);
	if (!vml_caps_has(&s->caps, VML_CAP_MMAP_LOCK))
		return -EOPNOTSUPP;
	return s->backend == BACKEND_TRACEPOINT || vml_caps_has(&s->caps, VML_CAP_OUTCOME) ? 0 : -EOPNOTSUPP;
}

/* ---- the hooks on every fault */

static bool is_hot(const struct session *s, const struct hook *h)
{
	if (s->exact)
		return false;
	if (h->when == HANDLER)
		return session_faults_by_handler(s);
	return h->cap == VML_CAP_FAULTS_USER || h->cap == VML_CAP_FAULTS_KERNEL ? h->kind == TRACEPOINT : false;
}

bool hooks_have_hot(const struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++)
		if (is_hot(s, &hooks[i]) && s->link[i])
			return true;
	return s->nperf && !s->exact;
}

int hooks_attach_hot(struct session *s)
{
	int err;

	for (size_t i = 0; i < NHOOKS; i++) {
		if (!s->resting[i])
			continue;
		err = attach(s, i);
		if (err)
			return err;
		s->resting[i] = false;
	}
	perf_enable(s);
	return 0;
}

void hooks_detach_hot(struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++) {
		if (!is_hot(s, &hooks[i]) || !s->link[i])
			continue;
		bpf_link__destroy(s->link[i]);
		s->link[i] = NULL;
		s->resting[i] = true;
	}
	perf_disable(s);
}

void hooks_detach(struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++)
		bpf_link__destroy(s->link[i]);
	perf_detach(s);
	memset(s->link, 0, sizeof(s->link));
}

/*
 * Before 6.7 the kernel counts neither these nor, for programs of kprobes, recursion
 * misses: the whole number is not known then.
 */
bool hooks_add_missed(const struct session *s, const char *name, uint64_t *n)
{
	uint64_t missed;

	for (size_t i = 0; i < NHOOKS; i++) {
		if (strcmp(hooks[i].program, name) || !is_probe(&hooks[i]))
			continue;
		if (!s->link[i] || link_missed(s->link[i], &missed))
			return false;
		*n += missed;
	}
	return true;
}
