// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What observing costs on this host: vmalock doctor --cost. */
#include <errno.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"
#include "object.h"

static void line(FILE *out, const char *what, double more, double bare)
{
	fprintf(out, "  %-38s", what);
	if (more > 0)
		fprintf(out, " +%.0f ns", more);
	else
		fputs(" -", out);
	if (more > 0 && bare > 0)
		fprintf(out, ", on top of %.0f ns", bare);
	fputc('\n', out);
}

int vml_cost_write(FILE *out, const struct vml_cost *c)
{
	fputs("what observing costs here, calibrated on this process:\n", out);
	line(out, "a page fault in the area of the last", c->fault_ns, c->bare_fault_ns);
	line(out, "a pair of mmap and munmap", c->pair_ns, c->bare_pair_ns);
	line(out, "one event of mmap_lock", c->lock_event_ns, 0);
	if (c->stats_runs)
		fprintf(out,
			"the kernel's statistics, over a second: %llu runs, %.0f ns each, with what they cost themselves\n",
			(unsigned long long)c->stats_runs, (double)c->stats_ns / (double)c->stats_runs);
	else
		fputs("the kernel's statistics need CAP_SYS_ADMIN\n", out);
	return ferror(out) ? -EIO : 0;
}

/* What is not known, 0, is left out. */
static bool set(json_t *obj, const char *key, double v)
{
	return v <= 0 || !json_object_set_new(obj, key, json_real(v));
}

int vml_cost_json_write(FILE *out, const struct vml_cost *c)
{
	json_t *obj = json_pack("{s:i}", "schema", VML_JSON_SCHEMA);
	bool all = set(obj, "fault_ns", c->fault_ns) && set(obj, "pair_ns", c->pair_ns) &&
		   set(obj, "lock_event_ns", c->lock_event_ns) && set(obj, "bare_fault_ns", c->bare_fault_ns) &&
		   set(obj, "bare_pair_ns", c->bare_pair_ns);

	if (c->stats_runs)
		all = all && !json_object_set_new(obj, "stats_runs", json_integer((json_int_t)c->stats_runs)) &&
		      !json_object_set_new(obj, "stats_ns", json_integer((json_int_t)c->stats_ns));
	if (!all) {
		json_decref(obj);
		obj = NULL;
	}
	return vml_object_write(out, obj);
}
