// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "html.h"
#include "html_parts.h"
#include "parts.h"
#include "vmalock/base.h"
#include "vmalock/diagnose.h"

#define FRAMES 8 /* of a stack */
#define OPEN 2 /* findings that are shown at once, when they are sure enough */

static void lines(FILE *out, const char *head, const struct vml_lines *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		html_el(out, "dt", i ? "" : head);
		html_el(out, "dd", l->line[i]);
	}
}

static void stack(FILE *out, const struct vml_stack *s)
{
	char text[512];
	uint32_t i;

	html_raw(out, "<dt>stack</dt><dd><pre>");
	for (i = 0; i < s->nframes && i < FRAMES; i++) {
		html_text(out, vml_frame_text(&s->frame[i], text, sizeof(text)));
		html_raw(out, "\n");
	}
	html_raw(out, i < s->nframes ? "...</pre></dd>" : "</pre></dd>");
}

static void one_finding(FILE *out, const struct vml_snapshot *d, const struct vml_finding *f, bool open)
{
	char blocked[32];

	fprintf(out, "<details class=\"finding %s\"%s><summary>", vml_level_name(f->level), open ? " open" : "");
	html_el(out, "b", f->title);
	if (f->process)
		html_textf(out, ": %s (%u)", f->process->comm, f->process->id.pid);
	fprintf(out, " <span class=\"level %s\">", f->negative ? "low" : vml_level_name(f->level));
	html_textf(out, "%s confidence", vml_level_name(f->level));
	html_raw(out, "</span></summary>");
	html_raw(out, "<dl><dt>finding</dt>");
	html_el(out, "dd", f->name);
	if (f->process && *f->process->cgroup) {
		html_raw(out, "<dt>cgroup</dt>");
		html_el(out, "dd", f->process->cgroup);
	}
	if (f->blocked_ns) {
		html_raw(out, "<dt>blocked</dt>");
		html_elf(out, "dd", "%s a second",
			 html_ns(blocked, sizeof(blocked), (double)f->blocked_ns / vml_seconds(d)));
	}
	lines(out, "evidence", &f->evidence);
	lines(out, "against", &f->against);
	lines(out, "not known", &f->unknown);
	if (f->stack)
		stack(out, f->stack);
	html_raw(out, "<dt>do</dt>");
	html_el(out, "dd", f->todo);
	html_raw(out, "<dt>then</dt>");
	html_el(out, "dd", f->change);
	html_raw(out, "</dl></details>\n");
}

void html_findings(FILE *out, const struct vml_snapshot *d, const struct vml_diagnosis *x)
{
	size_t i;

	html_section(out, "findings", "Findings");
	for (i = 0; i < x->n; i++)
		one_finding(out, d, &x->finding[i], i < OPEN && x->finding[i].level > VML_LOW);
	if (x->inconclusive)
		html_el(out, "p", "No verdict: too little was seen. Record for longer, or look at vmalock doctor.");
	else if (!x->n)
		html_el(out, "p", "Nothing that a rule knows.");
	if (x->nunjudged)
		html_raw(out, "<details><summary>Rules that could not be judged here</summary><dl>");
	for (i = 0; i < x->nunjudged; i++) {
		html_el(out, "dt", x->unjudged[i].name);
		html_elf(out, "dd", "needs %s", x->unjudged[i].needs);
	}
	if (x->nunjudged)
		html_raw(out, "</dl></details>\n");
	html_section_end(out);
}
