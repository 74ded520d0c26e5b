// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What was done.  All of it is numbers and our own words, but for the path. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"
#include "vmalock/base.h"

struct fault_count {
	uint64_t minor, major;
};

static const char *const did_name[VML_DID_COUNT] = {
	[VML_DID_PROVOKED] = "provoked",
	[VML_DID_GUP] = "gup",
	[VML_DID_SEGV_READONLY] = "segv_readonly",
	[VML_DID_SEGV_HOLE] = "segv_hole",
	[VML_DID_HUGE] = "huge",
	[VML_DID_RESOLVED] = "resolved",
	[VML_DID_SWAPPED] = "swapped",
	[VML_DID_CHILD_FAULTS] = "child_faults",
	[VML_DID_KILLED] = "killed",
	[VML_DID_AWAY] = "away",
	[VML_DID_ATTEMPTS] = "attempts",
};

static struct fault_count fault_count(const struct vml_load *l)
{
	return (struct fault_count){
		.minor = l->after.ru_minflt - l->before.ru_minflt,
		.major = l->after.ru_majflt - l->before.ru_majflt,
	};
}

static double seconds(const struct vml_load *l)
{
	return (double)(l->end_ns - l->start_ns) / 1e9;
}

/* vml_text_clean() leaves quotes and backslashes for us. */
static void json_string(FILE *out, const char *s)
{
	char clean[4 * sizeof(((struct vml_load *)0)->path)];
	const char *c;

	vml_text_clean(clean, sizeof(clean), s, strlen(s));
	putc('"', out);
	for (c = clean; *c; c++) {
		if (*c == '"' || *c == '\\')
			putc('\\', out);
		putc(*c, out);
	}
	putc('"', out);
}

static void json_lists(FILE *out, const struct vml_load *l)
{
	const char *comma = "";
	uint32_t i, n = l->nchildren < l->max_children ? l->nchildren : l->max_children;

	fputs(",\"regions\":[", out);
	for (i = 0; i < l->nregions; i++, comma = ",") {
		fprintf(out, "%s{\"name\":\"%s\",\"start\":\"0x%" PRIx64 "\",\"end\":\"0x%" PRIx64 "\"", comma,
			l->region[i].name, l->region[i].start, l->region[i].end);
		if (l->region[i].of)
			fprintf(out, ",\"of\":\"%s\"", l->region[i].of);
		fputs("}", out);
	}
	fputs("]", out);
	if (!l->child)
		return;
	fputs(",\"children\":[", out);
	for (i = 0, comma = ""; i < n; i++, comma = ",")
		fprintf(out,
			"%s{\"pid\":%d,\"faults\":{\"minor\":%" PRIu64 ",\"major\":%" PRIu64 ",\"total\":%" PRIu64 "}}",
			comma, l->child[i].pid, l->child[i].minor, l->child[i].major,
			l->child[i].minor + l->child[i].major);
	fputs("]", out);
}

/* The reasons are scenarios that count what they provoked. */
static bool is_reason(const struct vml_load *l)
{
	return l->scenario->did & VML_LOAD_DID(PROVOKED);
}

static void json_calls(FILE *out, const struct vml_load *l)
{
	const char *comma = "";

	fputs(",\"calls\":{", out);
#define X(name)                                                         \
	fprintf(out, "%s\"" #name "\":%" PRIu64, comma, l->calls.name); \
	comma = ",";
	VML_LOAD_CALLS(X)
#undef X
	fputs("}", out);
}

static void json_did(FILE *out, const struct vml_load *l)
{
	const char *comma = "";
	unsigned int i;

	if (is_reason(l)) {
		fprintf(out, ",\"provoked\":%" PRIu64 ",\"exact\":%s", l->did[VML_DID_PROVOKED],
			l->scenario->exact ? "true" : "false");
		if (l->scenario->also)
			fprintf(out, ",\"also\":\"%s\"", l->scenario->also);
	}
	fputs(",\"did\":{", out);
	for (i = VML_DID_PROVOKED + 1; i < VML_DID_COUNT; i++)
		if (l->scenario->did & 1U << i) {
			fprintf(out, "%s\"%s\":%" PRIu64, comma, did_name[i], l->did[i]);
			comma = ",";
		}
	fputs("}", out);
}

static void json_parts(FILE *out, const struct vml_load *l)
{
	const char *comma = "";
	unsigned int i;

	fputs(",\"parts\":[", out);
	for (i = 0; i < l->nparts; i++, comma = ",") {
		const struct vml_load_part *p = &l->parts[i];

		fprintf(out, "%s{\"scenario\":\"%s\",\"left_out\":", comma, p->load.scenario->name);
		if (p->left_out)
			json_string(out, p->load.error);
		else
			fputs("null", out);
		fputs("}", out);
	}
	fputs("]", out);
}

static void json_blocking(FILE *out, const struct vml_load_blocking *b)
{
	const char *comma = "";
	uint32_t i;

	fputs(",\"culprits\":[", out);
	for (i = 0; i < b->nculprits; i++, comma = ",") {
		const struct vml_load_culprit *c = &b->culprit[i];

		fprintf(out,
			"%s{\"pid\":%d,\"tid\":%d,\"call\":\"%s\",\"what\":\"%s\",\"mode\":\"%s\",\"calls\":%" PRIu64
			",\"call_ns\":%" PRIu64,
			comma, c->pid, c->tid, c->call, c->what, c->write ? "write" : "read", c->calls, c->call_ns);
		if (c->split)
			fprintf(out, ",\"cpu_ns\":%" PRIu64 ",\"runnable_ns\":%" PRIu64 ",\"sleeping_ns\":%" PRIu64,
				c->cpu_ns, c->runnable_ns, vml_load_sleeping_ns(c));
		fputs("}", out);
	}
	fputs("],\"victims\":[", out);
	for (i = 0, comma = ""; i < b->nvictims; i++, comma = ",") {
		const struct vml_load_victim *v = &b->victim[i];

		fprintf(out,
			"%s{\"pid\":%d,\"tid\":%d,\"does\":\"%s\",\"waits\":%" PRIu64 ",\"blocked_ns\":%" PRIu64
			",\"longest_ns\":%" PRIu64,
			comma, getpid(), v->tid, v->does ? v->does : "", v->waits, v->blocked_ns, v->longest_ns);
		if (b->nculprits == 1)
			fprintf(out, ",\"covered_ns\":%" PRIu64, v->covered_ns);
		fputs("}", out);
	}
	fputs("]", out);
}

static void json(FILE *out, const struct vml_load *l)
{
	struct fault_count f = fault_count(l);

	if (is_reason(l))
		fprintf(out, "{\"scenario\":\"reason\",\"reason\":\"%s\"", l->scenario->name);
	else
		fprintf(out, "{\"scenario\":\"%s\"", l->scenario->name);
	fprintf(out, ",\"pid\":%d", getpid());
	if (l->scenario->takes & VML_TAKE_THREADS)
		fprintf(out, ",\"threads\":%" PRIu32, l->options.threads);
	if (l->scenario->takes & VML_TAKE_WRITERS)
		fprintf(out, ",\"writers\":%" PRIu32, l->options.writers);
	if (l->scenario->takes & VML_TAKE_PAGES)
		fprintf(out, ",\"pages\":%" PRIu32, l->options.pages);
	fprintf(out, ",\"faults\":{\"minor\":%" PRIu64 ",\"major\":%" PRIu64 ",\"total\":%" PRIu64 "}", f.minor,
		f.major, f.minor + f.major);
	json_calls(out, l);
	json_did(out, l);
	fprintf(out, ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f", l->bytes, seconds(l));
	if (l->images)
		fprintf(out, ",\"images\":%" PRIu32, l->images);
	if (*l->path) {
		fputs(",\"file\":", out);
		json_string(out, l->path);
	}
	json_lists(out, l);
	if (l->nparts)
		json_parts(out, l);
	if (l->blocking)
		json_blocking(out, l->blocking);
	fputs("}\n", out);
}

static void text_call(FILE *out, const char *name, uint64_t n)
{
	if (n)
		fprintf(out, ", %" PRIu64 " %s", n, name);
}

static void text_blocking(FILE *out, const struct vml_load_blocking *b)
{
	uint64_t calls = 0, call_ns = 0, waits = 0, blocked_ns = 0;
	char held[32], blocked[32];
	uint32_t i;

	for (i = 0; i < b->nculprits; i++) {
		calls += b->culprit[i].calls;
		call_ns += b->culprit[i].call_ns;
	}
	for (i = 0; i < b->nvictims; i++) {
		waits += b->victim[i].waits;
		blocked_ns += b->victim[i].blocked_ns;
	}
	fprintf(out, "; %" PRIu64 " call%s of %" PRIu32 " culprit%s took %s, %" PRIu64 " wait%s %s", calls,
		calls == 1 ? "" : "s", b->nculprits, b->nculprits == 1 ? "" : "s",
		vml_fmt_ns(held, sizeof(held), call_ns), waits, waits == 1 ? "" : "s",
		vml_fmt_ns(blocked, sizeof(blocked), blocked_ns));
	if (b->nculprits)
		fprintf(out, " (pid %d tid %d in %s)", b->culprit[0].pid, b->culprit[0].tid, b->culprit[0].what);
}

static void text(FILE *out, const struct vml_load *l)
{
	struct fault_count f = fault_count(l);
	char bytes[32];
	uint32_t i;

	fprintf(out, "%s: pid %d", l->scenario->name, getpid());
	if (l->scenario->takes & VML_TAKE_THREADS)
		fprintf(out, ", %" PRIu32 " %s", l->options.threads, l->child ? "at once" : "threads");
	fprintf(out, ": %" PRIu64 " faults (%" PRIu64 " minor, %" PRIu64 " major)", f.minor + f.major, f.minor,
		f.major);
	if (l->child) {
		for (f.minor = f.major = i = 0; i < l->nchildren && i < l->max_children; i++) {
			f.minor += l->child[i].minor;
			f.major += l->child[i].major;
		}
		fprintf(out, ", %" PRIu64 " faults in %" PRIu32 " children", f.minor + f.major, i);
	}
#define X(name) text_call(out, #name, l->calls.name);
	VML_LOAD_CALLS(X)
#undef X
	for (i = 0; i < VML_DID_COUNT; i++)
		if (l->scenario->did & 1U << i)
			text_call(out, did_name[i], l->did[i]);
	for (i = 0; i < l->nparts; i++)
		if (l->parts[i].left_out)
			fprintf(out, ", without %s", l->parts[i].load.scenario->name);
	text_call(out, "images", l->images);
	fprintf(out, ", %s touched in %.3f s", vml_fmt_bytes(bytes, sizeof(bytes), l->bytes), seconds(l));
	if (l->blocking)
		text_blocking(out, l->blocking);
	fputs("\n", out);
}

int vml_load_report(FILE *out, const struct vml_load *l)
{
	if (l->options.json)
		json(out, l);
	else
		text(out, l);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
