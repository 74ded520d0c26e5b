// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "object.h"
#include "vmalock/base.h"

json_t *vml_json_real(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *vml_json_text(const char *s)
{
	return *s ? json_string(s) : json_null();
}

json_t *vml_json_schema_number(const void *of)
{
	(void)of;
	return json_integer(VML_JSON_SCHEMA);
}

json_t *vml_json_version(const void *of)
{
	(void)of;
	return json_string(VML_VERSION);
}

void vml_json_append(json_t **list, json_t *value)
{
	if (!json_array_append_new(*list, value))
		return;
	json_decref(*list);
	*list = NULL;
}

/* Adds @value unless it is null; false, with all of @obj gone, when that cannot be. */
static bool set(json_t *obj, const char *key, json_t *value)
{
	if (value && json_is_null(value))
		return true;
	if (!json_object_set_new(obj, key, value))
		return true;
	json_decref(obj);
	return false;
}

json_t *vml_object(const struct vml_object_key *keys, const void *of)
{
	json_t *obj = json_object();

	for (; obj && keys->key; keys++)
		if (!set(obj, keys->key, keys->get(of)))
			return NULL;
	return obj;
}

json_t *vml_objects(const struct vml_object_key *keys, const void *first, size_t size, size_t n)
{
	json_t *all = json_array();
	const char *at = first;

	for (; n; n--, at += size)
		vml_json_append(&all, vml_object(keys, at));
	return all;
}

const struct vml_row_key *vml_row_key_find(const char *key, unsigned int *ret_metric)
{
	const struct vml_row_key *k;
	unsigned int m;

	for (k = vml_row_keys; k->key; k++)
		if (!strcmp(k->key, key))
			return k;
	for (m = 0; m < VML_NMETRICS && strcmp(vml_metric_info(m)->key, key) != 0; m++)
		;
	assert(m < VML_NMETRICS); /* a table of this program names it */
	*ret_metric = m;
	return NULL;
}

json_t *vml_object_row(const char *const *keys, const struct vml_row *row)
{
	json_t *obj = json_object();

	for (; obj && *keys; keys++) {
		unsigned int m = 0;
		const struct vml_row_key *k = vml_row_key_find(*keys, &m);

		if (!set(obj, *keys, k ? k->get(row) : vml_json_u64(row->value[m])))
			return NULL;
	}
	return obj;
}

int vml_object_write(FILE *out, json_t *object)
{
	int err;

	if (!object)
		return -ENOMEM;
	err = json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) || fputc('\n', out) == EOF;
	json_decref(object);
	return err || ferror(out) ? -EIO : 0;
}
