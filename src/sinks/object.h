/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_OBJECT_H
#define VMALOCK_SINKS_OBJECT_H
/*
 * Objects other than that of an interval, which keys.h has: one table makes both the
 * object (object.c) and its JSON Schema (schema.c).
 */
#include <stddef.h>

#include "keys.h"

struct vml_object_key {
	const char *key;
	enum vml_json_type type;
	bool always; /* never unknown */
	const char *help;
	/* As in keys.h: JSON null leaves the key out, NULL says out of memory. */
	json_t *(*get)(const void *of);
	const struct vml_object_key *object; /* keys of the object, or of each of the array */
	const char *const *row; /* instead of them keys of a row, see vml_object_row() */
	const char *(*name)(unsigned int i); /* VML_JSON_NAME: the values, until NULL */
};

/* A line of a table: KEY("pid", INTEGER, true, "What it is.", get), then .object, .row or .name where its type has one. */
#define KEY(name, kind, is_always, text, getter, ...)                                                           \
	{                                                                                                       \
		.key = (name), .type = VML_JSON_##kind, .always = (is_always), .help = (text), .get = (getter), \
		__VA_ARGS__                                                                                     \
	}

/* GET(name, type, value): a getter; x is the struct that it is of. */
#define GET(name, kind, value)              \
	static json_t *name(const void *of) \
	{                                   \
		const kind *x = of;         \
                                            \
		return value;               \
	}

/* Getters that are the same for all objects. */
json_t *vml_json_schema_number(const void *of);
json_t *vml_json_version(const void *of);

/* Ended by a NULL key. */
extern const struct vml_object_key vml_diff_keys[]; /* of struct vml_diff (diff_json.c) */
extern const struct vml_object_key vml_diagnosis_keys[]; /* (diagnose_json.c) */

/* An object of these keys; NULL: out of memory. */
json_t *vml_object(const struct vml_object_key *keys, const void *of);
/* An array of them, of @n elements of @size bytes at @first. */
json_t *vml_objects(const struct vml_object_key *keys, const void *first, size_t size, size_t n);
/* Those of vml_row_keys and of the metrics that @keys names, ended by NULL. */
json_t *vml_object_row(const char *const *keys, const struct vml_row *row);
/* JSON null for what is no number: not known, or nothing to divide by. */
json_t *vml_json_real(double v);

/* The key of a row with this name; NULL: it is a metric, @ret_metric. */
const struct vml_row_key *vml_row_key_find(const char *key, unsigned int *ret_metric);

/* One object and a newline; frees @object. -ENOMEM when that is NULL, -EIO. */
int vml_object_write(FILE *out, json_t *object);

#endif
