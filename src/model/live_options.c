// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/source.h"

static int wrong(char error[VML_ERROR_MAX], const char *what, const char *arg)
{
	snprintf(error, VML_ERROR_MAX, "%s, not '%s'", what, arg);
	return -EINVAL;
}

/* What @list, ended by NULL, has for @arg. */
static const char *one_of(const char *const *list, const char *arg)
{
	while (*list && strcmp(*list, arg))
		list++;
	return *list;
}

int vml_live_set_backend(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX])
{
	static const char *const backends[] = { "auto", "tracepoint", "fentry", "kprobe", NULL };

	o->backend = one_of(backends, arg);
	return o->backend ? 0 : wrong(error, "--backend: auto, tracepoint, fentry or kprobe", arg);
}

int vml_live_set_detail(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX])
{
	static const char *const details[] = { "default", "exact", NULL };

	o->detail = one_of(details, arg);
	return o->detail ? 0 : wrong(error, "--detail: default or exact", arg);
}

int vml_live_set_stacks_over(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX])
{
	if (!strcmp(arg, "off"))
		o->stacks_over_ns = VML_STACKS_OFF;
	else if (vml_parse_duration(arg, &o->stacks_over_ns))
		return wrong(error, "--stacks-over: a time as 500us, 1ms or 2s, or off", arg);
	return 0;
}

int vml_live_set_memory(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX])
{
	if (vml_parse_bytes(arg, 4 << 20, 1ULL << 40, &o->memory_bytes))
		return wrong(error, "--memory: a size from 4M on", arg);
	return 0;
}

int vml_live_set_max_overhead(struct vml_live_options *o, const char *arg, double *ret_share, char error[VML_ERROR_MAX])
{
	double percent;

	if (vml_parse_percent(arg, 0.01, 100, &percent))
		return wrong(error, "--max-overhead: percent, 0.01 to 100", arg);
	*ret_share = percent / 100;
	o->guard = true;
	return 0;
}
