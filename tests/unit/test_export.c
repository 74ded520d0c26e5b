/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "export.h"

UNIT_OUT_OF_MEMORY

#define SSH "/system.slice/ssh.service"
#define MYSQL "/system.slice/mysql.service"
#define JAVA "/kubepods.slice/cri-containerd-0123456789ab.scope"

/* ---- what a delta comes to */

static struct vml_snapshot *two_cgroups(uint64_t second)
{
	struct vml_snapshot *d = export_delta(second);

	export_process(d, 10, SSH, 1000, 3, 2);
	export_process(d, 11, SSH, 500, 1, 0);
	export_process(d, 20, JAVA, 7000, 40, 5);
	export_blocker(d, 20, JAVA, "munmap", JAVA, 30 * MS);
	export_blocker(d, 30, MYSQL, "read", JAVA, 5 * MS);
	return d;
}

static void counts(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;

	(void)state;
	export_add(e, two_cgroups(100));
	export_add(e, two_cgroups(101));
	x = export_read(e, 0);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"user\",path=\"vma\"}", 3000);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"user\",path=\"mmap\"}", 8);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"kernel\",path=\"mmap\"}", 4);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"kernel\",path=\"none\"}", NAN);
	export_assert(&x, "vmalock_faults_total{cgroup=\"containerd:0123456789ab\",mode=\"user\",path=\"vma\"}", 14000);
	export_assert(&x, "vmalock_fallbacks_total{cgroup=\"ssh.service\",reason=\"write_locked\",certainty=\"exact\"}",
		      8);
	export_assert(&x, "vmalock_fallbacks_total{cgroup=\"ssh.service\",reason=\"kernel_mode\",certainty=\"exact\"}",
		      4);
	export_assert(&x, "vmalock_vma_lock_aborts_total{cgroup=\"ssh.service\"}", 8);
	export_assert(&x, "vmalock_vma_lock_retries_total{cgroup=\"ssh.service\"}", NAN); /* quiet */
	/* 8 waits of 1 ms, 4 of 2 us */
	export_assert(&x, "vmalock_lock_wait_seconds_count{cgroup=\"ssh.service\",lock=\"mmap_read\"}", 12);
	export_assert(&x, "vmalock_lock_wait_seconds_sum{cgroup=\"ssh.service\",lock=\"mmap_read\"}", 0.008008);
	export_assert(
		&x,
		"vmalock_lock_wait_seconds_bucket{cgroup=\"ssh.service\",lock=\"mmap_read\",le=\"9.5367431640625e-07\"}",
		0);
	export_assert(
		&x,
		"vmalock_lock_wait_seconds_bucket{cgroup=\"ssh.service\",lock=\"mmap_read\",le=\"3.814697265625e-06\"}",
		4);
	export_assert(&x,
		      "vmalock_lock_wait_seconds_bucket{cgroup=\"ssh.service\",lock=\"mmap_read\",le=\"0.0009765625\"}",
		      4);
	export_assert(&x,
		      "vmalock_lock_wait_seconds_bucket{cgroup=\"ssh.service\",lock=\"mmap_read\",le=\"0.00390625\"}",
		      12);
	export_assert(&x, "vmalock_lock_wait_seconds_bucket{cgroup=\"ssh.service\",lock=\"mmap_read\",le=\"16\"}", 12);
	export_assert(&x, "vmalock_lock_wait_seconds_bucket{cgroup=\"ssh.service\",lock=\"mmap_read\",le=\"+Inf\"}",
		      12);
	export_assert(&x, "vmalock_blamed_seconds_total{cgroup=\"containerd:0123456789ab\",context=\"munmap\"}", 0.06);
	export_assert(&x, "vmalock_cross_cgroup_blocked_seconds_total{cgroup=\"containerd:0123456789ab\"}", 0.01);
	export_assert(&x,
		      "vmalock_cgroup_info{cgroup=\"ssh.service\",path=\"/system.slice/ssh.service\",kind=\"service\","
		      "unit=\"ssh.service\"}",
		      1);
	/* mysql: blamed, and no process of it is there: it has no series of its own */
	assert_int_equal(export_count(&x, "", "mysql"), 0);
	export_assert(&x, "vmalock_blamed_seconds_total{cgroup=\"other\",context=\"read\"}", 0.01);
	export_assert(&x, "vmalock_exported_series", x.n);
	export_assert(&x, "vmalock_exported_series_limit", 2000);
	export_text_free(&x);
	vml_export_free(e);
}

static void identities(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;

	(void)state;
	for (uint64_t t = 100; t < 110; t++)
		export_add(e, two_cgroups(t));
	x = export_read(e, 0);
	assert_true(export_sum(&x, "vmalock_faults_total{", "") == 10 * 8551);
	assert_true(export_sum(&x, "vmalock_fallbacks_total{", "") == 10 * 51);
	assert_true(export_sum(&x, "vmalock_faults_total{", "path=\"mmap\"") == 10 * 51);
	assert_true(fabs(export_sum(&x, "vmalock_lock_wait_seconds_sum{", "") -
			 export_sum(&x, "vmalock_blamed_seconds_total{", "") -
			 export_value(&x, "vmalock_unattributed_seconds_total")) < 1e-9);
	assert_true(fabs(export_sum(&x, "vmalock_blamed_seconds_total{", "") - 0.35) < 1e-9);
	export_text_free(&x);
	vml_export_free(e);
}

/* Every context has its series, and what is none of them is other. */
static void contexts(void **state)
{
	static const char *const each[][2] = {
		{ "munmap", "munmap" },
		{ "munmap (32-bit)", "munmap" },
		{ "page fault", "page fault" },
		{ "read: page fault", "kernel page fault" },
		{ "mmap", "mmap" },
		{ "khugepaged", "khugepaged" },
		{ "io worker", "io worker" },
		{ "vma readers", "vma readers" },
		{ "kexec_load", "other" },
		{ "mun", "other" },
		{ "", "other" },
		{ "other", "other" },
		{ "system call 999", "other" },
	};

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(each); i++) {
		struct vml_export *e = export_new(0, 0, false);
		struct vml_snapshot *d = export_delta(100);
		struct export_text x;
		char series[128];

		export_process(d, 1, SSH, 1, 0, 0);
		export_blocker(d, 1, SSH, each[i][0], SSH, MS)->value[VML_AVOIDABLE_NS] = MS / 2;
		export_add(e, d);
		x = export_read(e, 0);
		snprintf(series, sizeof(series), "vmalock_blamed_seconds_total{cgroup=\"ssh.service\",context=\"%s\"}",
			 each[i][1]);
		export_assert(&x, series, 0.001);
		snprintf(series, sizeof(series),
			 "vmalock_avoidable_seconds_total{cgroup=\"ssh.service\",context=\"%s\"}", each[i][1]);
		export_assert(&x, series, 0.0005);
		export_text_free(&x);
		vml_export_free(e);
	}
}

/* A process ended in an interval that nobody saw: the host has it, no row does. */
static void rest_is_unknown(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;

	(void)state;
	for (uint64_t t = 100; t < 102; t++) {
		struct vml_snapshot *d = export_whole(two_cgroups(t));
		struct vml_hist more = export_hist(d, 3 * MS, 2);
		struct vml_tally two = UNIT_TALLY(d, { VML_REASON_INDEX(R_NO_VMA, VML_EXACT), 2 });

		d->total[VML_HITS] += 70;
		d->total[VML_FAULTS_USER] += 72;
		d->total[VML_FALLBACKS] += 2;
		assert_int_equal(vml_tally_add(d->arena, &d->reasons, &two, &d->reasons), 0);
		assert_int_equal(vml_hist_add(d->arena, &d->hist[H_READ_WAIT], &more, &d->hist[H_READ_WAIT]), 0);
		assert_int_equal(vml_export_add(e, d), 0);
		vml_snapshot_free(d);
	}
	x = export_read(e, 0);
	/* at first no row was known for it */
	export_assert(&x, "vmalock_faults_total{cgroup=\"other\",mode=\"user\",path=\"vma\"}", 70);
	export_assert(&x, "vmalock_faults_total{cgroup=\"unknown\",mode=\"user\",path=\"vma\"}", 70);
	export_assert(&x, "vmalock_faults_total{cgroup=\"unknown\",mode=\"user\",path=\"mmap\"}", 2);
	export_assert(&x, "vmalock_fallbacks_total{cgroup=\"unknown\",reason=\"no_vma\",certainty=\"exact\"}", 2);
	export_assert(&x, "vmalock_lock_wait_seconds_sum{cgroup=\"unknown\",lock=\"mmap_read\"}", 0.006);
	export_assert(&x, "vmalock_lock_wait_seconds_count{cgroup=\"unknown\",lock=\"mmap_read\"}", 2);
	export_assert(&x, "vmalock_cgroup_info{cgroup=\"unknown\",kind=\"unknown\"}", 1);
	assert_true(export_sum(&x, "vmalock_faults_total{", "") == 2 * 8623);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- absent is never zero */

static void absent(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct vml_snapshot *d = two_cgroups(100);
	struct export_text x;

	(void)state;
	d->have[VML_PROCESS] = VML_METRIC_BIT(VML_FAULTS_USER) | VML_METRIC_BIT(VML_MMAP_READ_WAIT_NS);
	d->have[VML_BLOCKER] = 0;
	d->have_reasons = false;
	export_add(e, d);
	x = export_read(e, 0);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"user\",path=\"unknown\"}", 1504);
	assert_int_equal(export_count(&x, "vmalock_faults_total", "kernel"), 0);
	assert_int_equal(export_count(&x, "vmalock_faults_total", "\"vma\""), 0);
	assert_int_equal(export_count(&x, "vmalock_fallbacks_total", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_vma_lock_", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_blamed", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_unattributed", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_holder_state", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_stalled", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_mmap_lock_hold", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_fault_duration", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_kernel_", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_process_mappings", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_backend_info", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_collector_up", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_foreign", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_lock_wait_seconds_count", "mmap_read"), 2);
	assert_int_equal(export_count(&x, "process_", ""), 0);
	export_text_free(&x);
	vml_export_free(e);
}

/* Before the first delta there is nothing but what the program says of itself. */
static void empty(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x = export_read(e, 1);

	(void)state;
	export_assert(&x, "vmalock_exported_series", 3);
	export_assert(&x, "vmalock_exported_series_limit", 2000);
	export_assert(&x, "vmalock_folded_cgroups", 0);
	assert_int_equal(x.n, 3);
	export_text_free(&x);
	vml_export_free(e);
	vml_export_free(NULL);
}

/* In an interval with skipped programs nothing but bypasses is exact. */
static void not_exact(void **state)
{
	static const struct vml_loss loss[] = { { "recursion_misses_fentry_lock_mm_and_find_vma", "", 1 } };
	struct vml_export *e = export_new(0, 0, false);
	struct vml_snapshot *d = two_cgroups(100);
	struct export_text x;

	(void)state;
	unit_set_loss(d, loss, 1);
	assert_false(vml_snapshot_exact(d));
	export_add(e, d);
	x = export_read(e, 0);
	export_assert(&x,
		      "vmalock_fallbacks_total{cgroup=\"ssh.service\",reason=\"write_locked\",certainty=\"inferred\"}",
		      4);
	export_assert(&x, "vmalock_fallbacks_total{cgroup=\"ssh.service\",reason=\"kernel_mode\",certainty=\"exact\"}",
		      2);
	assert_int_equal(export_count(&x, "vmalock_fallbacks_total", "write_locked\",certainty=\"exact"), 0);
	export_assert(&x, "vmalock_lost_events_total{cause=\"recursion_misses_fentry_lock_mm_and_find_vma\"}", 1);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- what has no cgroup */

static struct vml_snapshot *whole_host(uint64_t second)
{
	static const struct vml_loss loss[] = { { "thread_storage", "", 0 }, { "vma_map_full", "", 7 } };
	struct vml_snapshot *d = two_cgroups(second);
	struct vml_row *p = &d->rows[VML_PROCESS].row[0], *b = &d->rows[VML_BLOCKER].row[0];
	struct vml_caps *caps = vml_arena_alloc(d->arena, sizeof(*caps));

	assert_non_null(caps);
	for (int i = 0; i < VML_NCAPS; i++)
		caps->cap[i] = (struct vml_cap){ .name = "cap", .state = VML_CAP_UNKNOWN };
	caps->cap[VML_CAP_BTF] = (struct vml_cap){ .name = "btf", .state = VML_CAP_YES };
	caps->cap[VML_CAP_FENTRY] = (struct vml_cap){ .name = "fentry", .state = VML_CAP_NO };
	strcpy(caps->backend, "tracepoint");
	strcpy(caps->detail, "default");
	d->caps = caps;
	unit_set_loss(d, loss, 2);
	p->hist[H_READ_HOLD] = export_hist(d, 4 * MS, 3);
	p->hist[H_WRITE_HOLD] = export_hist(d, 300000 * MS, 1);
	p->hist[H_SERVE_HIT] = export_hist(d, 1000, 5);
	p->value[VML_MISSES] = 2;
	p->mappings = 812;
	d->rows[VML_PROCESS].row[1].mappings = 65001;
	b->id.write = true;
	b->value[VML_ON_CPU_NS] = 10 * MS;
	b->value[VML_RUNNABLE_NS] = 20 * MS;
	b->value[VML_SLEEP_NS] = 30 * MS;
	d->host.max_mappings = 65530;
	d->kernel = (struct vml_kernel_counts){ true, 11, 12, 13, 14 };
	d->self = (struct vml_self){ .foreign_mmap_locks = 1, .ledger_error_ns = 1500, .from_bpf = true };
	d->lookup = vml_arena_copy(d->arena,
				   (const struct vml_lookup[]){ { "fault", 100, 10, 3 }, { "userfaultfd", 5, 5, 0 } },
				   2 * sizeof(struct vml_lookup));
	d->nlookup = 2;
	d->stall = vml_arena_copy(d->arena,
				  (const struct vml_stall[]){
					  { .wait_ns = 3200 * MS, .waiters = 17, .writers = 2, .other_ns = 900 * MS },
					  { .wait_ns = 1000 * MS, .write = true, .waiters = 3, .writers = 3 },
				  },
				  2 * sizeof(struct vml_stall));
	d->nstall = 2;
	assert_true(d->lookup && d->stall);
	return d;
}

static void host(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;

	(void)state;
	export_add(e, whole_host(100));
	export_add(e, whole_host(101));
	x = export_read(e, 0);
	export_assert(&x, "vmalock_mmap_lock_hold_seconds_sum{mode=\"read\"}", 0.024);
	export_assert(&x, "vmalock_mmap_lock_hold_seconds_bucket{mode=\"write\",le=\"16\"}", 0);
	export_assert(&x, "vmalock_mmap_lock_hold_seconds_bucket{mode=\"write\",le=\"+Inf\"}", 2);
	export_assert(&x, "vmalock_fault_duration_seconds_count{outcome=\"hit\"}", 10);
	export_assert(&x, "vmalock_fault_duration_seconds_count{outcome=\"fallback\"}", 0);
	export_assert(&x, "vmalock_vma_lock_misses_total", 4);
	export_assert(&x, "vmalock_vma_lock_lookups_total{caller=\"fault\",result=\"hit\"}", 180);
	export_assert(&x, "vmalock_vma_lock_lookups_total{caller=\"fault\",result=\"abort\"}", 20);
	export_assert(&x, "vmalock_vma_lock_lookups_total{caller=\"fault\",result=\"miss\"}", 6);
	export_assert(&x, "vmalock_vma_lock_lookups_total{caller=\"userfaultfd\",result=\"hit\"}", 0);
	export_assert(&x, "vmalock_holder_state_seconds_total{mode=\"write\",state=\"sleeping\"}", 0.06);
	export_assert(&x, "vmalock_holder_state_seconds_total{mode=\"read\",state=\"on_cpu\"}", 0);
	export_assert(&x, "vmalock_stalled_threads{lock=\"mmap_read\"}", 15);
	export_assert(&x, "vmalock_stalled_threads{lock=\"mmap_write\"}", 5);
	export_assert(&x, "vmalock_longest_current_wait_seconds{lock=\"mmap_read\"}", 3.2);
	export_assert(&x, "vmalock_longest_current_wait_seconds{lock=\"mmap_write\"}", 1);
	export_assert(&x, "vmalock_process_mappings_max{cgroup=\"ssh.service\"}", 65001);
	assert_int_equal(export_count(&x, "vmalock_process_mappings_max", ""), 1);
	export_assert(&x, "vmalock_process_mappings_limit", 65530);
	export_assert(&x, "vmalock_kernel_vma_lock_success_total", 22);
	export_assert(&x, "vmalock_kernel_vma_lock_miss_total", 28);
	export_assert(&x, "vmalock_backend_info{backend=\"tracepoint\",detail=\"default\",kernel=\"6.12.0\"}", 1);
	export_assert(&x, "vmalock_capability_available{capability=\"btf\"}", 1);
	export_assert(&x, "vmalock_capability_available{capability=\"fentry\"}", 0);
	assert_int_equal(export_count(&x, "vmalock_capability_available", ""), 2); /* unknown is not 0 */
	export_assert(&x, "vmalock_lost_events_total{cause=\"thread_storage\"}", 0);
	export_assert(&x, "vmalock_lost_events_total{cause=\"vma_map_full\"}", 14);
	export_assert(&x, "vmalock_ledger_error_seconds", 0.0000015);
	export_assert(&x, "vmalock_foreign_mmap_locks_total", 2);
	export_text_free(&x);
	/* what stalls is over, what counts stays */
	export_add(e, two_cgroups(102));
	x = export_read(e, 0);
	export_assert(&x, "vmalock_stalled_threads{lock=\"mmap_read\"}", 0);
	export_assert(&x, "vmalock_mmap_lock_hold_seconds_sum{mode=\"read\"}", 0.024);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- the daemon's */

static void daemon_values(void **state)
{
	static const struct vml_daemon_item runs[] = { { { "tp_page_fault_user" }, 5 }, { { "iter_tasks" }, 6 } };
	static const struct vml_daemon_item web[] = { { { "metrics", "200" }, 7 },
						      { { "metrics", "401" }, 1 },
						      { { "metrics", "200" }, 2 } };
	static const struct vml_daemon_item lost[] = { { { "vma_map_full" }, 1 }, { { "snapshot" }, 3 } };
	struct vml_export *e = export_new(0, 0, false);
	struct vml_daemon d;
	struct export_text x;

	(void)state;
	export_add(e, whole_host(100));
	vml_daemon_init(&d);
	assert_int_equal(vml_export_daemon(e, &d), 0);
	d.value[VML_DAEMON_UP] = 1;
	d.value[VML_DAEMON_SNAPSHOT_SECONDS] = 0.25;
	d.value[VML_DAEMON_SNAPSHOTS] = 50;
	d.value[VML_DAEMON_OVERHEAD] = 0.0031;
	d.value[VML_DAEMON_DUTY] = 0;
	d.value[VML_DAEMON_START_TIME] = 1740830399.25;
	d.version = "0.1.0";
	d.libbpf = "1.1";
	d.list[VML_DAEMON_BPF_RUNS].item = runs;
	d.list[VML_DAEMON_BPF_RUNS].n = VML_ARRAY_SIZE(runs);
	d.list[VML_DAEMON_WEB_REQUESTS].item = web;
	d.list[VML_DAEMON_WEB_REQUESTS].n = VML_ARRAY_SIZE(web);
	d.list[VML_DAEMON_LOST].item = lost;
	d.list[VML_DAEMON_LOST].n = VML_ARRAY_SIZE(lost);
	assert_int_equal(vml_export_daemon(e, &d), 0);
	x = export_read(e, 0);
	export_assert(&x, "vmalock_collector_up", 1);
	export_assert(&x, "vmalock_snapshot_duration_seconds_sum", 0.25);
	export_assert(&x, "vmalock_snapshot_duration_seconds_count", 50);
	export_assert(&x, "vmalock_overhead_ratio", 0.0031);
	export_assert(&x, "vmalock_overhead_limit_ratio", NAN);
	export_assert(&x, "vmalock_hot_path_duty_ratio", 0);
	export_assert(&x, "process_start_time_seconds", 1740830399.25);
	export_assert(&x, "process_open_fds", NAN);
	export_assert(&x, "vmalock_build_info{version=\"0.1.0\",libbpf=\"1.1\"}", 1);
	export_assert(&x, "vmalock_bpf_program_runs_total{program=\"iter_tasks\"}", 6);
	export_assert(&x, "vmalock_web_requests_total{handler=\"metrics\",code=\"200\"}", 9);
	export_assert(&x, "vmalock_web_requests_total{handler=\"metrics\",code=\"401\"}", 1);
	export_assert(&x, "vmalock_lost_events_total{cause=\"vma_map_full\"}", 8);
	export_assert(&x, "vmalock_lost_events_total{cause=\"snapshot\"}", 3);
	export_assert(&x, "vmalock_exported_series", x.n);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- labels */

static void comm_label(void **state)
{
	struct vml_export *e = export_new(0, 0, true);
	struct vml_snapshot *d = export_delta(100);
	struct export_text x;

	(void)state;
	export_process(d, 10, SSH, 100, 1, 0)->comm = "worker-17";
	export_process(d, 11, SSH, 30, 0, 0)->comm = "worker-18";
	export_process(d, 12, SSH, 7, 0, 0)->comm = "sshd";
	export_process(d, 20, JAVA, 1, 0, 0)->comm = "java";
	export_blocker(d, 12, SSH, "read", JAVA, MS)->comm = "a thread of it";
	export_add(e, d);
	x = export_read(e, 0);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"user\",path=\"vma\",comm=\"worker-##\"}",
		      130);
	export_assert(&x, "vmalock_faults_total{cgroup=\"ssh.service\",mode=\"user\",path=\"vma\",comm=\"sshd\"}", 7);
	export_assert(&x, "vmalock_blamed_seconds_total{cgroup=\"ssh.service\",context=\"read\",comm=\"sshd\"}", 0.001);
	/* who waited is not known by comm */
	assert_true(fabs(export_sum(&x, "vmalock_cross_cgroup_blocked_seconds_total{", "") - 0.001) < 1e-9);
	assert_int_equal(export_count(&x, "vmalock_cgroup_info{", "ssh.service\",path"), 1);
	export_assert(&x, "vmalock_exported_series", x.n);
	export_text_free(&x);
	vml_export_free(e);
}

/* A unit is one, however deep its processes are. */
static void folded_paths(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct vml_snapshot *d = export_delta(100);
	struct export_text x;

	(void)state;
	export_process(d, 10, "/user.slice/user-1000.slice/session-1.scope", 100, 0, 0);
	export_process(d, 11, "/user.slice/user-1000.slice/session-2.scope", 30, 0, 0);
	export_blocker(d, 10, "/user.slice/user-1000.slice/session-1.scope", "read",
		       "/user.slice/user-1000.slice/session-2.scope", MS);
	export_add(e, d);
	x = export_read(e, 0);
	export_assert(&x, "vmalock_faults_total{cgroup=\"user-1000.slice\",mode=\"user\",path=\"vma\"}", 130);
	assert_int_equal(export_count(&x, "vmalock_cross_cgroup", ""), 0);
	assert_int_equal(export_count(&x, "vmalock_cgroup_info", ""), 1);
	export_text_free(&x);
	vml_export_free(e);
}

static void hostile(void **state)
{
	struct vml_export *e = export_new(0, 0, true);
	struct vml_snapshot *d = export_delta(100);
	struct export_text x;
	static char path[4097];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[2000] = '"';
	export_process(d, 10, "/x\"} 1\nvmalock_faults_total{y=\"", 1, 0, 0)->comm = "a\\\"b\nc";
	export_process(d, 11, "/bad\xff\xc3(", 2, 0, 0)->comm = "\xed\xa0\x80";
	export_process(d, 12, path, 3, 0, 0)->comm = "";
	export_process(d, 13, "/cl\303\251an\\x1b\\\\n", 4, 0, 0)->comm = "z\303\274rich";
	export_add(e, d);
	x = export_read(e, 0); /* the parser refuses what is not escaped */
	assert_int_equal(export_count(&x, "vmalock_faults_total{", ""), 4);
	export_assert(&x,
		      "vmalock_faults_total{cgroup=\"/x\\\"} 1\\\\x0avmalock_faults_total{y=\\\"\",mode=\"user\","
		      "path=\"vma\",comm=\"a\\\\\\\\\\\"b\\\\x0ac\"}",
		      1);
	export_assert(&x,
		      "vmalock_faults_total{cgroup=\"/bad\\\\xff\\\\xc3(\",mode=\"user\",path=\"vma\","
		      "comm=\"\\\\xed\\\\xa0\\\\x80\"}",
		      2);
	export_assert(&x,
		      "vmalock_faults_total{cgroup=\"/cl\303\251an\\\\x1b\\\\\\\\n\",mode=\"user\",path=\"vma\","
		      "comm=\"z\303\274rich\"}",
		      4);
	for (size_t i = 0; i < x.n; i++)
		assert_true(strlen(x.line[i].series) < 1024);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- errors */

static void refused(void **state)
{
	const struct vml_export_options small = { VML_EXPORT_BUDGET_MIN - 1, 0, false };
	struct vml_export *e = NULL;
	struct vml_snapshot *d = export_delta(100);

	(void)state;
	assert_int_equal(vml_export_new(&small, &e), -EINVAL);
	assert_null(e);
	e = export_new(VML_EXPORT_BUDGET_MIN, 0, false);
	d->selected = 1;
	assert_int_equal(vml_export_add(e, d), -EINVAL);
	d->selected = 0;
	d->interval_ns = 0;
	assert_int_equal(vml_export_add(e, d), -EINVAL);
	vml_snapshot_free(d);
	vml_export_free(e);
}

/* Each allocation from an arena fails once: an error, nothing left behind, nothing written. */
static void out_of_memory(void **state)
{
	enum vml_export_format f;
	struct vml_export *e = export_new(0, 0, false);
	struct vml_daemon d;
	char *text = NULL;
	size_t n = 0;
	int err;

	(void)state;
	export_add(e, whole_host(100));
	vml_daemon_init(&d);
	d.version = "0";
	for (f = VML_EXPORT_TEXT; f <= VML_EXPORT_PROTOBUF; f++) {
		err = -ENOMEM;
		for (long i = 0; err; i++) {
			unit_allocations = i;
			err = vml_export_write(e, f, 0, &text, &n);
			unit_allocations = -1;
			assert_true(!err || (err == -ENOMEM && !text));
		}
		assert_true(n > 1000);
		free(text);
		text = NULL;
	}
	err = -ENOMEM;
	for (long i = 0; err; i++) {
		unit_allocations = i;
		err = vml_export_daemon(e, &d);
		unit_allocations = -1;
		assert_true(!err || err == -ENOMEM);
	}
	vml_export_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),	   cmocka_unit_test(identities),    cmocka_unit_test(contexts),
		cmocka_unit_test(rest_is_unknown), cmocka_unit_test(absent),	    cmocka_unit_test(empty),
		cmocka_unit_test(not_exact),	   cmocka_unit_test(host),	    cmocka_unit_test(daemon_values),
		cmocka_unit_test(comm_label),	   cmocka_unit_test(folded_paths),  cmocka_unit_test(hostile),
		cmocka_unit_test(refused),	   cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
