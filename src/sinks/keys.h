/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_KEYS_H
#define VMALOCK_SINKS_KEYS_H
/*
 * The keys of the JSON object that are no metric: one table makes both the
 * object (json.c) and its JSON Schema (schema.c).  Metrics have their own,
 * vml_metric_info().
 *
 * A getter returns a new value; JSON null says "unknown, leave the key out";
 * NULL says out of memory.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmalock/snapshot.h"

#define VML_JSON_SCHEMA 1 /* raised only when a key changes its meaning or goes */

enum vml_json_type {
	VML_JSON_INTEGER,
	VML_JSON_STRING,
	VML_JSON_BOOLEAN,
	VML_JSON_DECIMAL, /* a string of digits: 64-bit identities, which jq and JavaScript would round */
	VML_JSON_ADDRESS, /* "0x7f..." */
	VML_JSON_TIME, /* RFC 3339, UTC, nanoseconds */
	/* those below in object.h alone */
	VML_JSON_REAL,
	VML_JSON_NAME, /* one of some strings */
	VML_JSON_STRINGS, /* an array */
	VML_JSON_OBJECT,
	VML_JSON_OBJECTS, /* an array */
};

#define ON(scope) (1U << (scope))
#define EVERY_SCOPE (ON(VML_PROCESS) | ON(VML_THREAD) | ON(VML_VMA) | ON(VML_BLOCKER))

/* A key of a row. */
struct vml_row_key {
	const char *key;
	enum vml_json_type type;
	unsigned int scopes;
	bool identity; /* also in reasons[] and histograms[] */
	bool always; /* never unknown */
	const char *help;
	json_t *(*get)(const struct vml_row *row);
};
/* Ended by a NULL key. */
extern const struct vml_row_key vml_row_keys[];

/* A key of an object there is one of: host, self, the top itself. */
struct vml_snapshot_key {
	const char *key;
	enum vml_json_type type;
	bool always;
	const char *help;
	json_t *(*get)(const struct vml_snapshot *delta);
};
extern const struct vml_snapshot_key vml_top_keys[];
extern const struct vml_snapshot_key vml_host_keys[];
extern const struct vml_snapshot_key vml_self_keys[];

/* "processes", "threads", "vmas", "blockers" */
extern const char *const vml_scope_keys[VML_NSCOPES];
/* "process", "thread", "vma", "blocker" */
extern const char *const vml_scope_names[VML_NSCOPES];

/* JSON null for "". (object.c) */
json_t *vml_json_text(const char *s);
/* Appends @value, which is taken; a failure, also one before, leaves *list NULL. (object.c) */
void vml_json_append(json_t **list, json_t *value);
/* An integer; from 2^63 on, which most readers cannot hold, a real: next to it, and still without a fraction. */
json_t *vml_json_u64(uint64_t v);

#endif
