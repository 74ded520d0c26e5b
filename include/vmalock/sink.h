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

/* What a user asked to see. */
struct vml_view {
	enum vml_scope scope; /* of the table; JSON has all scopes */
	const char *sort; /* column key; NULL: fallbacks, then faults */
	bool invert;
	uint32_t limit; /* rows a scope; 0: all, also unchanged ones */
	bool utf8; /* the stream takes UTF-8 */
};

/*
 * One sentence on what is seen, without newline: "healthy: 99.97 % of ...".
 * What is less important is left out when @n is short of it; loss comes before
 * all of that.  (src/sinks/verdict.c)
 */
void vml_verdict(const struct vml_snapshot *delta, char *buf, size_t n);

/* The same in one word, for colours. */
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

/* One JSON object and a newline (src/sinks/json.c, jansson); keys: design, section 9. */
int vml_json_write(FILE *out, struct vml_snapshot *delta, const struct vml_view *view);

/* The JSON Schema (draft 2020-12) of that object, made from the same tables. */
int vml_json_schema_write(FILE *out);

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

/* What doctor says: text for people, JSON for programs (src/sinks/doctor.c). */
int vml_doctor_write(FILE *out, const struct vml_caps *caps, bool utf8);
int vml_doctor_json_write(FILE *out, const struct vml_caps *caps);

#endif
