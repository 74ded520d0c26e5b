// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The comparison of two samples as one JSON object. */
#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/compare.h"
#include "vmalock/sink.h"
#include "diff.h"
#include "object.h"
#include "parts.h"

static const char *verdict_at(unsigned int i)
{
	return i <= VML_NOT_COMPARABLE ? vml_verdict_name((enum vml_verdict)i) : NULL;
}

static const char *measure_at(unsigned int i)
{
	return i < VML_NMEASURES ? vml_measure_info((enum vml_measure)i)->key : NULL;
}

static const char *mover_at(unsigned int i)
{
	return i < VML_NMOVERS ? vml_mover_name((enum vml_mover)i) : NULL;
}

/* ---- A and B */

GET(host_name, struct vml_host, json_string(x->name))
GET(host_kernel, struct vml_host, json_string(x->kernel))
GET(host_machine, struct vml_host, json_string(x->machine))
GET(host_cpus, struct vml_host, json_integer(x->cpus))
GET(host_page_size, struct vml_host, json_integer(x->page_size))

static const struct vml_object_key host_keys[] = {
	KEY("name", STRING, true, "Its name.", host_name),
	KEY("kernel", STRING, true, "Release of its kernel.", host_kernel),
	KEY("machine", STRING, true, "Its processors: x86_64, aarch64.", host_machine),
	KEY("cpus", INTEGER, true, "How many.", host_cpus),
	KEY("page_size", INTEGER, true, "Bytes of a page.", host_page_size),
	{ 0 },
};

GET(backend_name, struct vml_caps, json_string(x->backend))
GET(backend_detail, struct vml_caps, json_string(x->detail))

static const struct vml_object_key backend_keys[] = {
	KEY("name", STRING, true, "Set of hooks in use.", backend_name),
	KEY("detail", STRING, true, "How much of it.", backend_detail),
	{ 0 },
};

static json_t *time_of(uint64_t real_ns)
{
	char buf[64];

	return json_string(vml_fmt_time(buf, sizeof(buf), real_ns));
}

/* Of a side without intervals there is nothing to say. */
#define GET_SUM(name, value) GET(name, struct vml_diff_side, x->sum ? (value) : json_null())

GET(side_file, struct vml_diff_side, json_string(x->name))
GET(side_intervals, struct vml_diff_side, x->sum ? json_integer((json_int_t)x->intervals) : json_integer(0))
GET_SUM(side_from, time_of(x->from_ns))
GET_SUM(side_until, time_of(x->until_ns))
GET_SUM(side_interval_ns, vml_json_u64(x->sum->interval_ns))
GET_SUM(side_faults, vml_knows(x->sum, VML_FAULTS) ? vml_json_u64(x->sum->total[VML_FAULTS]) : json_null())
GET_SUM(side_lost, vml_json_u64(vml_snapshot_lost(x->sum)))
GET_SUM(side_redacted, json_boolean(vml_is_redacted(x->sum)))
GET_SUM(side_host, vml_object(host_keys, &x->sum->host))
GET_SUM(side_backend, x->sum->caps ? vml_object(backend_keys, x->sum->caps) : json_null())

static const struct vml_object_key side_keys[] = {
	KEY("file", STRING, true, "The recording, or the history.", side_file),
	KEY("intervals", INTEGER, true, "How many; without any, nothing else is there.", side_intervals),
	KEY("from", TIME, false, "When the first began.", side_from),
	KEY("until", TIME, false, "When the last ended.", side_until),
	KEY("interval_ns", INTEGER, false, "Time observed.", side_interval_ns),
	KEY("faults", INTEGER, false, "Page faults on user addresses.", side_faults),
	KEY("lost", INTEGER, false, "Events that were not counted, or not where they belong.", side_lost),
	KEY("redacted", BOOLEAN, false, "true: made without names, so rows are not joined by them.", side_redacted),
	KEY("host", OBJECT, false, "Where it was made.", side_host, .object = host_keys),
	KEY("backend", OBJECT, false, "How it was made.", side_backend, .object = backend_keys),
	{ 0 },
};

/* ---- measures */

struct measure {
	enum vml_measure id;
	const struct vml_measured *m;
};

GET(measure_key, struct measure, json_string(vml_measure_info(x->id)->key))
GET(measure_a, struct measure, vml_json_real(x->m->a))
GET(measure_b, struct measure, vml_json_real(x->m->b))
GET(measure_a_second, struct measure, vml_json_real(x->m->a_second))
GET(measure_b_second, struct measure, vml_json_real(x->m->b_second))
GET(measure_change, struct measure, vml_json_real(x->m->change.by))
GET(measure_low, struct measure, diff_has_interval(&x->m->change) ? vml_json_real(x->m->change.low) : json_null())
GET(measure_high, struct measure, diff_has_interval(&x->m->change) ? vml_json_real(x->m->change.high) : json_null())
GET(measure_p, struct measure, vml_json_real(x->m->change.p))
GET(measure_rank_p, struct measure, vml_json_real(x->m->rank_p))
GET(measure_verdict, struct measure, json_string(vml_verdict_name(x->m->verdict)))
GET(measure_matters, struct measure, json_boolean(x->m->weighty))

static const struct vml_object_key measure_keys[] = {
	KEY("measure", NAME, true, "What is compared.", measure_key, .name = measure_at),
	KEY("a", REAL, false, "Of each fault of A: a share, or ns.", measure_a),
	KEY("b", REAL, false, "Of each fault of B.", measure_b),
	KEY("a_per_second", REAL, false, "Of each second of A: events, or seconds.", measure_a_second),
	KEY("b_per_second", REAL, false, "Of each second of B.", measure_b_second),
	KEY("change", REAL, false, "0.2 is 20 % more; absent when only A is 0.", measure_change),
	KEY("low", REAL, false, "The confidence interval of the change; absent when A or B is 0.", measure_low),
	KEY("high", REAL, false, "Its other end.", measure_high),
	KEY("p", REAL, false, "That chance alone makes such a change.", measure_p),
	KEY("rank_p", REAL, false, "The same of the ranks of blocks.", measure_rank_p),
	KEY("verdict", NAME, true, "Of this measure.", measure_verdict, .name = verdict_at),
	KEY("matters", BOOLEAN, true, "false: too small in both.", measure_matters),
	{ 0 },
};

/* ---- what moved */

GET(moved_measure, struct vml_moved, json_string(vml_measure_info(x->measure)->key))
GET(moved_by, struct vml_moved, json_string(vml_mover_name(x->by)))
GET(moved_comm, struct vml_moved, vml_json_text(x->comm))
GET(moved_cgroup, struct vml_moved, vml_json_text(x->cgroup))
GET(moved_a, struct vml_moved, vml_json_real(x->a))
GET(moved_b, struct vml_moved, vml_json_real(x->b))
GET(moved_share, struct vml_moved, vml_json_real(x->share))

#define GET_MOVED(name, mover, field) \
	GET(name, struct vml_moved, x->by == (mover) ? vml_json_text(x->field) : json_null())

GET_MOVED(moved_kind, VML_BY_VMA, what)
GET_MOVED(moved_name, VML_BY_VMA, name)
GET_MOVED(moved_reason, VML_BY_REASON, what)
GET_MOVED(moved_certainty, VML_BY_REASON, name)
GET_MOVED(moved_context, VML_BY_HOLDER, what)
GET_MOVED(moved_lock, VML_BY_HOLDER, name)

static const struct vml_object_key moved_keys[] = {
	KEY("measure", NAME, true, "What it is a part of.", moved_measure, .name = measure_at),
	KEY("by", NAME, true, "What that is split by.", moved_by, .name = mover_at),
	KEY("comm", STRING, false, "Name of the process, or of the holder.", moved_comm),
	KEY("cgroup", STRING, false, "Its cgroup.", moved_cgroup),
	KEY("a", REAL, true, "Of each fault of A.", moved_a),
	KEY("b", REAL, true, "Of each fault of B.", moved_b),
	KEY("share", REAL, false, "Of the change; below 0 when it went the other way.", moved_share),
	KEY("kind", STRING, false, "Of the area: file, heap, stack, anon, ..", moved_kind),
	KEY("name", STRING, false, "Of the area.", moved_name),
	KEY("reason", STRING, false, "Why faults took mmap_lock.", moved_reason),
	KEY("certainty", STRING, false, "exact or inferred.", moved_certainty),
	KEY("context", STRING, false, "What the holder was doing; handover: nobody held the lock.", moved_context),
	KEY("lock", STRING, false, "What it held.", moved_lock),
	{ 0 },
};

/* ---- all of it */

static json_t *why_not(const void *of)
{
	const struct vml_comparison *c = ((const struct vml_diff *)of)->comparison;
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < c->nwhy; i++)
		vml_json_append(&all, json_string(c->why_not[i]));
	return all;
}

static json_t *measures(const void *of)
{
	const struct vml_comparison *c = ((const struct vml_diff *)of)->comparison;
	struct measure known[VML_NMEASURES];
	size_t n = 0;
	int k;

	for (k = 0; k < VML_NMEASURES; k++)
		if (c->measure[k].known)
			known[n++] = (struct measure){ (enum vml_measure)k, &c->measure[k] };
	return vml_objects(measure_keys, known, sizeof(*known), n);
}

GET(verdict, struct vml_diff, json_string(vml_verdict_name(x->comparison->verdict)))
GET(side_a, struct vml_diff, vml_object(side_keys, &x->side[0]))
GET(side_b, struct vml_diff, vml_object(side_keys, &x->side[1]))
GET(moved, struct vml_diff, vml_objects(moved_keys, x->moved, sizeof(*x->moved), x->nmoved))

static json_t *confidence(const void *of)
{
	(void)of;
	return json_real(VML_COMPARE_CONFIDENCE);
}

static json_t *margin(const void *of)
{
	(void)of;
	return json_real(VML_COMPARE_MARGIN);
}

const struct vml_object_key vml_diff_keys[] = {
	KEY("schema", INTEGER, true, "Raised when a key changes its meaning or goes.", vml_json_schema_number),
	KEY("version", STRING, true, "Of the program.", vml_json_version),
	KEY("verdict", NAME, true, "Of the whole.", verdict, .name = verdict_at),
	KEY("why_not", STRINGS, true, "Why they are not comparable, one line each.", why_not),
	KEY("confidence", REAL, true, "Of the intervals.", confidence),
	KEY("margin", REAL, true, "A change within it is none.", margin),
	KEY("a", OBJECT, true, "The one before.", side_a, .object = side_keys),
	KEY("b", OBJECT, true, "The one after.", side_b, .object = side_keys),
	KEY("measures", OBJECTS, true, "Those that both know.", measures, .object = measure_keys),
	KEY("moved", OBJECTS, true, "What the changes are made of, by measure, and the largest first.", moved,
	    .object = moved_keys),
	{ 0 },
};

int vml_diff_json_write(FILE *out, const struct vml_diff *d)
{
	return vml_object_write(out, vml_object(vml_diff_keys, d));
}
