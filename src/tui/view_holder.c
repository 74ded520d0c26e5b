// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One blocker: what it held, where its time went, whom it held up, in which
 * code.  A page that is scrolled; the cursor is its first line on the screen.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

#define LABEL_COLUMNS 11
#define PART_COLUMNS 18
#define NUMBER_COLUMNS 9
#define BAR_COLUMNS 40
#define HIST_LINES 8
#define VICTIMS 5
#define STACKS 5
#define FRAME_COLUMNS 38
#define TEXT_MAX_BYTES 1024

struct page {
	struct tui *t;
	struct tui_canvas *c;
	const struct tui_area *a;
	const struct vml_row *r;
	int top, line; /* the first on the screen; the next one of the page */
};

/* Of the next line on the canvas; -1, where nothing can be drawn, when it is not on the screen. */
static int next_row(struct page *p)
{
	int at = p->line++ - p->top;

	return at >= 0 && at < p->a->rows ? p->a->row + at : -1;
}

static void head(struct page *p, const char *text)
{
	int row = next_row(p);

	tui_style_row(p->c, row, TUI_HEAD);
	tui_put_fit(p->c, row, p->a->col + 2, p->a->cols - 2, false, TUI_HEAD, text);
}

/* A name, and beside it text in as many lines as it needs. */
__attribute__((format(printf, 4, 5))) static void field(struct page *p, const char *name, enum tui_style style,
							const char *fmt, ...)
{
	int indent = *name ? LABEL_COLUMNS : 0, col = p->a->col + 2 + indent, cols = p->a->cols - 2 - indent;
	char text[TEXT_MAX_BYTES], part[TEXT_MAX_BYTES];
	const char *rest = text;
	bool first = true;
	va_list ap;

	va_start(ap, fmt);
	vml_text_vprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	do {
		size_t len = tui_text_piece(rest, cols);
		int row = next_row(p);

		memcpy(part, rest, len);
		part[len] = '\0';
		if (first)
			tui_put(p->c, row, p->a->col + 2, TUI_DIM, name);
		tui_put_fit(p->c, row, col, cols, false, style, part);
		first = false;
		rest += len;
		rest += strspn(rest, " ");
	} while (*rest);
}

/* ---- numbers: a second, or in the interval */

static double per(const struct page *p, uint64_t v)
{
	return (double)v / (p->t->counts ? 1 : (double)p->t->delta->interval_ns / 1e9);
}

static const char *slash(const struct page *p)
{
	return p->t->counts ? "" : "/s";
}

static char *time_text(const struct page *p, uint64_t ns, char buf[32])
{
	size_t len = strlen(vml_fmt_ns(buf, 32, per(p, ns)));

	snprintf(buf + len, 32 - len, "%s", slash(p));
	return buf;
}

/* "2 holds/s" */
static char *count_text(const struct page *p, uint64_t n, const char *what, char buf[32])
{
	size_t len = strlen(vml_fmt_count(buf, 32, per(p, n)));

	snprintf(buf + len, 32 - len, " %s%s", what, slash(p));
	return buf;
}

static bool known(const struct page *p, enum vml_metric m)
{
	return p->t->delta->have[VML_BLOCKER] & VML_METRIC_BIT(m);
}

static const struct vml_hist *holds(const struct vml_row *r)
{
	const struct vml_hist *most = &r->hist[0];
	int i;

	for (i = 1; i < VML_HISTS; i++) /* there is one: that of its lock */
		if (r->hist[i].count > most->count)
			most = &r->hist[i];
	return most;
}

/* ---- who, and what it is charged with */

static bool is_own(const struct vml_id *id)
{
	return id->pid == id->target.pid && id->start_ns == id->target.start_ns;
}

static void draw_lock(struct page *p)
{
	const struct vml_row *r = p->r;
	bool areas = !strcmp(r->lock, "vma_read");

	field(p, "lock", TUI_PLAIN, "%s of %s (%u)%s, held to %s", areas ? "areas" : "mmap_lock",
	      *r->target ? r->target : "process", r->id.target.pid, is_own(&r->id) ? ", its own process" : "",
	      areas	    ? "read, by faults in them"
	      : r->id.write ? "write"
			    : "read");
	if (*r->target_cgroup && strcmp(r->target_cgroup, r->cgroup) != 0)
		field(p, "of cgroup", TUI_PLAIN, "%s", r->target_cgroup);
}

static void draw_avoidable(struct page *p)
{
	double blamed = (double)p->r->value[VML_BLAMED_NS], part = (double)p->r->value[VML_AVOIDABLE_NS];
	char share[32];

	if (!known(p, VML_AVOIDABLE_NS))
		field(p, "avoidable", TUI_PLAIN, "-");
	else if (!(part > 0))
		field(p, "avoidable", TUI_PLAIN,
		      "nothing, as far as is known: who waited may have wanted what it worked on");
	else
		field(p, "avoidable", TUI_PLAIN,
		      "at least %s of it: waits for addresses that it did not change; a lock of the range alone would have "
		      "spared them",
		      vml_fmt_percent(share, sizeof(share), blamed > 0 ? part / blamed : 0));
}

static void draw_who(struct page *p)
{
	double longest = vml_hist_max_bound(holds(p->r));
	const struct vml_row *r = p->r;
	char blamed[32], count[32], victims[32], max[32];

	head(p, "HOLDER");
	if (r->id.tid && r->id.tid != r->id.pid)
		field(p, "who", TUI_BOLD, "%s (thread %u of process %u) in %s", r->comm, r->id.tid, r->id.pid,
		      r->context);
	else
		field(p, "who", TUI_BOLD, "%s (process %u) in %s", r->comm, r->id.pid, r->context);
	if (*r->cgroup)
		field(p, "cgroup", TUI_PLAIN, "%s", r->cgroup);
	draw_lock(p);
	if (longest < 0)
		vml_text_copy(max, sizeof(max), "none ended");
	else if (isfinite(longest))
		vml_fmt_ns(max, sizeof(max), longest);
	else
		vml_text_copy(max, sizeof(max), ">128s");
	field(p, "blamed", TUI_PLAIN, "%s in %s, longest %s; %s were waiting when they ended",
	      time_text(p, r->value[VML_BLAMED_NS], blamed), count_text(p, r->value[VML_HOLDS], "holds", count), max,
	      count_text(p, r->value[VML_VICTIMS], "threads", victims));
	draw_avoidable(p);
}

/* ---- where the hold time went */

static void part(struct page *p, const char *name, enum vml_metric m)
{
	double share = (double)p->r->value[m] / (double)p->r->value[VML_HOLD_NS];
	int row = next_row(p), col = p->a->col + 2, bar;
	char buf[32];

	tui_put_fit(p->c, row, col, PART_COLUMNS, false, TUI_PLAIN, name);
	col += PART_COLUMNS;
	tui_put_fit(p->c, row, col, NUMBER_COLUMNS, true, TUI_PLAIN,
		    vml_fmt_ns(buf, sizeof(buf), per(p, p->r->value[m])));
	col += NUMBER_COLUMNS;
	tui_put_fit(p->c, row, col, NUMBER_COLUMNS, true, TUI_PLAIN, vml_fmt_percent(buf, sizeof(buf), share));
	col += NUMBER_COLUMNS + 1;
	bar = p->a->col + p->a->cols - col - 1;
	tui_put_bar(p->c, row, col, bar < BAR_COLUMNS ? bar : BAR_COLUMNS, share < 1 ? share : 1);
}

static void draw_parts(struct page *p)
{
	static const struct {
		enum vml_metric metric;
		const char *name;
		bool always;
	} parts[] = {
		{ VML_ON_CPU_NS, "on CPU", true },	{ VML_RUNNABLE_NS, "waiting for a CPU", true },
		{ VML_SLEEP_NS, "asleep", true },	{ VML_RECLAIM_NS, "  in reclaim", false },
		{ VML_IO_NS, "  in block I/O", false }, { VML_SWAP_NS, "  in swap", false },
	};
	size_t i;

	next_row(p);
	head(p, "WHERE THE HOLD TIME WENT");
	if (!p->r->value[VML_HOLD_NS]) {
		field(p, "", TUI_PLAIN, "No hold that made anybody wait ended in this interval.");
		return;
	}
	for (i = 0; i < VML_ARRAY_SIZE(parts); i++)
		if (known(p, parts[i].metric) && (parts[i].always || p->r->value[parts[i].metric]))
			part(p, parts[i].name, parts[i].metric);
}

/* ---- how long they lasted */

static void draw_holds(struct page *p)
{
	const struct vml_tally *bars = &holds(p->r)->bucket;
	struct tui_axis x;
	char label[32];
	uint32_t line;

	if (!tui_axis_make(&bars, 1, HIST_LINES, &x))
		return;
	next_row(p);
	head(p, p->t->counts ? "  UP TO   TIMES  HOLDS" : "  UP TO TIMES/s  HOLDS");
	for (line = x.first; line <= x.last; line++) {
		int row = next_row(p), col = p->a->col + 2, cols = p->a->cols - 2 - NUMBER_COLUMNS;

		tui_put_fit(p->c, row, col, NUMBER_COLUMNS - 2, true, TUI_PLAIN,
			    tui_axis_label(&x, line, label, sizeof(label)));
		tui_put_times(p->t, p->c, row, col + NUMBER_COLUMNS - 1,
			      cols < BAR_COLUMNS + NUMBER_COLUMNS ? cols : BAR_COLUMNS + NUMBER_COLUMNS, bars, &x,
			      line);
	}
}

/* ---- whom it held up */

static bool is_victim(const struct vml_id *holder, const struct vml_row *thread)
{
	const struct vml_id *id = &thread->id;

	return id->pid == holder->target.pid && id->start_ns == holder->target.start_ns &&
	       id->exec == holder->target.exec && id->tid != holder->tid && thread->value[VML_WAIT_NS];
}

/* The threads that waited most, in order; returns how many. */
static size_t find_victims(const struct page *p, const struct vml_row *ret[VICTIMS])
{
	const struct vml_rows *all = &p->t->delta->rows[VML_THREAD];
	size_t i, k, n = 0;

	for (i = 0; i < all->n; i++) {
		const struct vml_row *r = &all->row[i];

		if (!is_victim(&p->r->id, r))
			continue;
		for (k = n; k && ret[k - 1]->value[VML_WAIT_NS] < r->value[VML_WAIT_NS]; k--)
			if (k < VICTIMS)
				ret[k] = ret[k - 1];
		if (k < VICTIMS)
			ret[k] = r;
		n += n < VICTIMS;
	}
	return n;
}

static void draw_victim(struct page *p, const struct vml_row *r)
{
	double longest = fmax(vml_hist_max_bound(&r->hist[0]), vml_hist_max_bound(&r->hist[1]));
	int row = next_row(p), col = p->a->col + 2, cols = p->a->cols - 2 - 8 - 16;
	char text[64], wait[32], max[32];

	snprintf(text, sizeof(text), "%u", r->id.tid);
	tui_put_fit(p->c, row, col, 7, true, TUI_PLAIN, text);
	tui_put_fit(p->c, row, col + 8, 15, false, TUI_PLAIN, r->comm);
	snprintf(text, sizeof(text), "%8s, longest %s", time_text(p, r->value[VML_WAIT_NS], wait),
		 longest < 0	     ? "-"
		 : isfinite(longest) ? vml_fmt_ns(max, sizeof(max), longest)
				     : ">128s");
	tui_put_fit(p->c, row, col + 8 + 16, cols, false, TUI_PLAIN, text);
}

static void draw_victims(struct page *p)
{
	const struct vml_row *victim[VICTIMS];
	size_t i, n = find_victims(p, victim);
	char text[TEXT_MAX_BYTES], wait[32];

	next_row(p);
	vml_text_printf(text, sizeof(text), "VICTIMS: threads of %s that waited most, for any holder",
			*p->r->target ? p->r->target : "the process");
	head(p, text);
	for (i = 0; i < n; i++)
		draw_victim(p, victim[i]);
	if (!n)
		field(p, "", TUI_PLAIN, "No other thread of it waited for mmap_lock, or none has ended its wait yet.");
	if (p->r->value[VML_FOREIGN_NS])
		field(p, "", TUI_PLAIN, "%s of the blame is for other processes that waited%s%s.",
		      time_text(p, p->r->value[VML_FOREIGN_NS], wait), *p->r->victim_cgroup ? ", the last one of " : "",
		      p->r->victim_cgroup);
}

/* ---- in which code */

static bool is_of(const struct vml_stack *s, const struct vml_id *id)
{
	return s->id.pid == id->pid && s->id.start_ns == id->start_ns && s->id.exec == id->exec &&
	       s->id.tid == id->tid && s->id.tid_start_ns == id->tid_start_ns && s->id.doing == id->doing;
}

static void draw_frame(struct page *p, const struct vml_frame *f)
{
	int row = next_row(p), col = p->a->col + 4, cols = p->a->cols - 4;
	char text[TEXT_MAX_BYTES];

	vml_frame_text(f, text, sizeof(text));
	if (f->state != VML_FRAME_FUNCTION || !*f->file || cols < FRAME_COLUMNS + 12) {
		tui_put_fit(p->c, row, col, cols, false, TUI_PLAIN, text);
		return;
	}
	tui_put_fit(p->c, row, col, FRAME_COLUMNS, false, TUI_PLAIN, text);
	tui_put_fit(p->c, row, col + FRAME_COLUMNS + 1, cols - FRAME_COLUMNS - 1, false, TUI_DIM, f->file);
}

static void draw_stack(struct page *p, const struct vml_stack *s)
{
	char blamed[32], count[32], max[32];
	uint32_t i;

	field(p, "", TUI_BOLD, "%s blamed in %s%s%s", time_text(p, s->blamed_ns, blamed),
	      count_text(p, s->holds, "holds", count), s->max_ns ? ", longest " : "",
	      s->max_ns ? vml_fmt_ns(max, sizeof(max), (double)s->max_ns) : "");
	for (i = 0; i < s->nframes; i++)
		draw_frame(p, &s->frame[i]);
	if (!s->nframes)
		field(p, "", TUI_PLAIN, "  It could not be taken.");
}

static int more_blamed(const void *a, const void *b)
{
	const struct vml_stack *const *x = a, *const *y = b;

	return ((*x)->blamed_ns < (*y)->blamed_ns) - ((*x)->blamed_ns > (*y)->blamed_ns);
}

static void draw_stacks(struct page *p)
{
	const struct vml_snapshot *d = p->t->delta;
	const struct vml_stack **mine = calloc(d->nstack + 1, sizeof(*mine));
	size_t i, n = 0;

	next_row(p);
	head(p, "STACKS: where it released the lock, innermost first");
	for (i = 0; mine && i < d->nstack; i++)
		if (is_of(&d->stack[i], &p->r->id))
			mine[n++] = &d->stack[i];
	if (!mine)
		field(p, "", TUI_PLAIN, "Out of memory.");
	else if (!d->stack)
		field(p, "", TUI_PLAIN, "Stacks of holders are not taken here.");
	else if (!n)
		field(p, "", TUI_PLAIN,
		      "None: no hold that ended in this interval made anybody wait for longer than the threshold.");
	if (n)
		qsort(mine, n, sizeof(*mine), more_blamed);
	for (i = 0; i < n && i < STACKS; i++)
		draw_stack(p, mine[i]);
	if (n > STACKS)
		field(p, "", TUI_PLAIN, "%zu more, with less blame.", n - STACKS);
	free(mine);
}

/* ---- the view */

static int draw_page(struct page *p, int top)
{
	p->top = top;
	p->line = 0;
	draw_who(p);
	draw_parts(p);
	draw_holds(p);
	draw_victims(p);
	draw_stacks(p);
	return p->line;
}

void tui_draw_holder(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	struct tui_area nowhere = { .row = a->row, .col = a->col, .cols = a->cols };
	struct tui_area room = { a->row + 1, a->col + 2, a->rows - 1, a->cols - 2 };
	struct page p = { .t = t, .c = c, .a = &nowhere };
	struct tui_cursor *cursor = tui_cursor(t);
	int lines;

	p.r = t->delta ? vml_rows_find(&t->delta->rows[VML_BLOCKER], &tui_here(t)->id) : NULL;
	t->nrows = 1;
	t->page = a->rows;
	if (!p.r || !vml_row_changed(p.r)) {
		tui_style_row(c, a->row, TUI_HEAD);
		tui_put_wrapped(c, &room, TUI_PLAIN,
				t->delta ? "It held up nobody in this interval."
					 : "The first interval is not over yet.");
		return;
	}
	lines = draw_page(&p, 0);
	if (lines > a->rows)
		t->nrows = (size_t)(lines - a->rows) + 1;
	if (cursor->at >= t->nrows)
		cursor->at = t->nrows - 1;
	p.a = a;
	draw_page(&p, (int)cursor->at);
}
