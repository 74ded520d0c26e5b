/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "export/gather.h"
#include "export/state.h"
#include "vmalock/base.h"

/* What is always exported finds room: lists, losses, histograms, lookups, and a number for each metric. */
#define FIXED_MAX                                                                                                \
	(VML_DAEMON_NLISTS * VML_DAEMON_ITEMS + LOSSES + (2 + OUTCOMES) * 16 + LOOKUP_CALLERS * LOOKUP_RESULTS + \
	 2 * HOLDER_STATES + VML_NCAPS + NMETRICS + 4)
_Static_assert(FIXED_MAX + ROW_SERIES_MAX <= VML_EXPORT_BUDGET_MIN, "the smallest budget holds what has no row");

int vml_export_new(const struct vml_export_options *o, struct vml_export **ret)
{
	struct vml_export *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->options = *o;
	if (!e->options.series_budget)
		e->options.series_budget = VML_EXPORT_BUDGET;
	if (!e->options.series_churn)
		e->options.series_churn = VML_EXPORT_CHURN;
	if (e->options.series_budget < VML_EXPORT_BUDGET_MIN) {
		free(e);
		return -EINVAL;
	}
	pthread_mutex_init(&e->lock, NULL);
	e->tokens = e->options.series_churn;
	e->other = (struct row){
		.cgroup = "other",
		.comm = o->comm ? "other" : "",
		.path = "",
		.kind = "",
		.state = ROW_SHOWN,
	};
	vml_daemon_init(&e->daemon);
	*ret = e;
	return 0;
}

void vml_export_free(struct vml_export *e)
{
	if (!e)
		return;
	rows_free(e);
	vml_arena_free(e->daemon_arena);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

int vml_export_write(struct vml_export *e, enum vml_export_format f, uint64_t scraper, char **ret, size_t *ret_n)
{
	struct exposition x;
	int err;

	pthread_mutex_lock(&e->lock);
	err = gather(e, &x);
	if (!err)
		scraper_came(e, scraper);
	pthread_mutex_unlock(&e->lock);
	if (!err)
		err = f == VML_EXPORT_PROTOBUF ? protobuf_write(&x, ret, ret_n) : text_write(&x, ret, ret_n);
	vml_arena_free(x.arena);
	return err;
}
