// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A snapshot that fails loses nothing: the delta of the next one is from the last
 * that did not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "daemon.h"

#define HISTORY_RETRY_NS 60000000000ULL

/* ---- history */

/* What may be better in a minute; the rest is for whoever started us. */
static bool passes(int err)
{
	return err == -ENOSPC || err == -EROFS || err == -EIO || err == -ENOMEM || err == -EDQUOT;
}

bool interval_open_history(struct daemon *d, char error[VML_ERROR_MAX])
{
	const struct vml_store_options o = {
		.rows = VML_HISTORY_ROWS,
		.level = VML_HISTORY_LEVELS,
		.max_bytes = d->o->history_bytes,
	};
	int err = vml_history_open(d->o->history, &o, &d->history, error);

	if (!err && *error)
		vml_log(d->log, VML_LOG_WARN, "the history was damaged", "what", error, NULL);
	if (!err || !passes(err))
		return !err;
	d->history = NULL;
	d->history_retry_ns = vml_now_mono() + HISTORY_RETRY_NS;
	vml_log(d->log, VML_LOG_ERROR, "cannot open the history", "error", error, NULL);
	return true;
}

static void keep(struct daemon *d, const struct vml_snapshot *delta)
{
	char error[VML_ERROR_MAX] = "";
	int err;

	if (!d->o->history)
		return;
	if (!d->history && vml_now_mono() >= d->history_retry_ns && !interval_open_history(d, error)) {
		d->history_retry_ns = vml_now_mono() + HISTORY_RETRY_NS;
		vml_log(d->log, VML_LOG_ERROR, "cannot open the history", "error", error, NULL);
	}
	if (!d->history) {
		d->lost_history++;
		return;
	}
	err = vml_store_append(d->history, delta);
	if (err)
		vml_log(d->log, VML_LOG_ERROR, "cannot write the history", "error", strerror(-err), NULL);
}

/* ---- the guard */

/* What the hooks cost may be measured later, when the CPU is quieter: so many intervals pass before it is said. */
#define COST_PATIENCE 10

static void guard(struct daemon *d, const struct vml_guard_input *in)
{
	int err;

	if (!vml_guard_update(&d->guard, in))
		return;
	err = vml_source_set_duty(d->source, d->guard.step);
	if (err)
		vml_log(d->log, VML_LOG_ERROR, "cannot change the duty of the hooks on every fault", "error",
			strerror(-err), "duty", vml_duty_name(d->guard.step), NULL);
	else
		vml_log(d->log, VML_LOG_WARN, "guard step", "duty", vml_duty_name(d->guard.step), "why", d->guard.why,
			NULL);
}

/* ---- all of it */

static void to_sinks(struct daemon *d, struct vml_snapshot *delta)
{
	if (vml_export_add(d->exporter, delta)) {
		d->lost_export++;
		vml_log(d->log, VML_LOG_ERROR, "an interval is missing in the metrics: out of memory", NULL);
	}
	keep(d, delta);
	vml_memory_give_back(&d->give_back_ns);
	numbers_update(d, delta);
}

int interval_first(struct daemon *d)
{
	const struct vml_snapshot *rest = vml_source_rest(d->source);
	const struct vml_snapshot before = { .boot_ns = rest->boot_ns, .self = rest->self };
	uint64_t start = vml_now_mono();
	struct vml_guard_input cost;
	struct vml_snapshot *delta;
	int err = latest_next(d->latest, &delta);

	if (err)
		return err;
	d->snapshots++;
	d->snapshot_ns += vml_now_mono() - start;
	d->up_real_ns = delta->real_ns;
	d->up = true;
	vml_guard_input(&before, vml_source_rest(d->source), &cost);
	if (d->guarded && d->snapshots > 1)
		guard(d, &cost);
	if (d->guarded && d->snapshots == COST_PATIENCE && !vml_source_rest(d->source)->self.bpf_cost_known)
		vml_log(d->log, VML_LOG_WARN,
			"what the hooks cost could not be measured: --max-overhead bounds nothing", NULL);
	to_sinks(d, delta);
	vml_snapshot_free(delta);
	return 0;
}

void interval_take(struct daemon *d)
{
	int err = interval_first(d);

	if (!err)
		return;
	d->up = false;
	vml_log(d->log, VML_LOG_ERROR, "cannot take a snapshot", "error", strerror(-err), NULL);
	numbers_update(d, NULL);
}
