/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A copy of what only the daemon knows. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "export/gather.h"
#include "export/state.h"
#include "vmalock/base.h"

void vml_daemon_init(struct vml_daemon *d)
{
	*d = (struct vml_daemon){ 0 };
	for (int i = 0; i < VML_DAEMON_NVALUES; i++)
		d->value[i] = NAN;
}

/* A clean copy; "" for NULL. */
static const char *copy_text(struct vml_arena *a, const char *text)
{
	char clean[VML_CGROUP_TEXT];

	vml_text_clean(clean, sizeof(clean), text ? text : "", text ? strlen(text) : 0);
	return vml_arena_strdup(a, clean);
}

static bool same_labels(const struct vml_daemon_item *x, const char *const label[2])
{
	return !strcmp(x->label[0], label[0]) && !strcmp(x->label[1], label[1]);
}

/* Adds to the item with these labels, to a new one, or to that of all others. */
static void put_item(struct vml_daemon_item *to, size_t *n, const char *a, const char *b, double value)
{
	const char *label[2] = { a, b };

	for (size_t i = 0; i < *n; i++) {
		if (same_labels(&to[i], label)) {
			to[i].value += value;
			return;
		}
	}
	if (*n == VML_DAEMON_ITEMS) {
		to[*n - 1].value += value;
		return;
	}
	if (*n == VML_DAEMON_ITEMS - 1) {
		label[0] = "other";
		label[1] = "";
	}
	to[(*n)++] = (struct vml_daemon_item){ { label[0], label[1] }, value };
}

static int copy_list(struct vml_arena *a, const struct vml_daemon *d, int list, struct vml_daemon *ret)
{
	struct vml_daemon_item *to = vml_arena_alloc(a, VML_DAEMON_ITEMS * sizeof(*to));
	size_t n = 0;

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < d->list[list].n; i++) {
		const struct vml_daemon_item *item = &d->list[list].item[i];
		const char *first = copy_text(a, item->label[0]), *second = copy_text(a, item->label[1]);

		if (!first || !second)
			return -ENOMEM;
		put_item(to, &n, first, second, item->value);
	}
	ret->list[list].item = to;
	ret->list[list].n = n;
	return 0;
}

static int copy_daemon(struct vml_arena *a, const struct vml_daemon *d, struct vml_daemon *ret)
{
	int err = 0;

	memcpy(ret->value, d->value, sizeof(ret->value));
	for (int i = 0; i < VML_DAEMON_NLISTS && !err; i++)
		err = copy_list(a, d, i, ret);
	if (err || !d->version)
		return err;
	ret->version = copy_text(a, d->version);
	ret->revision = copy_text(a, d->revision);
	ret->libbpf = copy_text(a, d->libbpf);
	return ret->version && ret->revision && ret->libbpf ? 0 : -ENOMEM;
}

int vml_export_daemon(struct vml_export *e, const struct vml_daemon *d)
{
	struct vml_arena *a = vml_arena_new();
	struct vml_daemon copy = { 0 };
	int err;

	if (!a)
		return -ENOMEM;
	err = copy_daemon(a, d, &copy);
	if (err) {
		vml_arena_free(a);
		return err;
	}
	pthread_mutex_lock(&e->lock);
	vml_arena_free(e->daemon_arena);
	e->daemon_arena = a;
	e->daemon = copy;
	e->fixed = gather_fixed_series(e);
	err = budget_enforce(e);
	pthread_mutex_unlock(&e->lock);
	return err;
}
