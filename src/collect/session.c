// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"

/*
 * Every program and the capability it gives.  A capability is there when all
 * its programs attached.
 */
static const struct {
	const char *program, *tracepoint;
	enum vml_cap_id cap;
} hooks[] = {
	{ "tp_page_fault_user", "page_fault_user", VML_CAP_FAULTS_USER },
	{ "tp_page_fault_kernel", "page_fault_kernel", VML_CAP_FAULTS_KERNEL },
	{ "tp_mmap_lock_start_locking", "mmap_lock_start_locking", VML_CAP_MMAP_LOCK },
	{ "tp_mmap_lock_acquire_returned", "mmap_lock_acquire_returned", VML_CAP_MMAP_LOCK },
	{ "tp_mmap_lock_released", "mmap_lock_released", VML_CAP_MMAP_LOCK },
	{ "tp_sched_process_exec", "sched_process_exec", VML_CAP_EXEC },
	{ "tp_sched_process_free", "sched_process_free", VML_CAP_EXIT },
};
#define NHOOKS (sizeof(hooks) / sizeof(hooks[0]))

/* libbpf explains failures at length on stderr; we have one line for them. */
static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int open_and_load(struct session *s, const struct vml_live_options *o, int without)
{
	/*
	 * Named even when it is the default: without a path libbpf looks for types that
	 * this kernel does not have in the BTF of modules, which needs CAP_SYS_ADMIN.
	 */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = o->btf_path ? o->btf_path : CAPS_BTF_PATH);
	uint64_t start = 0, end = 0;
	int err;

	s->skel = vmalock_bpf__open_opts(&opts);
	if (!s->skel)
		return -errno;
	for (size_t i = 0; i < NHOOKS; i++) {
		struct bpf_program *p = bpf_object__find_program_by_name(s->skel->obj, hooks[i].program);

		bpf_program__set_autoload(p, s->caps.cap[hooks[i].cap].state != VML_CAP_NO && (int)i != without);
	}
	if (o->max_processes)
		bpf_map__set_max_entries(s->skel->maps.processes, o->max_processes);
	if (o->max_vmas)
		bpf_map__set_max_entries(s->skel->maps.vmas, o->max_vmas);
	s->skel->rodata->self_tgid = getpid();
	s->skel->rodata->have_rdonly_cast = vml_caps_has(&s->caps, VML_CAP_VMA_IDENTITY);
	if (vml_caps_has(&s->caps, VML_CAP_FAULT_CONTEXT) &&
	    !strstr(s->caps.cap[VML_CAP_FAULT_CONTEXT].how, "in_user_fault"))
		kallsyms_range("lock_mm_and_find_vma", &start, &end);
	s->skel->rodata->fallback_text_start = start;
	s->skel->rodata->fallback_text_end = end;
	err = vmalock_bpf__load(s->skel);
	if (err) {
		vmalock_bpf__destroy(s->skel);
		s->skel = NULL;
	}
	return err;
}

/* When the whole does not load, one program may be to blame: leave each out in turn. */
static int load(struct session *s, const struct vml_live_options *o)
{
	int first = open_and_load(s, o, -1), err = first;

	if (!first || first == -EPERM || first == -ENOMEM)
		return first;
	for (size_t i = 0; i < NHOOKS; i++) {
		err = open_and_load(s, o, i);
		if (!err) {
			caps_set(&s->caps, hooks[i].cap, VML_CAP_NO, "%s does not load: %s", hooks[i].program,
				 strerror(-first));
			return 0;
		}
	}
	return first;
}

static void attach(struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++) {
		struct bpf_program *p = bpf_object__find_program_by_name(s->skel->obj, hooks[i].program);
		struct vml_cap *cap = &s->caps.cap[hooks[i].cap];
		struct bpf_link *link;

		if (!bpf_program__autoload(p))
			continue;
		link = bpf_program__attach(p);
		if (!link) {
			caps_set(&s->caps, hooks[i].cap, VML_CAP_NO, "attaching to %s: %s", hooks[i].tracepoint,
				 strerror(errno));
			continue;
		}
		s->link[i] = link;
		if (cap->state == VML_CAP_UNKNOWN)
			caps_set(&s->caps, hooks[i].cap, VML_CAP_YES, "a program attached to %s", hooks[i].tracepoint);
	}
}

/* Where counts go when a map is full: rows that belong to nobody. */
static int add_untracked(struct session *s)
{
	struct vml_proc_value process = { .comm = "(untracked)" };
	struct vml_vma_value vma = { .kind = VML_VMA_UNKNOWN };
	struct vml_vma_key key = {};
	int err;

	err = bpf_map_update_elem(bpf_map__fd(s->skel->maps.processes), &key.proc, &process, BPF_ANY);
	if (err)
		return err;
	return bpf_map_update_elem(bpf_map__fd(s->skel->maps.vmas), &key, &vma, BPF_ANY);
}

static int start(struct session *s)
{
	int err;

	err = add_untracked(s);
	if (err)
		return err;
	s->iter_link = bpf_program__attach_iter(s->skel->progs.iter_tasks, NULL);
	if (!s->iter_link)
		return -errno;
	s->iter_fd = bpf_link__fd(s->iter_link);
	caps_set(&s->caps, VML_CAP_TASK_ITERATOR, VML_CAP_YES, "an iterator over tasks attached");
	attach(s);
	if (!vml_caps_has(&s->caps, VML_CAP_MMAP_LOCK))
		return -EOPNOTSUPP;
	s->skel->bss->enabled = 1; /* last: nothing is counted by halves */
	snprintf(s->caps.backend, sizeof(s->caps.backend), "tracepoint");
	return 0;
}

int session_open(struct session *s, const struct vml_live_options *o, char error[VML_ERROR_MAX])
{
	libbpf_print_fn_t before;
	int err;

	*s = (struct session){ .iter_fd = -1 };
	caps_init(&s->caps);
	if (o->backend && strcmp(o->backend, "auto") && strcmp(o->backend, "tracepoint")) {
		snprintf(error, VML_ERROR_MAX, "backend %s: not in this version. Use tracepoint.", o->backend);
		return -EINVAL;
	}
	before = libbpf_set_print(quiet);
	err = caps_from_btf(&s->caps, o->btf_path, error);
	if (err)
		goto out;
	err = load(s, o);
	if (err) {
		caps_set(&s->caps, VML_CAP_BPF, VML_CAP_NO, "loading the programs: %s", strerror(-err));
		caps_explain(err, "load BPF programs", error);
		goto out;
	}
	caps_set(&s->caps, VML_CAP_BPF, VML_CAP_YES, "the programs loaded");
	err = start(s);
	if (err)
		caps_explain(err, "attach BPF programs", error);
out:
	libbpf_set_print(before);
	if (err)
		session_close(s);
	return err;
}

void session_close(struct session *s)
{
	for (size_t i = 0; i < NHOOKS; i++)
		bpf_link__destroy(s->link[i]);
	bpf_link__destroy(s->iter_link);
	vmalock_bpf__destroy(s->skel);
	s->skel = NULL;
	s->iter_link = NULL;
	memset(s->link, 0, sizeof(s->link));
}

int session_misses(const struct session *s, void (*each)(void *arg, const char *program, uint64_t n), void *arg)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, s->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_program__fd(p);

		if (fd < 0)
			continue; /* not loaded: it shows nothing and misses nothing */
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			return -errno;
		each(arg, bpf_program__name(p), info.recursion_misses);
	}
	return 0;
}
