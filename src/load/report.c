// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What was done.  All of it is numbers and our own words, but for the path. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "vmalock/base.h"

struct fault_count {
	uint64_t minor, major;
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
	for (i = 0; i < l->nregions; i++, comma = ",")
		fprintf(out, "%s{\"name\":\"%s\",\"start\":\"0x%" PRIx64 "\",\"end\":\"0x%" PRIx64 "\"}", comma,
			l->region[i].name, l->region[i].start, l->region[i].end);
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

static void json(FILE *out, const struct vml_load *l)
{
	struct fault_count f = fault_count(l);

	fprintf(out, "{\"scenario\":\"%s\",\"pid\":%d", l->scenario->name, getpid());
	if (l->scenario->takes & VML_TAKE_THREADS)
		fprintf(out, ",\"threads\":%" PRIu32, l->options.threads);
	if (l->scenario->takes & VML_TAKE_WRITERS)
		fprintf(out, ",\"writers\":%" PRIu32, l->options.writers);
	if (l->scenario->takes & VML_TAKE_PAGES)
		fprintf(out, ",\"pages\":%" PRIu32, l->options.pages);
	fprintf(out, ",\"faults\":{\"minor\":%" PRIu64 ",\"major\":%" PRIu64 ",\"total\":%" PRIu64 "}", f.minor,
		f.major, f.minor + f.major);
	fprintf(out,
		",\"calls\":{\"mmap\":%" PRIu64 ",\"munmap\":%" PRIu64 ",\"mprotect\":%" PRIu64 ",\"madvise\":%" PRIu64
		",\"read\":%" PRIu64 "}",
		l->calls.mmap, l->calls.munmap, l->calls.mprotect, l->calls.madvise, l->calls.read);
	fprintf(out, ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f", l->bytes, seconds(l));
	if (l->images)
		fprintf(out, ",\"images\":%" PRIu32, l->images);
	if (*l->path) {
		fputs(",\"file\":", out);
		json_string(out, l->path);
	}
	json_lists(out, l);
	fputs("}\n", out);
}

static void text_call(FILE *out, const char *name, uint64_t n)
{
	if (n)
		fprintf(out, ", %" PRIu64 " %s", n, name);
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
	text_call(out, "mmap", l->calls.mmap);
	text_call(out, "munmap", l->calls.munmap);
	text_call(out, "mprotect", l->calls.mprotect);
	text_call(out, "madvise", l->calls.madvise);
	text_call(out, "read", l->calls.read);
	text_call(out, "images", l->images);
	fprintf(out, ", %s touched in %.3f s\n", vml_fmt_bytes(bytes, sizeof(bytes), l->bytes), seconds(l));
}

int vml_load_report(FILE *out, const struct vml_load *l)
{
	if (l->options.json)
		json(out, l);
	else
		text(out, l);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
