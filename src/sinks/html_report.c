// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A report as one page. */
#include "html.h"
#include "html_parts.h"
#include "html_plot.h"
#include "parts.h"
#include "vmalock/base.h"

static void verdict(FILE *out, const struct vml_snapshot *d)
{
	static const char *const class[] = {
		[VML_QUIET] = "quiet",	   [VML_HEALTHY] = "healthy", [VML_FALLING_BACK] = "falling",
		[VML_WAITING] = "waiting", [VML_STALLED] = "waiting",
	};
	struct vml_snapshot past = *d;
	char text[512];

	past.nstall = 0;
	vml_verdict_past(d, text, sizeof(text));
	fprintf(out, "<p class=\"verdict %s\">", class[vml_health(&past)]);
	html_text(out, text);
	html_raw(out, "</p>\n");
}

static void nav(FILE *out)
{
	html_raw(out, "<nav><a href=\"#findings\">Findings</a><a href=\"#time\">Over time</a>"
		      "<a href=\"#areas\">Memory areas</a><a href=\"#blockers\">Who held up others</a>"
		      "<a href=\"#reasons\">Reasons</a><a href=\"#processes\">Processes</a>"
		      "<a href=\"#times\">Durations</a><a href=\"#losses\">Losses</a></nav>\n");
}

/* How bins are made. */
static void binning(FILE *out, const struct vml_series *s, const struct vml_period *p)
{
	char step[32], width[32];

	if (s->step_ns)
		html_elf(
			out, "p class=\"soft\"",
			"%zu intervals are drawn as %zu bins. A bin has whole intervals that follow each other and "
			"together take up to %s; its rate is of the time observed, and gaps shorter than that are inside "
			"of bins.",
			p->intervals, s->n, html_ns(step, sizeof(step), (double)s->step_ns));
	else
		html_elf(out, "p class=\"soft\"", "Each interval is drawn by itself: %zu of them, the first of %s.",
			 s->n, html_ns(width, sizeof(width), (double)s->bin[0].interval_ns));
	html_elf(out, "p class=\"soft\"",
		 "Times are %s. Where nobody observed the plots are hatched, and nothing is drawn.",
		 p->utc ? "in UTC" : "local; the offset is that of the head");
}

static void over_time(FILE *out, const struct vml_html_report *r)
{
	static const struct html_line faults[] = { { "faults", VML_FAULTS } };
	static const struct html_line fallbacks[] = { { "fallbacks", VML_FALLBACKS }, { "bypasses", VML_BYPASSES } };
	static const struct html_line waits[] = { { "to read", VML_MMAP_READ_WAIT_NS },
						  { "to write", VML_MMAP_WRITE_WAIT_NS } };
	struct html_plot p;

	html_section(out, "time", "Over time");
	binning(out, r->series, r->period);
	html_plot_open(&p, out, r->series, r->period);
	html_plot_lines(&p, "Page faults a second", faults, 1);
	html_plot_lines(&p, "Page faults that took mmap_lock, a second; of them in kernel mode (bypasses)", fallbacks,
			2);
	html_plot_lines(&p, "Time waited for mmap_lock, of all threads, a second", waits, 2);
	html_plot_heat(&p, "How long waits to read-lock mmap_lock took", VML_SERIES_READ_WAIT);
	html_plot_heat(&p, "How long waits to write-lock mmap_lock took", VML_SERIES_WRITE_WAIT);
	html_plot_numbers(&p);
	html_section_end(out);
}

int vml_html_report_write(FILE *out, const struct vml_html_report *r)
{
	struct vml_snapshot *d = r->sum;
	char title[512];
	int err;

	vml_text_printf(title, sizeof(title), "Page faults and mmap_lock on %s", d->host.name);
	html_begin(out, title);
	verdict(out, d);
	html_head(out, d, r->period);
	nav(out);
	html_findings(out, d, r->diagnosis);
	over_time(out, r);
	err = html_map(out, d);
	if (!err)
		err = html_blockers(out, d);
	if (!err)
		err = html_cgroups(out, d);
	if (!err)
		err = html_reasons(out, d);
	if (!err)
		err = html_processes(out, d);
	if (err)
		return err;
	html_times(out, d);
	html_losses(out, d);
	html_doctor(out, d);
	return html_end(out);
}
