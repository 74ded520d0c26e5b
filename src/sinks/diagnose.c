// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Findings as text, and the table of rules; diagnose_json.c has the JSON. */
#include <errno.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/diagnose.h"
#include "parts.h"

#define FRAMES 6 /* of a stack in the text: from the innermost on */

/* ---- text */

static void put_lines(FILE *out, const char *head, const struct vml_lines *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		fprintf(out, "   %-9s %s\n", i ? "" : head, l->line[i]);
}

static void put_stack(FILE *out, const struct vml_stack *s)
{
	char text[512];
	uint32_t i;

	fprintf(out, "   %-9s", "stack");
	for (i = 0; i < s->nframes && i < FRAMES; i++)
		fprintf(out, "%s %s", i ? " <" : "", vml_frame_text(&s->frame[i], text, sizeof(text)));
	fputs(i < s->nframes ? " < ...\n" : "\n", out);
}

static void put_finding(FILE *out, const struct vml_snapshot *d, const struct vml_finding *f, size_t number)
{
	char blocked[32];

	fprintf(out, "\n%zu. %s: %s (%s)\n", number, f->name, f->title, vml_level_name(f->level));
	if (f->process)
		fprintf(out, "   %-9s %s (%u)%s%s\n", "process", f->process->comm, f->process->id.pid,
			*f->process->cgroup ? " " : "", f->process->cgroup);
	if (f->blocked_ns) {
		vml_fmt_ns(blocked, sizeof(blocked), (double)f->blocked_ns / vml_seconds(d));
		fprintf(out, "   %-9s %s a second\n", "blocked", vml_fmt_spaced(blocked, sizeof(blocked)));
	}
	put_lines(out, "evidence", &f->evidence);
	put_lines(out, "against", &f->against);
	put_lines(out, "not known", &f->unknown);
	if (f->stack)
		put_stack(out, f->stack);
	fprintf(out, "   %-9s %s\n   %-9s %s\n", "do", f->todo, "then", f->change);
}

int vml_diagnosis_write(FILE *out, const struct vml_snapshot *delta, const struct vml_diagnosis *d, bool utf8)
{
	FILE *f = vml_plain_open(out, utf8);
	char summary[512];
	size_t i;

	if (!f)
		return -ENOMEM;
	vml_verdict(delta, summary, sizeof(summary));
	fprintf(f, "%.1f s: %s\n", vml_seconds(delta), summary);
	for (i = 0; i < d->n; i++)
		put_finding(f, delta, &d->finding[i], i + 1);
	if (d->inconclusive)
		fputs("\nNo verdict: too little was seen. Observe for longer, or look at vmalock doctor.\n", f);
	else if (!d->n)
		fputs("\nNothing that a rule knows.\n", f);
	for (i = 0; i < d->nunjudged; i++)
		fprintf(f, "%snot judged: %s: needs %s\n", i ? "" : "\n", d->unjudged[i].name, d->unjudged[i].needs);
	return vml_plain_close(f, out, 0);
}

/* ---- the table of rules */

static void put_conditions(FILE *out, const char *head, const char *text)
{
	if (*text)
		fprintf(out, "%s: %s. ", head, text);
}

int vml_rules_write(FILE *out)
{
	struct vml_rule_info r;
	size_t i;

	fputs("| finding | what it is | conditions | what to do |\n|---|---|---|---|\n", out);
	for (i = 0; vml_rule_info(i, &r); i++) {
		fprintf(out, "| `%s` | %s | ", r.name, r.title);
		put_conditions(out, "Must", r.must);
		put_conditions(out, "Supports", r.support);
		put_conditions(out, "Against", r.against);
		fprintf(out, "| %s |\n", r.todo);
	}
	return ferror(out) ? -EIO : 0;
}
