/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_HTML_PARTS_H
#define VMALOCK_SINKS_HTML_PARTS_H
/* The sections of a report that are no plot over time. Each is left out when it has nothing to say. -ENOMEM */
#include <stdio.h>

#include "vmalock/sink.h"

struct vml_diagnosis;

/* Notes of a period that are shown: the last ones. */
#define HTML_NOTES 100

/* (html_findings.c) */
void html_findings(FILE *out, const struct vml_snapshot *d, const struct vml_diagnosis *x);

/* (html_map.c) Areas of the processes with most fallbacks, in the order of addresses. */
int html_map(FILE *out, struct vml_snapshot *d);

/* (html_tables.c) */
int html_processes(FILE *out, struct vml_snapshot *d);
int html_blockers(FILE *out, struct vml_snapshot *d);
int html_reasons(FILE *out, const struct vml_snapshot *d);
int html_cgroups(FILE *out, struct vml_snapshot *d);
void html_times(FILE *out, const struct vml_snapshot *d);

/* (html_source.c) Where the numbers are from, and what is not in them. */
void html_head(FILE *out, const struct vml_snapshot *d, const struct vml_period *period);
void html_losses(FILE *out, const struct vml_snapshot *d);
void html_doctor(FILE *out, const struct vml_snapshot *d);

#endif
