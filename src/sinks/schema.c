// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The JSON Schemas of what json.c, diff_json.c and diagnose_json.c write, from the same tables. */
#include <errno.h>
#include <linux/types.h>

#include "vmalock/hist.h"
#include "vmalock/sink.h"
#include "object.h"

static json_t *type_schema(enum vml_json_type type)
{
	switch (type) {
	case VML_JSON_INTEGER:
		return json_pack("{s:s,s:i}", "type", "integer", "minimum", 0);
	case VML_JSON_STRING:
		return json_pack("{s:s}", "type", "string");
	case VML_JSON_BOOLEAN:
		return json_pack("{s:s}", "type", "boolean");
	case VML_JSON_DECIMAL:
		return json_pack("{s:s,s:s}", "type", "string", "pattern", "^[0-9]+$");
	case VML_JSON_ADDRESS:
		return json_pack("{s:s,s:s}", "type", "string", "pattern", "^0x[0-9a-f]+$");
	case VML_JSON_TIME:
		return json_pack("{s:s,s:s}", "type", "string", "format", "date-time");
	case VML_JSON_REAL:
		return json_pack("{s:s}", "type", "number");
	case VML_JSON_STRINGS:
		return json_pack("{s:s,s:{s:s}}", "type", "array", "items", "type", "string");
	default: /* VML_JSON_NAME, VML_JSON_OBJECT, VML_JSON_OBJECTS: key_schema() */
		break;
	}
	return NULL;
}

/* An object under construction; a failure leaves properties NULL, which json_pack refuses at the end. */
struct object {
	json_t *properties, *required;
};

static struct object object_new(void)
{
	return (struct object){ .properties = json_object(), .required = json_array() };
}

/* Takes @value. */
static void add(struct object *o, const char *key, json_t *value, const char *help, bool required)
{
	if (help && value && json_object_set_new(value, "description", json_string(help))) {
		json_decref(value);
		value = NULL;
	}
	if (!value || json_object_set_new(o->properties, key, value) ||
	    (required && json_array_append_new(o->required, json_string(key)))) {
		json_decref(o->properties);
		o->properties = NULL;
	}
}

static json_t *object_end(struct object *o)
{
	return json_pack("{s:s,s:o,s:o}", "type", "object", "properties", o->properties, "required", o->required);
}

static void add_keys(struct object *o, const struct vml_snapshot_key *k)
{
	for (; k->key; k++)
		add(o, k->key, type_schema(k->type), k->help, k->always);
}

static void add_metrics(struct object *o)
{
	unsigned int m;

	for (m = 0; m < VML_NMETRICS; m++)
		add(o, vml_metric_info(m)->key, type_schema(VML_JSON_INTEGER), vml_metric_info(m)->help, false);
}

static json_t *keys_schema(const struct vml_snapshot_key *keys)
{
	struct object o = object_new();

	add_keys(&o, keys);
	return object_end(&o);
}

static json_t *map_schema(enum vml_json_type type)
{
	return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", type_schema(type));
}

static json_t *backend_schema(void)
{
	struct object o = object_new();

	add(&o, "name", type_schema(VML_JSON_STRING), "Set of hooks in use.", true);
	add(&o, "detail", type_schema(VML_JSON_STRING), "How much of it.", true);
	add(&o, "exact", type_schema(VML_JSON_BOOLEAN),
	    "No hook skipped an event in the interval; while it is false, certainty is inferred. "
	    "Absent where outcomes cannot be told exactly.",
	    false);
	add(&o, "duty", json_pack("{s:s,s:i,s:i}", "type", "number", "minimum", 0, "maximum", 1),
	    "Share of the interval in which the hooks on every fault were attached.", true);
	add(&o, "duty_step", type_schema(VML_JSON_STRING),
	    "What the guard asked for: 1, 1/2, .. 1/16, off. With a guard.", false);
	add(&o, "extrapolated_faults", type_schema(VML_JSON_INTEGER),
	    "Faults of the totals that were not seen, and taken to be as those that were. With a guard.", false);
	add(&o, "borrowed_faults", type_schema(VML_JSON_INTEGER),
	    "Of them: those taken to be as the host's, for too few of their process were seen until it ended. "
	    "With a guard.",
	    false);
	add(&o, "held_faults", type_schema(VML_JSON_INTEGER),
	    "Faults that were not seen and are in no count yet: too few of their process were seen. At the end of the "
	    "interval, with a guard.",
	    false);
	add(&o, "unknown_faults", type_schema(VML_JSON_INTEGER),
	    "Faults of the totals that were not seen, nor others like them: no outcomes are known then. With a guard.",
	    false);
	add(&o, "capabilities", map_schema(VML_JSON_BOOLEAN),
	    "What can be seen; a key is absent when that could not be tried.", true);
	return object_end(&o);
}

static json_t *totals_schema(void)
{
	struct object o = object_new();

	add_metrics(&o);
	return object_end(&o);
}

static void add_row_keys(struct object *o, unsigned int scopes, bool identity)
{
	const struct vml_row_key *k;

	for (k = vml_row_keys; k->key; k++)
		if (k->scopes & scopes && (k->identity || !identity))
			add(o, k->key, type_schema(k->type), k->help, k->always && (k->scopes & scopes) == scopes);
}

static json_t *array_schema(struct object *items)
{
	return json_pack("{s:s,s:o}", "type", "array", "items", object_end(items));
}

static json_t *rows_schema(enum vml_scope scope)
{
	struct object o = object_new();

	add_row_keys(&o, ON(scope), false);
	add_metrics(&o);
	return array_schema(&o);
}

static json_t *reasons_schema(void)
{
	struct object o = object_new();
	json_t *names = json_array();
	unsigned int i;

	for (i = 0; i < vml_reason_count(); i++)
		vml_json_append(&names, json_string(vml_reason_name(i)));
	vml_json_append(&names, json_string("unknown"));
	add_row_keys(&o, ON(VML_PROCESS), true);
	add(&o, "reason", json_pack("{s:o}", "enum", names), "Why faults took mmap_lock.", true);
	add(&o, "certainty", json_pack("{s:[s,s]}", "enum", "exact", "inferred"), NULL, true);
	add(&o, "count", type_schema(VML_JSON_INTEGER), NULL, true);
	return array_schema(&o);
}

static json_t *lookups_schema(void)
{
	struct object o = object_new();
	json_t *names = json_array();
	unsigned int i;

	for (i = 0; vml_caller_name(i); i++)
		vml_json_append(&names, json_string(vml_caller_name(i)));
	add(&o, "caller", json_pack("{s:o}", "enum", names), "Who looked VMAs up under RCU.", true);
	add(&o, "lookups", type_schema(VML_JSON_INTEGER), "All of them.", true);
	add(&o, "aborts", type_schema(VML_JSON_INTEGER), "Those that were refused the VMA lock.", true);
	add(&o, "misses", type_schema(VML_JSON_INTEGER), "Times one began again.", false);
	return array_schema(&o);
}

static json_t *cgroups_schema(void)
{
	struct object o = object_new();

	add(&o, "victim", type_schema(VML_JSON_STRING),
	    "Cgroup of who waited: of the process whose lock it is, or of the last that waited from elsewhere.", true);
	add(&o, "blocker", type_schema(VML_JSON_STRING), "Cgroup of who held the lock.", true);
	add(&o, "blamed_ns", type_schema(VML_JSON_INTEGER), "Time waited.", true);
	return array_schema(&o);
}

static json_t *stalls_schema(void)
{
	struct object o = object_new();

	add(&o, "tid", type_schema(VML_JSON_INTEGER), "Thread that waits.", true);
	add(&o, "pid", type_schema(VML_JSON_INTEGER), "Its process.", true);
	add(&o, "comm", type_schema(VML_JSON_STRING), "Its name.", true);
	add(&o, "lock", json_pack("{s:[s,s]}", "enum", "mmap_read", "mmap_write"), "What it waits for.", true);
	add(&o, "wait_ns", type_schema(VML_JSON_INTEGER), "So far.", true);
	add(&o, "waiters", type_schema(VML_JSON_INTEGER), "Threads that wait for this lock for so long, with it.",
	    true);
	add(&o, "target_pid", type_schema(VML_JSON_INTEGER), "Process whose lock it is.", false);
	add(&o, "holder_tid", type_schema(VML_JSON_INTEGER), "Thread that holds it; absent when none is seen to.",
	    false);
	add(&o, "holder_pid", type_schema(VML_JSON_INTEGER), "Its process.", false);
	add(&o, "holder_comm", type_schema(VML_JSON_STRING), "Its name.", false);
	add(&o, "context", type_schema(VML_JSON_STRING), "What it does.", false);
	add(&o, "state", json_pack("{s:[s,s,s,s]}", "enum", "running", "runnable", "sleeping", "blocked"),
	    "Running, waiting for a CPU, sleeping, or in uninterruptible sleep.", false);
	add(&o, "hold_ns", type_schema(VML_JSON_INTEGER), "How long it has held it.", false);
	return array_schema(&o);
}

static json_t *modules_schema(void)
{
	struct object o = object_new();

	add(&o, "file", type_schema(VML_JSON_STRING), "Path, or name in brackets.", true);
	add(&o, "build_id", type_schema(VML_JSON_STRING), "In hex, where it is known.", false);
	return object_end(&o);
}

static json_t *stacks_schema(void)
{
	struct object o = object_new();

	add_row_keys(&o, ON(VML_THREAD), true);
	add(&o, "comm", type_schema(VML_JSON_STRING), "Its name.", true);
	add(&o, "context", type_schema(VML_JSON_STRING), "What it did.", true);
	add(&o, "frames", json_pack("{s:s,s:o}", "type", "array", "items", type_schema(VML_JSON_STRING)),
	    "Where it released the lock, innermost first: the kernel's frames, then the program's.", true);
	add(&o, "kernel_frames", type_schema(VML_JSON_INTEGER), "How many of them are the kernel's.", true);
	add(&o, "modules", json_pack("{s:s,s:o}", "type", "array", "items", modules_schema()),
	    "Files that the frames are of: [kernel], kernel modules, programs and libraries.", true);
	add(&o, "holds", type_schema(VML_JSON_INTEGER), "Holds released there that made somebody wait for long.", true);
	add(&o, "hold_ns", type_schema(VML_JSON_INTEGER), "How long these lasted.", true);
	add(&o, "blamed_ns", type_schema(VML_JSON_INTEGER), "What they are charged with.", true);
	return array_schema(&o);
}

static json_t *histograms_schema(void)
{
	struct object o = object_new();
	json_t *locks = json_array();
	unsigned int i;

	for (i = 0; i < VML_HISTS; i++)
		vml_json_append(&locks, json_string(vml_hist_name(i)));
	add(&o, "scope",
	    json_pack("{s:[s,s,s,s,s]}", "enum", "host", vml_scope_names[0], vml_scope_names[1], vml_scope_names[2],
		      vml_scope_names[3]),
	    "What it is of; the identity of a row follows.", true);
	for (i = 0; vml_row_keys[i].key; i++)
		if (vml_row_keys[i].identity)
			add(&o, vml_row_keys[i].key, type_schema(vml_row_keys[i].type), vml_row_keys[i].help, false);
	add(&o, "lock", json_pack("{s:o}", "enum", locks),
	    "What was measured: waits for and holds of a lock; serve_*: from the fault to the end of its handler, by "
	    "outcome; userfaultfd and page_io: the part of it spent there.",
	    true);
	add(&o, "schema", json_pack("{s:i}", "const", VML_HIST_SCHEMA),
	    "Prometheus native histogram: bounds are 2^(index/4) seconds.", true);
	add(&o, "zero_count", type_schema(VML_JSON_INTEGER), "Up to 2^-24 s (59.6 ns).", true);
	add(&o, "buckets",
	    json_pack("{s:s,s:{s:s,s:[{s:s},{s:s,s:i}],s:b,s:i}}", "type", "array", "items", "type", "array",
		      "prefixItems", "type", "integer", "type", "integer", "minimum", 1, "items", 0, "minItems", 2),
	    "[index, count]: durations over 2^((index-1)/4) s up to 2^(index/4) s; index 29 is all over 128 s.", true);
	add(&o, "sum_ns", type_schema(VML_JSON_INTEGER), NULL, true);
	add(&o, "count", type_schema(VML_JSON_INTEGER), NULL, true);
	add(&o, "max_ns", type_schema(VML_JSON_INTEGER), "Where it is known exactly.", false);
	return array_schema(&o);
}

/* Takes @o. */
static int write_schema(FILE *out, const char *title, const char *description, struct object *o)
{
	json_t *schema = json_pack("{s:s,s:s,s:s,s:s,s:o,s:o}", "$schema",
				   "https://json-schema.org/draft/2020-12/schema", "title", title, "description",
				   description, "type", "object", "properties", o->properties, "required", o->required);
	int err;

	if (!schema)
		return -ENOMEM;
	err = json_dumpf(schema, out, JSON_INDENT(2)) || fputc('\n', out) == EOF ? -EIO : 0;
	json_decref(schema);
	return err;
}

int vml_json_schema_write(FILE *out)
{
	struct object o = object_new();
	unsigned int scope;

	add_keys(&o, vml_top_keys);
	add(&o, "schema", json_pack("{s:i}", "const", VML_JSON_SCHEMA), vml_top_keys[0].help, false);
	add(&o, "host", keys_schema(vml_host_keys), NULL, true);
	add(&o, "backend", backend_schema(), NULL, true);
	add(&o, "totals", totals_schema(), "Of all processes; limits and sorting do not change them.", true);
	for (scope = 0; scope < VML_NSCOPES; scope++)
		add(&o, vml_scope_keys[scope], rows_schema(scope),
		    scope == VML_BLOCKER ? "Holders that others waited for; absent where holders cannot be seen."
					 : "Rows that changed; all of them with -l 0.",
		    scope != VML_BLOCKER);
	add(&o, "reasons", reasons_schema(), "By process, whatever the limit: their sum is the fallbacks of totals.",
	    false);
	add(&o, "lookups", lookups_schema(), "Of the host, whatever is selected; by whom, where that can be seen.",
	    false);
	add(&o, "cgroups", cgroups_schema(),
	    "Blame for mmap_lock and VMA locks by victim and blocker; absent where holders cannot be seen.", false);
	add(&o, "stalls", stalls_schema(),
	    "Waits of 100 ms and more that go on at the end of the interval, one a lock; absent where they cannot be "
	    "seen.",
	    false);
	add(&o, "stacks", stacks_schema(), "Of holders; absent where none are taken.", false);
	add(&o, "histograms", histograms_schema(), "Of the host and of each printed row that has any.", true);
	add(&o, "loss", map_schema(VML_JSON_INTEGER), "What was lost, by cause.", true);
	add(&o, "self", keys_schema(vml_self_keys), "What this program took.", true);
	return write_schema(
		out, "vmalock interval",
		"One object per interval and line. Keys end in their unit; a key whose value is unknown is absent. "
		"Integers from 2^63 on are rounded to a double.",
		&o);
}

/* ---- the objects of object.h */

static json_t *row_of_keys_schema(const char *const *keys)
{
	struct object o = object_new();

	for (; *keys; keys++) {
		unsigned int m = 0;
		const struct vml_row_key *k = vml_row_key_find(*keys, &m);

		add(&o, *keys, type_schema(k ? k->type : VML_JSON_INTEGER), k ? k->help : vml_metric_info(m)->help,
		    k && k->always);
	}
	return object_end(&o);
}

static json_t *names_schema(const char *(*name)(unsigned int))
{
	json_t *names = json_array();
	unsigned int i;

	for (i = 0; name(i); i++)
		vml_json_append(&names, json_string(name(i)));
	return json_pack("{s:o}", "enum", names);
}

static struct object object_of_keys(const struct vml_object_key *k);

static json_t *key_schema(const struct vml_object_key *k)
{
	struct object o;
	json_t *object;

	if (k->type == VML_JSON_NAME)
		return names_schema(k->name);
	if (k->type != VML_JSON_OBJECT && k->type != VML_JSON_OBJECTS)
		return type_schema(k->type);
	if (k->row) {
		object = row_of_keys_schema(k->row);
	} else {
		o = object_of_keys(k->object);
		object = object_end(&o);
	}
	return k->type == VML_JSON_OBJECT ? object : json_pack("{s:s,s:o}", "type", "array", "items", object);
}

static struct object object_of_keys(const struct vml_object_key *k)
{
	struct object o = object_new();

	for (; k->key; k++)
		add(&o, k->key, key_schema(k), k->help, k->always);
	return o;
}

int vml_diff_schema_write(FILE *out)
{
	struct object o = object_of_keys(vml_diff_keys);

	return write_schema(out, "vmalock comparison", "A key whose value is unknown is absent.", &o);
}

int vml_diagnosis_schema_write(FILE *out)
{
	struct object o = object_of_keys(vml_diagnosis_keys);

	return write_schema(out, "vmalock diagnosis", "A key whose value is unknown is absent.", &o);
}
