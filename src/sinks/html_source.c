// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "html.h"
#include "html_parts.h"
#include "parts.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"

static void entry(FILE *out, const char *name, const char *text)
{
	html_el(out, "dt", name);
	html_el(out, "dd", text);
}

static void notes(FILE *out, const struct vml_period *p)
{
	size_t i, first = p->nnotes > HTML_NOTES ? p->nnotes - HTML_NOTES : 0;
	char when[64];

	if (!p->nnotes)
		return;
	html_raw(out, "<details open><summary>Events</summary><dl>");
	if (first)
		html_elf(out, "dt", "%zu earlier ones are left out", first);
	if (first)
		html_raw(out, "<dd></dd>");
	for (i = first; i < p->nnotes; i++) {
		html_el(out, "dt", vml_fmt_clock(when, sizeof(when), p->note[i].real_ns, p->utc));
		html_elf(out, "dd", "%s%s%s", p->note[i].kind, *p->note[i].text ? ": " : "", p->note[i].text);
	}
	html_raw(out, "</dl></details>\n");
}

void html_head(FILE *out, const struct vml_snapshot *d, const struct vml_period *p)
{
	char text[512], from[64], until[64];

	html_raw(out, "<dl>");
	if (p->file)
		entry(out, "file", p->file);
	html_raw(out, "<dt>time</dt>");
	html_elf(out, "dd", "%s to %s", vml_fmt_clock(from, sizeof(from), p->from_ns, p->utc),
		 vml_fmt_clock(until, sizeof(until), p->until_ns, p->utc));
	html_raw(out, "<dt>observed</dt>");
	html_elf(out, "dd", "%s in %zu %s", html_ns(text, sizeof(text), (double)d->interval_ns), p->intervals,
		 p->intervals == 1 ? "interval" : "intervals");
	entry(out, "host", vml_summary(d, VML_SUMMARY_HOST, text, sizeof(text)));
	entry(out, "rates", vml_summary(d, VML_SUMMARY_RATES, text, sizeof(text)));
	vml_summary(d, VML_SUMMARY_LOSS, text, sizeof(text));
	entry(out, "lost", *text ? text : "nothing");
	entry(out, "own cost", vml_summary(d, VML_SUMMARY_COST, text, sizeof(text)));
	html_raw(out, "</dl>\n");
	notes(out, p);
}

void html_losses(FILE *out, const struct vml_snapshot *d)
{
	static const char *const head[] = { "Cause", "#Events", "What it means", NULL };
	struct html_table t;
	bool any = false;
	char text[32];
	size_t i;

	html_section(out, "losses", "What was lost");
	for (i = 0; i < d->nloss; i++)
		any |= d->loss[i].count;
	if (!any) {
		html_el(out, "p", d->nloss ? "Nothing: no counter of losses moved." : "Losses are not known.");
		html_section_end(out);
		return;
	}
	html_table(&t, out, NULL, head);
	for (i = 0; i < d->nloss; i++) {
		if (!d->loss[i].count)
			continue;
		html_row(&t);
		html_cell(&t, d->loss[i].cause);
		html_cell(&t, vml_grouped(text, sizeof(text), (double)d->loss[i].count));
		html_cell(&t, d->loss[i].help);
		html_row_end(&t);
	}
	html_table_end(&t);
	html_section_end(out);
}

static void capability(FILE *out, const struct vml_cap *c)
{
	static const char *const state[] = {
		[VML_CAP_NO] = "no", [VML_CAP_YES] = "yes", [VML_CAP_UNKNOWN] = "unknown"
	};

	html_elf(out, "dt", "%s: %s", c->name, state[c->state]);
	html_raw(out, "<dd>");
	html_textf(out, "%s", c->what ? c->what : "");
	if (c->how[0])
		html_elf(out, "div class=\"soft\"", "found: %s", c->how);
	if (c->state != VML_CAP_YES && c->lost && *c->lost)
		html_elf(out, "div class=\"soft\"", "lost: %s", c->lost);
	if (c->state != VML_CAP_YES && c->get && *c->get)
		html_elf(out, "div class=\"soft\"", "get it: %s", c->get);
	html_raw(out, "</dd>");
}

void html_doctor(FILE *out, const struct vml_snapshot *d)
{
	static const enum vml_cap_state order[] = { VML_CAP_NO, VML_CAP_UNKNOWN, VML_CAP_YES };
	unsigned int i, k, there = 0;

	if (!d->caps || !d->caps->backend[0])
		return;
	for (i = 0; i < VML_NCAPS; i++)
		there += d->caps->cap[i].state == VML_CAP_YES;
	html_section(out, "doctor", "What could be seen");
	html_elf(out, "p", "%s backend, %s detail: %u of %u capabilities.", d->caps->backend, d->caps->detail, there,
		 VML_NCAPS);
	html_raw(out, "<details><summary>Each, and how it was found out; what is missing comes first</summary><dl>\n");
	for (k = 0; k < VML_ARRAY_SIZE(order); k++)
		for (i = 0; i < VML_NCAPS; i++)
			if (d->caps->cap[i].state == order[k])
				capability(out, &d->caps->cap[i]);
	html_raw(out, "</dl></details>\n");
	html_section_end(out);
}
