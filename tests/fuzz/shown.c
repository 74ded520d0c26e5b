// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names of others, any bytes, in everything that shows them: tables and sentences on a terminal, pages, folded
 * stacks, recordings.  Nothing in them acts as anything but text, and what has a width keeps to it.  What is
 * redacted says no name.
 *
 *	byte 0		what shows them
 *	byte 1		how
 *	then		names and numbers, see delta.h
 */
#include <locale.h>

#include "fuzz/input.h"
#include "fuzz/delta.h"
#include "vmalock/compare.h"
#include "vmalock/diagnose.h"
#include "vmalock/series.h"
#include "vmalock/sink.h"
#include "vmalock/store.h"

/* ---- what was written */

struct shown {
	FILE *f;
	char *text;
	size_t n;
};

static void shown_begin(struct shown *s)
{
	*s = (struct shown){ 0 };
	s->f = open_memstream(&s->text, &s->n);
	fuzz_must(s->f != NULL);
}

/* Each line is clean, and ASCII unless @utf8; the caller frees the text. */
static void shown_end(struct shown *s, bool utf8)
{
	fuzz_must(!fclose(s->f));
	for (const char *at = s->text, *end; *at; at = end + 1) {
		end = strchr(at, '\n');
		fuzz_must(end != NULL);
		fuzz_must_be_clean(at, (size_t)(end - at));
		for (; at < end; at++)
			fuzz_must(utf8 || (unsigned char)*at < 0x80);
	}
	fuzz_must(strlen(s->text) == s->n);
}

/* ---- a terminal */

static void shown_table(struct vml_snapshot *d, unsigned int how)
{
	const struct vml_view view = { .scope = how % VML_NSCOPES, .limit = how & 8, .utf8 = how & 16 };
	struct shown s;

	shown_begin(&s);
	fuzz_must(!vml_table_write(s.f, d, &view));
	shown_end(&s, view.utf8);
	free(s.text);
}

static void shown_diagnosis(struct vml_snapshot *d, unsigned int how)
{
	struct vml_diagnosis found;
	struct shown s;

	shown_begin(&s);
	fuzz_must(!vml_diagnose(d, &found) && !vml_diagnosis_write(s.f, d, &found, how & 16));
	shown_end(&s, how & 16);
	free(s.text);
}

/* In buffers that are too small for them. */
static void shown_sentences(struct vml_snapshot *d, unsigned int how)
{
	char buf[512];
	size_t n = 1 + 2 * how;

	fuzz_must(n <= sizeof(buf));
	vml_verdict(d, buf, n);
	fuzz_must_be_clean(buf, strlen(buf));
	if (d->nstall)
		fuzz_must(vml_stall_text(d, buf, n) < n);
	fuzz_must_be_clean(buf, strlen(buf));
	for (size_t i = 0; i < d->nstack; i++)
		for (uint32_t k = 0; k < d->stack[i].nframes; k++) {
			vml_frame_text(&d->stack[i].frame[k], buf, n);
			fuzz_must_be_clean(buf, strlen(buf));
		}
	for (int line = VML_SUMMARY_HOST; line <= VML_SUMMARY_COST; line++) {
		vml_summary(d, (enum vml_summary)line, buf, n);
		fuzz_must_be_clean(buf, strlen(buf));
	}
}

/* Cells: cut or padded, exactly as wide as they are asked for. */
static void shown_cells(struct vml_snapshot *d, unsigned int how)
{
	bool utf8 = how & 1, right = how & 2;
	int width = (int)(how / 4);
	char text[1024], fit[8192];

	for (int scope = 0; scope < VML_NSCOPES; scope++) {
		const struct vml_column *const *c = vml_columns((enum vml_scope)scope);

		for (; d->rows[scope].n && *c; c++) {
			vml_column_text(*c, d, (enum vml_scope)scope, &d->rows[scope].row[0], true, text, sizeof(text));
			fuzz_must_be_clean(text, strlen(text));
			vml_text_fit(fit, sizeof(fit), text, width, right, utf8);
			fuzz_must_be_clean(fit, strlen(fit));
			fuzz_must(vml_text_width(fit) == width);
			fuzz_must(utf8 || strlen(fit) == (size_t)width);
		}
	}
}

/* ---- stacks for flame graphs */

/* "comm;frame;frame 123": a frame is neither cut in two nor put together with another. */
static void shown_folded(struct vml_snapshot *d)
{
	struct shown s;
	const char *at;

	shown_begin(&s);
	fuzz_must(!vml_folded_stacks_write(s.f, d));
	shown_end(&s, true);
	at = s.text;
	for (size_t i = 0; i < d->nstack; i++) {
		const char *end = strchr(at, '\n'), *space = memchr(at, ' ', (size_t)(end - at));
		uint32_t frames = 0;

		fuzz_must(space && space[1 + strspn(space + 1, "0123456789")] == '\n');
		for (; at < space; at++)
			frames += *at == ';';
		fuzz_must(frames == d->stack[i].nframes);
		at = end + 1;
	}
	fuzz_must(!*at);
	free(s.text);
}

/* ---- pages */

FUZZ_CHECK static bool shown_is_void(const char *tag)
{
	return !strcmp(tag, "!DOCTYPE") || !strcmp(tag, "meta") || !strcmp(tag, "br") || !strcmp(tag, "hr");
}

/* Behind the tag at @at, its name in @tag; attributes have their values in quotes. */
FUZZ_CHECK static const char *shown_tag(const char *at, char tag[32], bool *ret_empty)
{
	size_t n = strcspn(++at, " >\n");
	bool quoted = false;

	fuzz_must(n > 0 && n < 32);
	memcpy(tag, at, n);
	tag[n] = '\0';
	for (at += n; *at != '>' || quoted; at++) {
		fuzz_must(*at && *at != '<');
		quoted ^= *at == '"';
	}
	*ret_empty = at[-1] == '/';
	return at + 1;
}

/* Every element that begins ends, in the right order, and none is a script or an image. */
FUZZ_CHECK static void shown_elements(const char *at)
{
	char open[64][32], tag[32];
	int depth = 0;
	bool empty;

	while ((at = strchr(at, '<'))) {
		at = shown_tag(at, tag, &empty);
		fuzz_must(strcmp(tag, "script") != 0 && strcmp(tag, "img") != 0);
		if (*tag == '/') {
			fuzz_must(depth > 0 && !strcmp(open[depth - 1], tag + 1));
			depth--;
		} else if (!empty && !shown_is_void(tag)) {
			fuzz_must(depth < 64);
			strcpy(open[depth++], tag);
		}
		if (!strcmp(tag, "style"))
			at = strstr(at, "</style>");
		fuzz_must(at != NULL);
	}
	fuzz_must(depth == 0);
}

static void shown_page(struct vml_snapshot *d)
{
	const struct vml_note note = { d->real_ns, "stall", d->nstall ? d->stall[0].comm : "" };
	const struct vml_period period = { d->host.name, d->real_ns, d->real_ns + 1, 1, &note, 1, true };
	struct vml_series series = { 0 };
	struct vml_diagnosis found;
	const struct vml_html_report r = { d, &period, &series, &found };
	struct shown s;

	shown_begin(&s);
	fuzz_must(!vml_series_add(&series, d) && !vml_diagnose(d, &found));
	fuzz_must(!vml_html_report_write(s.f, &r));
	shown_end(&s, true);
	shown_elements(s.text);
	vml_series_free(&series);
	free(s.text);
}

/* ---- comparisons */

/* Worse in everything, so that all names are told. */
static void shown_diff(struct vml_snapshot *a, struct vml_snapshot *b, unsigned int how)
{
	struct vml_comparison c = { .verdict = VML_REGRESSION };
	struct vml_diff diff = { .comparison = &c, .utc = true };
	struct vml_moved *moved;
	struct shown s;

	for (int m = 0; m < VML_NMEASURES; m++)
		c.measure[m] = (struct vml_measured){ .known = true, .a = 1, .b = 2, .verdict = VML_REGRESSION };
	diff.side[0] = (struct vml_diff_side){ a->host.name, a, 1, a->real_ns, a->real_ns + 1 };
	diff.side[1] = (struct vml_diff_side){ b->host.name, b, 1, b->real_ns, b->real_ns + 1 };
	fuzz_must(!vml_explain(a, b, &c, 0, &moved, &diff.nmoved));
	diff.moved = moved;
	shown_begin(&s);
	if (how & 1)
		fuzz_must(!vml_diff_html_write(s.f, &diff));
	else
		fuzz_must(!vml_diff_write(s.f, &diff, how & 2));
	shown_end(&s, how & 3);
	if (how & 1)
		shown_elements(s.text);
	free(s.text);
	free(moved);
}

/* ---- redaction */

/* What was a name, and what stands for it. */
struct shown_words {
	const char *was[64], *now[64];
	size_t n;
};

/* "PREFIX-1", always the same for the same name and never for another one. */
FUZZ_CHECK static void shown_word(struct shown_words *w, const char *prefix, const char *was, const char *now)
{
	size_t n = strlen(prefix);

	if (!*was) {
		fuzz_must(!*now);
		return;
	}
	fuzz_must(!strncmp(now, prefix, n) && now[n] == '-' && now[n + 1]);
	fuzz_must(!now[n + 1 + strspn(now + n + 1, "0123456789")]);
	for (size_t i = 0; i < w->n; i++)
		fuzz_must(!strcmp(w->was[i], was) == !strcmp(w->now[i], now));
	fuzz_must(w->n < VML_ARRAY_SIZE(w->was));
	w->was[w->n] = was;
	w->now[w->n++] = now;
}

/* Name by name, as deep as it was. */
FUZZ_CHECK static void shown_path(const char *was, const char *now)
{
	char *from = strdup(was), *to = strdup(now), *at, *to_at;
	const char *name, *placeholder = strtok_r(to, "/", &to_at);

	fuzz_must(from && to && (*was ? *now == '/' : !*now));
	for (name = strtok_r(from, "/", &at); name; name = strtok_r(NULL, "/", &at)) {
		fuzz_must(placeholder != NULL);
		shown_word(&(struct shown_words){ 0 }, "cgroup", name, placeholder);
		placeholder = strtok_r(NULL, "/", &to_at);
	}
	fuzz_must(!placeholder);
	free(from);
	free(to);
}

FUZZ_CHECK static void shown_redacted_rows(const struct vml_snapshot *was, const struct vml_snapshot *now)
{
	struct shown_words comm = { 0 }, file = { 0 };

	for (int scope = 0; scope < VML_NSCOPES; scope++)
		for (size_t i = 0; i < was->rows[scope].n; i++) {
			const struct vml_row *x = &was->rows[scope].row[i], *y = &now->rows[scope].row[i];

			shown_word(&comm, "comm", x->comm, y->comm);
			shown_path(x->cgroup, y->cgroup);
			if (scope == VML_VMA && !strcmp(x->area.kind, "file"))
				shown_word(&file, "file", x->area.name, y->area.name);
			if (scope != VML_BLOCKER)
				continue;
			shown_word(&comm, "comm", x->target, y->target);
			shown_path(x->target_cgroup, y->target_cgroup);
			shown_path(x->victim_cgroup, y->victim_cgroup);
		}
}

FUZZ_CHECK static void shown_redacted_stacks(const struct vml_snapshot *was, const struct vml_snapshot *now)
{
	struct shown_words comm = { 0 }, function = { 0 }, file = { 0 };

	for (size_t i = 0; i < was->nstack; i++) {
		shown_word(&comm, "comm", was->stack[i].comm, now->stack[i].comm);
		for (uint32_t k = 0; k < was->stack[i].nframes; k++) {
			const struct vml_frame *x = &was->stack[i].frame[k], *y = &now->stack[i].frame[k];

			if (x->kernel) {
				fuzz_must(!strcmp(x->function, y->function));
				continue;
			}
			shown_word(&function, "function", x->function, y->function);
			shown_word(&file, "file", x->file, y->file);
			fuzz_must(!*y->build_id);
		}
	}
}

static void shown_redaction(struct vml_snapshot *d)
{
	struct vml_redaction *r = vml_redaction_new();
	struct vml_snapshot *was = delta_copy(d);
	struct shown_words host = { 0 };

	fuzz_must(r && !vml_redact(r, d) && vml_is_redacted(d));
	vml_redaction_free(r);
	shown_word(&host, "host", was->host.name, d->host.name);
	shown_redacted_rows(was, d);
	shown_redacted_stacks(was, d);
	for (size_t i = 0; i < was->nstall; i++)
		shown_word(&(struct shown_words){ 0 }, "comm", was->stall[i].comm, d->stall[i].comm);
	vml_snapshot_free(was);
}

/* ---- recordings */

/* What is read from one is what was written. */
static void shown_recording(struct vml_snapshot *d)
{
	char error[VML_ERROR_MAX], *bytes = NULL;
	struct vml_snapshot *read = NULL;
	struct vml_reader *r = NULL;
	size_t n;
	FILE *f = open_memstream(&bytes, &n);

	fuzz_must(f && !vml_recording_write(f, d) && !fclose(f));
	fuzz_must(!vml_reader_open_bytes(bytes, n, "fuzz", &r, error) && !vml_reader_delta(r, 0, &read));
	fuzz_must(!strcmp(read->host.name, d->host.name));
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		for (size_t i = 0; i < read->rows[scope].n; i++) {
			const struct vml_row *x = &read->rows[scope].row[i],
					     *y = vml_rows_find(&d->rows[scope], &x->id);

			fuzz_must(y && !strcmp(x->comm, y->comm) && !strcmp(x->area.name, y->area.name));
			fuzz_must(scope == VML_VMA || !strcmp(x->cgroup, y->cgroup));
		}
	fuzz_must(read->nstack == d->nstack);
	for (size_t i = 0; i < read->nstack; i++)
		for (uint32_t k = 0; k < read->stack[i].nframes; k++) {
			const struct vml_frame *x = &read->stack[i].frame[k], *y = &d->stack[i].frame[k];

			fuzz_must(!strcmp(x->function, y->function) && !strcmp(x->file, y->file));
		}
	vml_snapshot_free(read);
	vml_reader_close(r);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	unsigned int what = (unsigned int)fuzz_take(&in, 1), how = (unsigned int)fuzz_take(&in, 1);
	struct vml_snapshot *d = delta_read(2, &in), *then = NULL;

	fuzz_must(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	switch (what % 9) {
	case 0:
		shown_table(d, how);
		break;
	case 1:
		shown_diagnosis(d, how);
		break;
	case 2:
		shown_sentences(d, how);
		break;
	case 3:
		shown_cells(d, how);
		break;
	case 4:
		shown_folded(d);
		break;
	case 5:
		shown_page(d);
		break;
	case 6:
		then = delta_read(4, &in);
		shown_diff(d, then, how);
		vml_snapshot_free(then);
		break;
	case 7:
		shown_redaction(d);
		break;
	case 8:
		shown_recording(d);
		break;
	}
	vml_snapshot_free(d);
	return 0;
}
