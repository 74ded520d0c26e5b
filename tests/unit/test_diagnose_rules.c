/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Each rule finds its pathology, and no other finds it. */
#include "diagnose.h"

/* ---- a case for each rule; some are in diagnose.h */

/* The stack of the last hold. */
static void stack(struct vml_snapshot *s, const char *function)
{
	const struct vml_row *r = &s->rows[VML_BLOCKER].row[s->rows[VML_BLOCKER].n - 1];
	struct vml_frame frame[] = {
		{ .state = VML_FRAME_FUNCTION,
		  .kernel = true,
		  .function = function,
		  .file = "[kernel]",
		  .build_id = "" },
	};
	struct vml_stack x = { .id = r->id, .comm = "comm", .context = r->context, .nframes = 1, .nkernel = 1 };

	x.frame = vml_arena_copy(s->arena, frame, sizeof(frame));
	x.blamed_ns = r->value[VML_BLAMED_NS];
	s->stack = vml_arena_copy(s->arena, &x, sizeof(x));
	s->nstack = 1;
	assert_non_null(s->stack);
}

static void threads(struct vml_snapshot *s, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		unit_thread(s, PID, 100 + i)->id.tid_start_ns = s->boot_ns - UNIT_SECOND;
}

static void uprobes(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ x ? "uprobe" : "perf_event_open", true, OTHER, x ? 600 * x : 600, 100, 1, 0, 0 });
}

static void uprobe_hits(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ "task work", false, PID, x ? 600 * x : 600, 100, 1, 0, 0 });
	stack(s, x ? "find_active_uprobe_rcu" : "task_numa_work");
}

static void fork_(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ x ? "clone" : "mmap", true, PID, x ? 800 * x : 800, 10, 50, 0, 0 });
}

static void huge_pages(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ x ? "khugepaged" : "oom_reaper", true, OTHER, x ? 600 * x : 600, 10, 5, 0, 0 });
}

static void pinning(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ "ioctl", false, PID, x ? 700 * x : 700, 10, 50, 0, 0 });
	stack(s, x ? "pin_user_pages" : "do_madvise");
}

static void userfaultfd_ioctl(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ "ioctl", true, PID, x ? 700 * x : 700, 1000, 1, 0, 0 });
	stack(s, x ? "userfaultfd_ioctl" : "do_vfs_ioctl");
}

static void thread_starts(struct vml_snapshot *s, unsigned int x)
{
	threads(s, x == 2 ? 100 : 50);
	process(s)->hist[WRITE_HOLD].count = x ? 300 : 2000;
	hold(s, (struct hold){ "mprotect", true, PID, x ? 700 * x : 700, 100, 1, 0, 0 });
}

static void mapping_storm(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ x == 2 ? "munmap (32-bit)" : "munmap", true, x ? PID : OTHER, x ? 700 * x : 700, 3000, 1,
			       0, 0 });
	hold(s, (struct hold){ "munmap", false, x ? PID : OTHER, x ? 300 * x : 300, 3000, 1, 0, 0 });
}

static void convoy(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ "madvise", false, PID, x ? 2000 * x : 2000, 10, 100, 0, 0 });
	if (!x) { /* only writers wait: readers went on beside the hold */
		process(s)->value[VML_MMAP_WRITE_WAIT_NS] = process(s)->value[VML_MMAP_READ_WAIT_NS];
		process(s)->value[VML_MMAP_READ_WAIT_NS] = 0;
	}
}

static void starved_holder(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ "read", false, OTHER, x ? 900 * x : 900, 10, 90, x ? 60 + 15 * x : 49, 0 });
}

static void starved_in_short_holds(struct vml_snapshot *s, unsigned int x)
{
	struct vml_row *r = hold(s, (struct hold){ "read", false, OTHER, x ? 900 * x : 900, 10, 90, 90, 0 });

	if (!x)
		r->value[VML_HOLDS] = 10000;
}

static void hanging_listing(struct vml_snapshot *s, unsigned int x)
{
	struct vml_row *r = hold(s, (struct hold){ "mmap", true, PID, x ? 9000 * x : 9000, 2, 4000, 0, 0 });

	r->value[VML_FOREIGN_NS] = r->value[VML_BLAMED_NS] / 100 * (x ? 50 * x : 49);
}

/* Few, which wait long. */
static void hot_area_of_few(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of("busy"), 20, 20);
	s->rows[VML_VMA].row[0].value[VML_WAIT_NS] = x ? 600 * x * MS : 9 * MS;
}

static void first_touch(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of(x ? "anon_vma" : "kernel_mode"), 3000 * (x ? x : 1), 1);
}

static void page_io(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of(x == 2 ? "folio_locked" : "file_io"), x ? 3000 * x : 900, 1);
}

static void userfaultfd(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of("userfaultfd"), x ? 3000 * x : 900, 1);
}

static void device_memory(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of("device_private"), x ? 3000 * x : 900, 1);
}

static void stack_growth(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of("stack_growth"), x ? 3000 * x : 2047, 1);
}

static void elsewhere(struct vml_snapshot *s, unsigned int x)
{
	s->total[VML_SERVE_NS] = (x ? 10 * x : 4) * 1000 * MS;
}

static const struct {
	const char *rule;
	void (*make)(struct vml_snapshot *s, unsigned int x);
} cases[] = {
	{ "uprobes", uprobes },
	{ "uprobes", uprobe_hits },
	{ "foreign_reader", foreign_reader },
	{ "fork", fork_ },
	{ "huge_pages", huge_pages },
	{ "pinning", pinning },
	{ "userfaultfd_ioctl", userfaultfd_ioctl },
	{ "thread_starts", thread_starts },
	{ "mapping_storm", mapping_storm },
	{ "convoy", convoy },
	{ "starved_holder", starved_holder },
	{ "starved_holder", starved_in_short_holds },
	{ "reclaim", reclaim },
	{ "hanging_listing", hanging_listing },
	{ "io_under_lock", io_under_lock },
	{ "hot_area", hot_area },
	{ "hot_area", hot_area_of_few },
	{ "first_touch", first_touch },
	{ "page_io", page_io },
	{ "userfaultfd", userfaultfd },
	{ "device_memory", device_memory },
	{ "stack_growth", stack_growth },
	{ "mapping_limit", mapping_limit },
	{ "no_cpu", no_cpu },
	{ "elsewhere", elsewhere },
};
#define CASES VML_ARRAY_SIZE(cases)

/* Each is found at both intensities, surely; its neighbour is not called that. */
static void each_rule(void **state)
{
	struct vml_diagnosis d;
	unsigned int x;
	size_t i;

	(void)state;
	for (i = 0; i < CASES; i++)
		for (x = 0; x <= 2; x++) {
			struct vml_snapshot *s = diagnosed(cases[i].make, x, &d);
			const struct vml_finding *f = find(&d, cases[i].rule);

			if (x ? !f || f->level < VML_MEDIUM : f != NULL)
				fail_msg("case %zu, %s at %u: %s", i, cases[i].rule, x,
					 f ? vml_level_name(f->level) : "not found");
			if (f) {
				assert_true(f->evidence.n > 0);
				assert_true(*f->change && *f->todo && *f->title);
			}
			vml_snapshot_free(s);
		}
}

/* In a case of another rule, a rule finds nothing above low, but where both are true. */
static void confusion(void **state)
{
	static const char *const both[][2] = {
		{ "starved_holder", "foreign_reader" }, /* who is starved reads the maps of another process */
		{ "hanging_listing", "mapping_storm" }, /* who holds it up is in mmap */
		{ "reclaim", "mapping_storm" },
		{ "io_under_lock", "convoy" }, /* a reader that sleeps holds for long */
	};
	struct vml_diagnosis d;
	size_t i, k, b, wrong = 0, right = 0;
	unsigned int x;

	(void)state;
	for (i = 0; i < CASES; i++)
		for (x = 1; x <= 2; x++) {
			struct vml_snapshot *s = diagnosed(cases[i].make, x, &d);

			for (k = 0; k < d.n; k++) {
				bool expected = !strcmp(d.finding[k].name, cases[i].rule);

				for (b = 0; b < VML_ARRAY_SIZE(both); b++)
					expected |= !strcmp(both[b][0], cases[i].rule) &&
						    !strcmp(both[b][1], d.finding[k].name);
				if (d.finding[k].level > VML_LOW && !expected) {
					print_message("%s at %u: also %s\n", cases[i].rule, x, d.finding[k].name);
					wrong++;
				}
				right += d.finding[k].level > VML_LOW && expected;
			}
			vml_snapshot_free(s);
		}
	assert_true(right >= 2 * CASES);
	assert_int_equal(wrong, 0);
}

static void every_rule_has_a_case(void **state)
{
	struct vml_rule_info r;
	size_t i, k;

	(void)state;
	for (i = 0; vml_rule_info(i, &r); i++) {
		assert_true(*r.must && *r.title && *r.todo && *r.change);
		/* what no rule knows has no pathology */
		for (k = 0; k < CASES && strcmp(cases[k].rule, r.name) != 0; k++)
			;
		if (k == CASES && strcmp(r.name, "other_holder") != 0)
			fail_msg("%s has no case", r.name);
	}
	assert_true(i > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(confusion),
		cmocka_unit_test(every_rule_has_a_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
