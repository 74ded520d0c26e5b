/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_HTML_PLOT_H
#define VMALOCK_SINKS_HTML_PLOT_H
/*
 * Plots over time as SVG (html_plot.c; html_heat.c).  The axes are text of the page, so that
 * it keeps its size when the plot gets narrow.  Where nobody observed, or what is plotted
 * was not known, the plot is hatched; nothing is drawn there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmalock/series.h"
#include "vmalock/sink.h"

/* Coordinates within a plot. */
#define PLOT_X 10000
#define PLOT_Y 1000

struct html_plot {
	FILE *out;
	const struct vml_series *series;
	const struct vml_period *period;
	uint64_t t0_ns, t1_ns;
	unsigned int id; /* of the next plot */
};

/* @series has bins. */
void html_plot_open(struct html_plot *p, FILE *out, const struct vml_series *series, const struct vml_period *period);

/* One quantity, per second of the time observed. */
struct html_line {
	const char *name;
	enum vml_metric metric;
};
/* One line, filled, or two, of which the second is dashed. */
void html_plot_lines(struct html_plot *p, const char *title, const struct html_line *line, size_t n);
/* Time x duration of the waits @which, as colours. */
void html_plot_heat(struct html_plot *p, const char *title, enum vml_series_hist which);
/* What is in the plots, as a table. */
void html_plot_numbers(struct html_plot *p);

/* ---- for html_heat.c */

/*
 * A figure: its legend, to which html_key() adds, then html_chart() and labels of the y axis,
 * then the SVG element, whose viewBox is PLOT_X wide.  Or its end, after the legend.
 */
void html_figure(struct html_plot *p, const char *class, const char *title, const char *summary);
void html_figure_empty(struct html_plot *p);
void html_chart(struct html_plot *p);
/* A label of the y axis, @part of a thousand above the bottom. */
void html_y(struct html_plot *p, unsigned int part, const char *text);
/* Opens the SVG element, and closes it with what lies over it and the x axis. */
void html_svg(struct html_plot *p, int height, const char *title, const char *desc);
void html_svg_end(struct html_plot *p, uint64_t metrics);
int html_x_of(const struct html_plot *p, uint64_t real_ns);
/* A swatch of the legend; @class is literal. */
void html_key(struct html_plot *p, const char *class, const char *text);

#endif
