/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"

#define POSITIONS_MAX 10000 /* of a hostile file */

/* ---- writing */

/* Everything that is written, so that equal texts are equal configs. */
static char *text_of(const struct vml_snapshot *s, const struct vml_store_options *o)
{
	char *text = NULL;
	size_t i, n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	fprintf(f, "%s\n%s\n%s\n%s\n%s\n", o->options ? o->options : "", s->host.name, s->host.boot_id, s->host.machine,
		s->host.kernel);
	fprintf(f, "%u %u %u %u %u %d %d %d %d\n", o->rows, s->host.cpus, s->host.page_size, s->host.max_mappings,
		s->selected, s->have_reasons, !!s->stack, !!s->lookup, s->self.from_bpf);
	for (i = 0; i < VML_NSCOPES; i++)
		fprintf(f, "%llx\n", (unsigned long long)s->have[i]);
	for (i = 0; s->caps && i < VML_NCAPS; i++)
		fprintf(f, "%s %d %s\n", s->caps->cap[i].name, s->caps->cap[i].state, s->caps->cap[i].how);
	if (s->caps)
		fprintf(f, "%s %s\n", s->caps->backend, s->caps->detail);
	for (i = 0; i < s->nloss; i++)
		fprintf(f, "%s\n", s->loss[i].cause);
	for (i = 0; i < s->nlookup; i++)
		fprintf(f, "%s\n", s->lookup[i].caller);
	vml_text_close(f, &text);
	return text;
}

static int put_config(sqlite3 *h, int64_t id, const struct vml_snapshot *s, const struct vml_store_options *o)
{
	sqlite3_stmt *st = NULL;
	int err =
		db_prepare(h, &st,
			   "INSERT INTO config (id, version, options, \"rows\", host, boot_id, machine, kernel, cpus, "
			   "page_size, max_mappings, backend, detail, selected, reasons, stacks, lookups, bpf) "
			   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	if (err)
		return err;
	db_bind(st, 1, (uint64_t)id);
	db_bind_text(st, 2, VML_VERSION);
	db_bind_text(st, 3, o->options);
	db_bind(st, 4, o->rows);
	db_bind_text(st, 5, s->host.name);
	db_bind_text(st, 6, s->host.boot_id);
	db_bind_text(st, 7, s->host.machine);
	db_bind_text(st, 8, s->host.kernel);
	db_bind_known(st, 9, s->host.cpus, s->host.cpus);
	db_bind_known(st, 10, s->host.page_size, s->host.page_size);
	db_bind_known(st, 11, s->host.max_mappings, s->host.max_mappings);
	db_bind_text(st, 12, s->caps ? s->caps->backend : NULL);
	db_bind_text(st, 13, s->caps ? s->caps->detail : NULL);
	db_bind(st, 14, !!s->selected);
	db_bind(st, 15, s->have_reasons);
	db_bind(st, 16, !!s->stack);
	db_bind(st, 17, !!s->lookup);
	db_bind(st, 18, s->self.from_bpf);
	err = db_run(st);
	sqlite3_finalize(st);
	return err;
}

static int put_known(sqlite3 *h, int64_t id, const struct vml_snapshot *s)
{
	sqlite3_stmt *st = NULL;
	int scope, m, err = db_prepare(h, &st, "INSERT INTO known (config, scope, metric) VALUES (?, ?, ?)");

	for (scope = 0; scope < VML_NSCOPES; scope++) {
		uint64_t have = s->have[scope] & schema_metrics(scope);

		for (m = 0; m < VML_NMETRICS && !err; m++) {
			if (!(have & VML_METRIC_BIT(m)))
				continue;
			db_bind(st, 1, (uint64_t)id);
			db_bind_text(st, 2, schema_scopes[scope]);
			db_bind_text(st, 3, vml_metric_info(m)->key);
			err = db_run(st);
		}
	}
	sqlite3_finalize(st);
	return err;
}

static int put_caps(sqlite3 *h, int64_t id, const struct vml_caps *caps)
{
	sqlite3_stmt *st = NULL;
	int i, err = db_prepare(h, &st,
				"INSERT INTO capability (config, position, name, state, how, what, lost, get) "
				"VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

	for (i = 0; caps && i < VML_NCAPS && !err; i++) {
		const struct vml_cap *c = &caps->cap[i];

		db_bind(st, 1, (uint64_t)id);
		db_bind(st, 2, (uint64_t)i);
		db_bind_text(st, 3, c->name);
		db_bind(st, 4, c->state);
		db_bind_text(st, 5, c->how);
		db_bind_text(st, 6, c->what);
		db_bind_text(st, 7, c->lost);
		db_bind_text(st, 8, c->get);
		err = db_run(st);
	}
	sqlite3_finalize(st);
	return err;
}

static int put_causes(sqlite3 *h, int64_t id, const struct vml_snapshot *s)
{
	sqlite3_stmt *st = NULL;
	size_t i;
	int err = db_prepare(h, &st, "INSERT INTO cause (config, position, name, help) VALUES (?, ?, ?, ?)");

	for (i = 0; i < s->nloss && !err; i++) {
		db_bind(st, 1, (uint64_t)id);
		db_bind(st, 2, i);
		db_bind_text(st, 3, s->loss[i].cause);
		db_bind_text(st, 4, s->loss[i].help);
		err = db_run(st);
	}
	sqlite3_finalize(st);
	return err;
}

static int put_callers(sqlite3 *h, int64_t id, const struct vml_snapshot *s)
{
	sqlite3_stmt *st = NULL;
	size_t i;
	int err = db_prepare(h, &st, "INSERT INTO caller (config, position, name) VALUES (?, ?, ?)");

	for (i = 0; i < s->nlookup && !err; i++) {
		db_bind(st, 1, (uint64_t)id);
		db_bind(st, 2, i);
		db_bind_text(st, 3, s->lookup[i].caller);
		err = db_run(st);
	}
	sqlite3_finalize(st);
	return err;
}

int config_put(struct config *c, sqlite3 *h, const struct vml_snapshot *delta, const struct vml_store_options *o,
	       int64_t *ret)
{
	char *text = text_of(delta, o);
	int64_t id = 0;
	int err;

	if (!text)
		return -ENOMEM;
	if (c->text && !strcmp(c->text, text)) {
		free(text);
		*ret = c->id;
		return 0;
	}
	err = db_number(h, &id, "SELECT coalesce(max(id), 0) + 1 FROM config");
	if (!err)
		err = put_config(h, id, delta, o);
	if (!err)
		err = put_known(h, id, delta);
	if (!err)
		err = put_caps(h, id, delta->caps);
	if (!err)
		err = put_causes(h, id, delta);
	if (!err)
		err = put_callers(h, id, delta);
	if (err) {
		free(text);
		return err;
	}
	config_forget(c);
	*c = (struct config){ .id = id, .text = text };
	*ret = id;
	return 0;
}

void config_forget(struct config *c)
{
	free(c->text);
	*c = (struct config){ 0 };
}

/* ---- reading */

/* Reads the text columns from @at on into @text, n of them. */
static int texts(sqlite3_stmt *st, int at, struct vml_arena *a, const char **const text[], int n)
{
	int i;

	for (i = 0; i < n; i++) {
		*text[i] = db_text(st, at + i, a);
		if (!*text[i])
			return -ENOMEM;
	}
	return 0;
}

static int read_config(sqlite3 *h, int64_t id, struct vml_arena *a, struct config_read *ret, struct vml_caps *caps)
{
	const char *backend = "", *detail = "";
	const char **const text[] = { &ret->host.name,	 &ret->host.boot_id, &ret->host.machine,
				      &ret->host.kernel, &backend,	     &detail };
	sqlite3_stmt *st = NULL;
	int err = db_prepare(h, &st,
			     "SELECT host, boot_id, machine, kernel, backend, detail, cpus, page_size, selected, "
			     "reasons, stacks, lookups, bpf, max_mappings FROM config WHERE id = %lld",
			     (long long)id);

	if (!err)
		err = db_row(st);
	if (err == 1) {
		err = texts(st, 0, a, text, VML_ARRAY_SIZE(text));
		ret->host.cpus = db_u32(st, 6, UINT32_MAX, &err);
		ret->host.page_size = db_u32(st, 7, UINT32_MAX, &err);
		ret->selected = sqlite3_column_int(st, 8);
		ret->have_reasons = sqlite3_column_int(st, 9);
		ret->have_stacks = sqlite3_column_int(st, 10);
		ret->have_lookups = sqlite3_column_int(st, 11);
		ret->from_bpf = sqlite3_column_int(st, 12);
		ret->host.max_mappings = db_u32(st, 13, UINT32_MAX, &err);
		if (!err) { /* they are there */
			snprintf(caps->backend, sizeof(caps->backend), "%s", backend);
			snprintf(caps->detail, sizeof(caps->detail), "%s", detail);
			ret->caps = *backend ? caps : NULL;
		}
	} else if (!err) {
		err = -EBADMSG;
	}
	sqlite3_finalize(st);
	return err;
}

static int scope_of(const char *name)
{
	int i;

	for (i = 0; i < VML_NSCOPES; i++)
		if (!strcmp(name, schema_scopes[i]))
			return i;
	return -1;
}

static int read_known(sqlite3 *h, int64_t id, struct config_read *ret)
{
	sqlite3_stmt *st = NULL;
	int m, err = db_prepare(h, &st, "SELECT scope, metric FROM known WHERE config = %lld", (long long)id);

	while (!err && (err = db_row(st)) == 1) {
		const char *scope = (const char *)sqlite3_column_text(st, 0);
		const char *metric = (const char *)sqlite3_column_text(st, 1);
		int of = scope && metric ? scope_of(scope) : -1;

		for (m = 0; of >= 0 && m < VML_NMETRICS; m++)
			if (!strcmp(metric, vml_metric_info(m)->key))
				ret->have[of] |= VML_METRIC_BIT(m);
		err = 0;
	}
	sqlite3_finalize(st);
	return err;
}

static int read_caps(sqlite3 *h, int64_t id, struct vml_arena *a, struct vml_caps *caps)
{
	sqlite3_stmt *st = NULL;
	int i, err = db_prepare(h, &st,
				"SELECT name, what, lost, get, how, state FROM capability WHERE config = %lld "
				"ORDER BY position LIMIT 1000",
				(long long)id);

	for (i = 0; i < VML_NCAPS; i++)
		caps->cap[i] = (struct vml_cap){
			.name = vml_cap_name(i), .what = "", .lost = "", .get = "", .state = VML_CAP_UNKNOWN
		};
	while (!err && (err = db_row(st)) == 1) {
		const char *name = "", *how = "";
		struct vml_cap c = { 0 };
		const char **const text[] = { &name, &c.what, &c.lost, &c.get, &how };

		err = texts(st, 0, a, text, VML_ARRAY_SIZE(text));
		c.state = db_u32(st, 5, VML_CAP_UNKNOWN, &err);
		snprintf(c.how, sizeof(c.how), "%s", how ? how : "");
		for (i = 0; !err && i < VML_NCAPS; i++) {
			c.name = vml_cap_name(i);
			if (!strcmp(name, c.name))
				caps->cap[i] = c;
		}
	}
	sqlite3_finalize(st);
	return err;
}

/* How many positions of config @id are in @table; also when some are missing. */
static int count(sqlite3 *h, const char *table, int64_t id, size_t *ret)
{
	int64_t n = 0;
	int err = db_number(h, &n, "SELECT coalesce(max(position) + 1, 0) FROM %s WHERE config = %lld", table,
			    (long long)id);

	if (err)
		return err;
	if (n < 0 || n > POSITIONS_MAX)
		return -EBADMSG;
	*ret = (size_t)n;
	return 0;
}

static int read_causes(sqlite3 *h, int64_t id, struct vml_arena *a, struct config_read *ret)
{
	sqlite3_stmt *st = NULL;
	size_t i;
	int err = count(h, "cause", id, &ret->nloss);

	ret->loss = err ? NULL : vml_arena_alloc(a, ret->nloss * sizeof(*ret->loss));
	if (!ret->loss)
		return err ? err : -ENOMEM;
	for (i = 0; i < ret->nloss; i++)
		ret->loss[i] = (struct vml_loss){ .cause = "", .help = "" };
	err = db_prepare(h, &st, "SELECT name, help, position FROM cause WHERE config = %lld", (long long)id);
	while (!err && (err = db_row(st)) == 1) {
		struct vml_loss l = { 0 };
		const char **const text[] = { &l.cause, &l.help };

		err = texts(st, 0, a, text, VML_ARRAY_SIZE(text));
		i = db_u32(st, 2, POSITIONS_MAX, &err);
		if (!err && i < ret->nloss)
			ret->loss[i] = l;
	}
	sqlite3_finalize(st);
	return err;
}

static int read_callers(sqlite3 *h, int64_t id, struct vml_arena *a, struct config_read *ret)
{
	sqlite3_stmt *st = NULL;
	size_t i;
	int err = count(h, "caller", id, &ret->nlookup);

	ret->lookup = err ? NULL : vml_arena_alloc(a, ret->nlookup * sizeof(*ret->lookup));
	if (!ret->lookup)
		return err ? err : -ENOMEM;
	for (i = 0; i < ret->nlookup; i++)
		ret->lookup[i] = (struct vml_lookup){ .caller = "" };
	err = db_prepare(h, &st, "SELECT name, position FROM caller WHERE config = %lld", (long long)id);
	while (!err && (err = db_row(st)) == 1) {
		const char *name = db_text(st, 0, a);

		err = name ? 0 : -ENOMEM;
		i = db_u32(st, 1, POSITIONS_MAX, &err);
		if (!err && i < ret->nlookup)
			ret->lookup[i].caller = name;
	}
	sqlite3_finalize(st);
	return err;
}

int config_read(sqlite3 *h, int64_t id, struct vml_arena *a, struct config_read *ret)
{
	struct vml_caps *caps = vml_arena_alloc(a, sizeof(*caps));
	int err;

	*ret = (struct config_read){ .id = id };
	if (!caps)
		return -ENOMEM;
	err = read_config(h, id, a, ret, caps);
	if (!err)
		err = read_known(h, id, ret);
	if (!err)
		err = read_caps(h, id, a, caps);
	if (!err)
		err = read_causes(h, id, a, ret);
	return err ? err : read_callers(h, id, a, ret);
}
