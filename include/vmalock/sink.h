/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINK_H
#define VMALOCK_SINK_H
/*
 * Who prints deltas and capabilities.  Sinks never change what they are given
 * beyond its arena, and write to the stream they are handed; -EIO when the
 * stream failed, -ENOMEM.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmalock/snapshot.h"

struct vml_caps;
struct vml_comparison;
struct vml_moved;

/* What lies between intervals, befell the file, or was seen at one moment. */
struct vml_note {
	uint64_t real_ns; /* UTC */
	const char *kind; /* "gap", "reboot", "stall", ... */
	const char *text; /* clean; "" */
};

/* Which time a delta is the sum of. */
struct vml_period {
	const char *file; /* clean; NULL: seen live */
	uint64_t from_ns, until_ns; /* UTC: when the first interval began and the last one ended */
	size_t intervals;
	const struct vml_note *note; /* in the order of time */
	size_t nnotes;
	bool utc; /* say times in UTC, else in local time */
};

/* What a user asked to see. */
struct vml_view {
	enum vml_scope scope; /* of the table; JSON has all scopes */
	const char *sort; /* column key; NULL: fallbacks, then faults */
	bool invert;
	uint32_t limit; /* rows a scope; 0: all, also unchanged ones */
	bool utf8; /* the stream takes UTF-8; else the table has '?' for each character that is not ASCII */
	/*
	 * The table is of the past: its head has these times, and what lies between, instead of
	 * "now".  NULL: of an interval that has just ended.
	 */
	const struct vml_period *period;
};

/*
 * One sentence on what is seen, without newline: "healthy: 99.97 % of ...".
 * What is less important is left out when @n is short of it; loss comes before
 * all of that.  (src/sinks/verdict.c)
 */
void vml_verdict(const struct vml_snapshot *delta, char *buf, size_t n);

/*
 * "stalled now: 17 threads wait for java (2345), 3.2 s; ...": the stall of @delta that goes on
 * the longest, cut to @n; returns the length.  There is one.  (src/sinks/stall.c)
 */
size_t vml_stall_text(const struct vml_snapshot *delta, char *buf, size_t n);

/* The verdict in one word, for colours. */
enum vml_health {
	VML_QUIET, /* nothing happened */
	VML_HEALTHY,
	VML_FALLING_BACK, /* over 20 % of over 1,000 faults/s took mmap_lock */
	VML_WAITING, /* threads wait for mmap_lock over 0.5 s a second */
	VML_STALLED, /* a thread has been waiting for VML_STALL_NS and waits on */
};
enum vml_health vml_health(const struct vml_snapshot *delta);

/* The lines under the verdict, for screen and text alike; "" when there is nothing to say (src/sinks/summary.c) */
enum vml_summary {
	VML_SUMMARY_HOST, /* host, kernel, processor, backend, detail */
	VML_SUMMARY_RATES, /* faults, hits, fallbacks, waits, per second */
	VML_SUMMARY_LOSS, /* what was not counted, by cause */
	VML_SUMMARY_COST, /* what this program took */
};
/* Returns @buf. */
char *vml_summary(const struct vml_snapshot *delta, enum vml_summary line, char *buf, size_t n);

/* vml_verdict() of a time in the past: of what was seen at its end alone, as stalls, it says nothing. */
void vml_verdict_past(const struct vml_snapshot *delta, char *buf, size_t n);

/* Why a table of @scope has no rows: one sentence. Returns @buf. */
char *vml_empty_text(const struct vml_snapshot *delta, enum vml_scope scope, char *buf, size_t n);

/* What screen and text say of the histograms: the metric that is known when it is, and "read wait". */
extern const enum vml_metric vml_hist_metrics[VML_HISTS];
extern const char *const vml_hist_titles[VML_HISTS];
/* The first ones, of mmap_lock, are listed always; the others when they are known and have any. */
#define VML_HISTS_ALWAYS 4

/* The reasons @t of @delta as they may be shown, most frequent first; the caller frees *ret. -ENOMEM */
int vml_reasons_rank(const struct vml_snapshot *delta, const struct vml_tally *t, struct vml_cell **ret,
		     uint32_t *ret_n);

/* There is something to say of who looks VMAs up: others than page faults did, too. */
bool vml_lookups_worth(const struct vml_snapshot *delta);

/* Who holds locks that others wait for can be seen: blockers, blame by cgroup and stalls are known. */
bool vml_blame_known(const struct vml_snapshot *delta);

/*
 * A batch: verdict, header, table of the scope, and who held up whom, when
 * anybody did (src/sinks/table.c, libsmartcols).
 */
int vml_table_write(FILE *out, struct vml_snapshot *delta, const struct vml_view *view);

/* One JSON object and a newline (src/sinks/json.c, jansson); its keys: vmalock schema. */
int vml_json_write(FILE *out, struct vml_snapshot *delta, const struct vml_view *view);

/* The JSON Schema (draft 2020-12) of that object, made from the same tables (src/sinks/schema.c). -ENOMEM, -EIO */
int vml_json_schema_write(FILE *out);
/* The same of vml_diff_json_write() and vml_diagnosis_json_write(). */
int vml_diff_schema_write(FILE *out);
int vml_diagnosis_schema_write(FILE *out);

/*
 * One line of folded stacks, as flame graph tools read them (src/sinks/folded.c):
 *
 *	comm;main;mmap;do_syscall_64_[k];down_write_[k] 1234
 *
 * Root first, the frames of the user before those of the kernel, which end in
 * "_[k]".  @user and @kernel are as a stack is taken, the innermost first.
 * Those tools know no escapes, so as in theirs ';' becomes ':', and space '_';
 * control characters become '?', and a suffix that would look like "_[k]" but is
 * part of a name gets parentheses.
 */
int vml_folded_write(FILE *out, const char *comm, const struct vml_frame *user, size_t nuser,
		     const struct vml_frame *kernel, size_t nkernel, uint64_t value);

/* The stacks of a delta in these lines, with what each is charged with in nanoseconds. */
int vml_folded_stacks_write(FILE *out, const struct vml_snapshot *delta);

/* One of the two that were compared. */
struct vml_diff_side {
	const char *name; /* of the file; clean */
	const struct vml_snapshot *sum; /* the delta over all its intervals; NULL: there are none, and all is 0 */
	size_t intervals;
	uint64_t from_ns, until_ns; /* UTC */
};
struct vml_diff {
	struct vml_diff_side side[2]; /* A, B */
	const struct vml_comparison *comparison;
	const struct vml_moved *moved; /* vml_explain() */
	size_t nmoved;
	bool utc; /* text and page: say times in UTC, else in local time */
};
/*
 * Verdict, numbers and what moved (src/sinks/diff.c): text for people, one JSON
 * object, whose keys are in docs/diff.md, or a page as vml_html_report_write() makes (html_diff.c).
 */
int vml_diff_write(FILE *out, const struct vml_diff *d, bool utf8);
int vml_diff_json_write(FILE *out, const struct vml_diff *d);
int vml_diff_html_write(FILE *out, const struct vml_diff *d);

/*
 * The findings of vml_diagnose(), worst first: text for people, JSON for programs
 * (one object and a newline; keys: docs/diagnose.md).  (src/sinks/diagnose.c)
 */
struct vml_diagnosis;
int vml_diagnosis_write(FILE *out, const struct vml_snapshot *delta, const struct vml_diagnosis *d, bool utf8);
int vml_diagnosis_json_write(FILE *out, const struct vml_snapshot *delta, const struct vml_diagnosis *d);
/* The table of rules for docs/diagnose.md. -EIO */
int vml_rules_write(FILE *out);

/*
 * A report as one HTML page, which needs nothing but itself and no script
 * (src/sinks/html_report.c); docs/report.md says what is on it.
 */
struct vml_series;
struct vml_html_report {
	struct vml_snapshot *sum; /* over all intervals */
	const struct vml_period *period;
	const struct vml_series *series; /* has bins */
	const struct vml_diagnosis *diagnosis; /* of sum */
};
int vml_html_report_write(FILE *out, const struct vml_html_report *r);

/* What doctor says: text for people, JSON for programs (src/sinks/doctor.c). */
int vml_doctor_write(FILE *out, const struct vml_caps *caps, bool utf8);
int vml_doctor_json_write(FILE *out, const struct vml_caps *caps);
/* What doctor --cost says (src/sinks/cost.c). */
struct vml_cost;
int vml_cost_write(FILE *out, const struct vml_cost *cost);
int vml_cost_json_write(FILE *out, const struct vml_cost *cost);

#endif
