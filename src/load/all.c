// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Many kinds at once, in the threads of one process: each is a load of its own,
 * with its own crew; they begin and end together and are reported as one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* Those that fork come first, when there are few threads.  None changes the host. */
static const char *const kinds[] = {
	"remote", "forkcow", "faults",	    "shared",  "churn",	   "replace", "kernel",	  "file",
	"segv",	  "thp",     "userfaultfd", "madvise", "procmaps", "uffdio",  "vmawrite",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct vml_load_options options_of(const struct vml_load *l, const struct vml_load_scenario *s)
{
	struct vml_load_options o = s->defaults;

	o.threads = l->options.threads;
	o.rounds = l->options.rounds;
	if (o.pages > l->options.pages)
		o.pages = l->options.pages;
	return o;
}

static int start(struct vml_load *l, struct vml_load_part *part, const char *name)
{
	const struct vml_load_scenario *s = vml_load_find(vml_load_scenarios, name);
	int err;

	part->load = (struct vml_load){ .scenario = s, .options = options_of(l, s), .page = l->page, .fd = -1 };
	err = vml_load_crew_start(&part->load);
	if (err == -EOPNOTSUPP) {
		vml_load_crew_stop(&part->load);
		part->left_out = true;
		return 0;
	}
	if (err)
		memcpy(l->error, part->load.error, sizeof(l->error));
	return err;
}

static int add_up(struct vml_load *l, struct vml_load_part *part)
{
	const struct vml_load *p = &part->load;
	unsigned int i;
	int err;

	err = vml_load_crew_sum(&part->load);
	if (err)
		vml_load_fail(l, err, "a thread of %s failed", p->scenario->name);
#define X(name) l->calls.name += p->calls.name;
	VML_LOAD_CALLS(X)
#undef X
	for (i = 0; i < VML_DID_COUNT; i++)
		l->did[i] += p->did[i];
	l->bytes += p->bytes;
	for (i = 0; i < p->nregions && l->nregions < VML_LOAD_REGIONS; i++) {
		l->region[l->nregions] = p->region[i];
		l->region[l->nregions++].of = p->scenario->name;
	}
	return err;
}

static int work(struct vml_load *l, struct vml_load_part *part, unsigned int n)
{
	unsigned int i;
	int err, e;

	err = vml_load_begin(l);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		part[i].load.deadline_ns = l->deadline_ns;
		if (!part[i].left_out)
			vml_load_crew_go(&part[i].load);
	}
	for (i = 0; i < n; i++)
		if (!part[i].left_out)
			vml_load_crew_wait(&part[i].load);
	err = vml_load_end(l);
	for (i = 0; i < n; i++) {
		e = part[i].left_out ? 0 : add_up(l, &part[i]);
		err = err ? err : e;
	}
	return err;
}

int vml_load_all(struct vml_load *l)
{
	struct vml_load_part *part = calloc(KINDS, sizeof(*part));
	unsigned int i;
	int err = 0;

	if (!part)
		return vml_load_fail(l, -ENOMEM, "cannot keep %zu kinds", KINDS);
	l->parts = part;
	l->deadline_ns = UINT64_MAX;
	for (i = 0; !err && i < KINDS; i++) {
		err = start(l, &part[i], kinds[i]);
		l->nparts = i + 1;
	}
	if (!err)
		err = work(l, part, l->nparts);
	for (i = 0; i < l->nparts; i++)
		if (!part[i].left_out)
			vml_load_crew_stop(&part[i].load);
	return err;
}
