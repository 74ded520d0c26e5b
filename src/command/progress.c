// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "record.h"
#include "vmalock/base.h"
#include "vmalock/sink.h"

#define COLUMNS 80

void progress_init(struct progress *p, const struct record *o)
{
	/* the terminal belongs to the command, when there is one */
	*p = (struct progress){ .name = o->name, .terminal = isatty(STDERR_FILENO) && !o->command, .longest_ns = -1 };
}

/* ---- what is said */

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static double at_least(const struct vml_hist *h)
{
	if (h->max_ns)
		return (double)h->max_ns;
	return h->bucket.n ? vml_hist_lower(h->bucket.cell[h->bucket.n - 1].index) : 0;
}

double progress_wait(const struct vml_snapshot *d)
{
	double longest = -1, ns;
	unsigned int i;
	size_t k;

	for (i = 0; i < VML_HISTS; i++) {
		if (!ends_in(vml_hist_name(i), "_wait") ||
		    !(d->have[VML_PROCESS] & VML_METRIC_BIT(vml_hist_metrics[i])))
			continue;
		ns = at_least(&d->hist[i]);
		longest = ns > longest ? ns : longest;
	}
	for (k = 0; k < d->nstall; k++) {
		ns = (double)d->stall[k].wait_ns;
		longest = ns > longest ? ns : longest;
	}
	return longest;
}

static const char *rate(const struct vml_snapshot *d, enum vml_metric m, char *buf, size_t n)
{
	if (!(d->have[VML_PROCESS] & VML_METRIC_BIT(m)))
		return "-";
	return vml_fmt_count(buf, n, (double)d->total[m] * 1e9 / (double)d->interval_ns);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void show(struct progress *p, const char *line)
{
	struct winsize size;
	char fit[512];
	int columns = COLUMNS;

	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		columns = size.ws_col < 256 ? size.ws_col : 256;
	vml_text_fit(fit, sizeof(fit), line, columns - 1, false, false);
	fprintf(stderr, "\r%s", fit);
	p->shown = true;
}

void progress_interval(struct progress *p, const struct vml_snapshot *d, uint64_t bytes)
{
	char line[256], size[32], faults[32], fallbacks[32], wait[32];
	double longest = progress_wait(d);

	p->intervals++;
	p->observed_ns += d->interval_ns;
	p->events += vml_snapshot_lost(d);
	p->details += vml_snapshot_lost_details(d);
	if (longest > p->longest_ns)
		p->longest_ns = longest;
	if (!p->terminal)
		return;
	snprintf(line, sizeof(line), "%.0f s, %llu interval%s, %s; %s faults/s, %s fallbacks/s, longest wait %s",
		 (double)p->observed_ns / 1e9, (unsigned long long)p->intervals, plural(p->intervals),
		 vml_fmt_bytes(size, sizeof(size), (double)bytes), rate(d, VML_FAULTS, faults, sizeof(faults)),
		 rate(d, VML_FALLBACKS, fallbacks, sizeof(fallbacks)),
		 p->longest_ns < 0 ? "-" : vml_fmt_ns(wait, sizeof(wait), p->longest_ns));
	show(p, line);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (p->shown) {
		show(p, "");
		fputc('\r', stderr);
		p->shown = false;
	}
	fprintf(stderr, "%s: ", p->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void progress_file(struct progress *p, const char *path, const struct vml_store_stats *s, uint64_t events,
		   uint64_t details, const char *more)
{
	char lost[256] = "", size[32];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < VML_STORE_NCAUSES && len < sizeof(lost); i++)
		if (s->lost[i])
			len += (size_t)snprintf(lost + len, sizeof(lost) - len, "%s %llu interval%s (%s)",
						len ? "," : "", (unsigned long long)s->lost[i], plural(s->lost[i]),
						vml_store_cause_name(i));
	if (events && len < sizeof(lost))
		len += (size_t)snprintf(lost + len, sizeof(lost) - len, "%s %llu event%s", len ? "," : "",
					(unsigned long long)events, plural(events));
	if (details && len < sizeof(lost))
		len += (size_t)snprintf(lost + len, sizeof(lost) - len, "%s %llu detail%s", len ? "," : "",
					(unsigned long long)details, plural(details));
	progress_say(p, "%s: %llu interval%s, %s%s; %s%s", path, (unsigned long long)s->intervals, plural(s->intervals),
		     vml_fmt_bytes(size, sizeof(size), (double)s->bytes), more, len ? "lost:" : "nothing lost", lost);
}
