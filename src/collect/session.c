// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

/*
 * libbpf explains failures at length on stderr; we have one line for them.  What
 * is kept is the name of the program that did not load.
 */
static char culprit[64];

static int listen(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[256];

	(void)level;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (strstr(line, "BPF program load failed") || strstr(line, "failed to find kernel BTF type ID"))
		sscanf(line, "libbpf: prog '%63[^']'", culprit);
	return 0;
}

static const char *const backend_names[NBACKENDS] = {
	[BACKEND_TRACEPOINT] = "tracepoint",
	[BACKEND_FENTRY] = "fentry",
	[BACKEND_KPROBE] = "kprobe",
};

bool session_faults_by_handler(const struct session *s)
{
	return s->backend != BACKEND_TRACEPOINT && !s->fault_tracepoint;
}

/* More than one NUMA node: "0-1". */
static bool has_many_nodes(void)
{
	FILE *f = fopen("/sys/devices/system/node/has_memory", "re");
	char line[64] = "";

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strpbrk(line, ",-") != NULL;
}

/* ---- loading */

static int set_constants(struct session *s, const struct vml_live_options *o)
{
	bool outcome = s->backend != BACKEND_TRACEPOINT;
	uint64_t start = 0, end = 0;
	uint32_t self;
	int err = pids_self(&self);

	if (err)
		return err;
	s->skel->rodata->self_tgid = self;
	s->skel->rodata->have_rdonly_cast = vml_caps_has(&s->caps, VML_CAP_VMA_IDENTITY);
	s->skel->rodata->can_read_names = vml_caps_has(&s->caps, VML_CAP_NAMES);
	s->skel->rodata->have_outcome = outcome;
	s->skel->rodata->exact_detail = s->exact;
	s->skel->rodata->many_nodes = has_many_nodes();
	s->skel->rodata->faults_by_handler = session_faults_by_handler(s);
	if (!outcome && vml_caps_has(&s->caps, VML_CAP_FAULT_CONTEXT) &&
	    (has_many_nodes() || !strstr(s->caps.cap[VML_CAP_FAULT_CONTEXT].how, "in_user_fault")))
		kallsyms_range("lock_mm_and_find_vma", &start, &end);
	s->skel->rodata->user_stacks = o->user_stacks;
	s->skel->data->stacks_over_ns = o->stacks_over_ns ? o->stacks_over_ns : VML_STACKS_OVER_NS;
	s->skel->rodata->fallback_text_start = start;
	s->skel->rodata->fallback_text_end = end;
	return 0;
}

static int open_and_load(struct session *s, const struct vml_live_options *o, char error[VML_ERROR_MAX])
{
	/*
	 * Named even when it is the default: without a path libbpf looks for types that
	 * this kernel does not have in the BTF of modules, which needs CAP_SYS_ADMIN.
	 */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = o->btf_path ? o->btf_path : CAPS_BTF_PATH);
	int err;

	s->skel = vmalock_bpf__open_opts(&opts);
	if (!s->skel)
		return -errno;
	hooks_choose(s);
	culprit[0] = '\0';
	err = set_constants(s, o);
	if (!err)
		err = memory_limit(s->skel, s->memory_bytes, error);
	if (!err)
		err = vmalock_bpf__load(s->skel);
	/* libbpf goes without them when it finds, rightly or not, that no array can be mapped (before 5.5) */
	if (!err && (!s->skel->bss || !s->skel->data))
		err = -EOPNOTSUPP;
	if (err) {
		vmalock_bpf__destroy(s->skel);
		s->skel = NULL;
	}
	return err;
}

/* A program that does not load is left out, with what it shows, and the others are tried again. */
static int load(struct session *s, const struct vml_live_options *o, char error[VML_ERROR_MAX])
{
	int err;

	do {
		err = open_and_load(s, o, error);
	} while (err && err != -ENOMEM && culprit[0] && hooks_drop(s, culprit, err));
	return err;
}

/* Where counts go when a map is full: rows that belong to nobody. */
static int add_untracked(struct session *s)
{
	struct vml_proc_value process = { .comm = "(untracked)" };
	struct vml_vma_value vma = { .kind = VML_VMA_UNKNOWN };
	struct vml_write_wait write_wait = {};
	struct vml_blocker_value blocker = { .comm = "(untracked)" };
	struct vml_blocker_key blocker_key = {};
	struct vml_vma_key key = {};
	int err;

	err = row_put(s->skel, s->skel->maps.processes, &key.proc, &process);
	if (!err)
		err = row_put(s->skel, s->skel->maps.vmas, &key, &vma);
	if (!err)
		err = row_put(s->skel, s->skel->maps.write_waits, &key, &write_wait);
	if (!err)
		err = row_put(s->skel, s->skel->maps.blockers, &blocker_key, &blocker);
	return err;
}

/* Everything is attached: it counts from now on. */
static void enable(struct session *s)
{
	s->skel->bss->enabled_ns = vml_now_boot();
	s->skel->bss->enabled = 1; /* nothing is counted by halves */
	duty_watch(s);
}

static int attach(struct session *s)
{
	union bpf_iter_link_info of = { .map.map_fd = bpf_map__fd(s->skel->maps.vmas) };
	LIBBPF_OPTS(bpf_iter_attach_opts, vmas, .link_info = &of, .link_info_len = sizeof(of));
	int err = add_untracked(s);

	if (err)
		return err;
	s->tasks_link = bpf_program__attach_iter(s->skel->progs.iter_tasks, NULL);
	if (!s->tasks_link)
		return -errno;
	s->vmas_link = bpf_program__attach_iter(s->skel->progs.iter_vmas, &vmas);
	if (!s->vmas_link)
		return -errno;
	caps_set(&s->caps, VML_CAP_TASK_ITERATOR, VML_CAP_YES, "an iterator over tasks attached");
	err = hooks_attach(s);
	if (err)
		return err;
	s->perf_before = perf_look(s);
	enable(s);
	return 0;
}

static int start(struct session *s)
{
	struct apart apart = { .fd = -1 };
	bool measured;
	int err;

	/* no second process: what the programs cost is not known then */
	measured = s->calibrate && !cost_apart_begin(&apart) && !cost_apart_measure(&apart, &s->cost.without);
	err = attach(s);
	if (measured && !err)
		cost_first(s, &apart);
	cost_apart_end(&apart);
	return err;
}

static void unload(struct session *s)
{
	hooks_detach(s);
	bpf_link__destroy(s->tasks_link);
	bpf_link__destroy(s->vmas_link);
	vmalock_bpf__destroy(s->skel);
	s->skel = NULL;
	s->tasks_link = s->vmas_link = NULL;
}

/* ---- choosing */

/* One backend from its trial to counting. */
static int try_backend(struct session *s, enum backend b, const struct vml_live_options *o, char error[VML_ERROR_MAX])
{
	struct vml_caps before = s->caps;
	enum vml_cap_id trial = b == BACKEND_FENTRY ? VML_CAP_FENTRY : VML_CAP_KPROBE;
	int err;

	s->backend = b;
	s->multi = false;
	memset(s->dropped, 0, sizeof(s->dropped));
	if (b == BACKEND_FENTRY)
		caps_try_fentry(&s->caps, o->btf_path ? NULL : s->btf);
	else if (b == BACKEND_KPROBE)
		caps_try_kprobe(&s->caps, &s->multi);
	if (b != BACKEND_TRACEPOINT && !vml_caps_has(&s->caps, trial)) {
		snprintf(error, VML_ERROR_MAX, "backend %s is not possible here: %s.", backend_names[b],
			 s->caps.cap[trial].how);
		return -EOPNOTSUPP;
	}
	error[0] = '\0';
	err = load(s, o, error);
	if (err == -E2BIG && error[0])
		return -EINVAL; /* of memory_limit(), which has said why */
	if (err) {
		caps_set(&s->caps, VML_CAP_BPF, VML_CAP_NO, "loading the programs: %s", strerror(-err));
		return caps_explain(err, "load BPF programs", error);
	}
	caps_set(&s->caps, VML_CAP_BPF, VML_CAP_YES, "the programs loaded");
	err = start(s);
	if (!err) {
		snprintf(s->caps.backend, sizeof(s->caps.backend), "%s", backend_names[b]);
		snprintf(s->caps.detail, sizeof(s->caps.detail), "%s", s->exact ? "exact" : "default");
		return 0;
	}
	err = caps_explain(err, "attach BPF programs", error);
	if (b != BACKEND_TRACEPOINT) {
		snprintf(error, VML_ERROR_MAX, "backend %s is not possible here: %s.", backend_names[b],
			 s->caps.cap[VML_CAP_OUTCOME].how);
		/* what was found out for the next one, less what this one lost */
		before.cap[trial] = s->caps.cap[trial];
		caps_set(&before, trial, VML_CAP_NO, "%s", s->caps.cap[VML_CAP_OUTCOME].how);
		s->caps = before;
	}
	unload(s);
	return err;
}

static int choose(struct session *s, const struct vml_live_options *o, char error[VML_ERROR_MAX])
{
	/* the cheapest of those that see everything first */
	static const enum backend order[] = { BACKEND_FENTRY, BACKEND_KPROBE, BACKEND_TRACEPOINT };
	const char *name = o->backend && strcmp(o->backend, "auto") ? o->backend : NULL;
	int err = -EINVAL;

	if (name)
		snprintf(error, VML_ERROR_MAX, "backend %s: there are auto, fentry, kprobe and tracepoint.", name);
	for (size_t i = 0; i < NBACKENDS; i++) {
		if (name && strcmp(name, backend_names[order[i]]))
			continue;
		if (s->exact && order[i] == BACKEND_TRACEPOINT) {
			snprintf(
				error, VML_ERROR_MAX,
				"--detail exact needs the backend fentry or kprobe. vmalock doctor says what they lack here.");
			return -EOPNOTSUPP;
		}
		err = try_backend(s, order[i], o, error);
		if (!err)
			error[0] = '\0'; /* what the others lacked */
		if (!err || err == -EPERM || err == -ENOMEM)
			return err;
	}
	return err;
}

int session_open(struct session *s, const struct vml_live_options *o, bool calibrate, char error[VML_ERROR_MAX])
{
	int err;

	*s = (struct session){ .exact = o->detail && !strcmp(o->detail, "exact") };
	s->calibrate = calibrate;
	s->memory_bytes = o->memory_bytes ? o->memory_bytes : VML_MEMORY_BYTES;
	s->cost.period_ns = o->calibrate_ns ? o->calibrate_ns : VML_CALIBRATE_NS;
	s->duty.seed = vml_now_mono() | 1;
	caps_init(&s->caps);
	libbpf_set_print(listen); /* for good: what reads maps later can fail, too */
	err = caps_from_btf(&s->caps, o->btf_path, &s->btf, error);
	if (!err) {
		s->fault_tracepoint = s->caps.cap[VML_CAP_FAULTS_USER].state != VML_CAP_NO;
		caps_try_names(&s->caps);
		err = choose(s, o, error);
	}
	s->duty.possible = !err && o->guard && hooks_have_hot(s);
	btf__free(s->btf);
	s->btf = NULL;
	if (err)
		session_close(s);
	return err;
}

void session_close(struct session *s)
{
	unload(s);
}

int session_misses(const struct session *s, void (*each)(void *arg, const char *program, uint64_t n), void *arg)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, s->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_program__fd(p);
		uint64_t n;

		if (fd < 0)
			continue; /* not loaded: it shows nothing and misses nothing */
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			return -errno;
		n = info.recursion_misses;
		if (hooks_add_missed(s, bpf_program__name(p), &n))
			each(arg, bpf_program__name(p), n);
	}
	return 0;
}
