// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Deltas with any names and numbers as JSON: what vmalock schema says is what is written, and what is read of it is
 * what was in the delta.  The input is names and numbers, see delta.h.
 */
#include <math.h>
#include <regex.h>

#include "fuzz/input.h"
#include "fuzz/delta.h"
#include "vmalock/compare.h"
#include "vmalock/diagnose.h"
#include "vmalock/sink.h"

static json_t *json_schemas[3]; /* of an interval, a comparison, a diagnosis */

/* ---- the schema */

static void json_check(const json_t *schema, const json_t *v);

FUZZ_CHECK static void json_check_type(const char *type, const json_t *v)
{
	fuzz_must(!strcmp(type, "object")    ? json_is_object(v)
		  : !strcmp(type, "array")   ? json_is_array(v)
		  : !strcmp(type, "string")  ? json_is_string(v)
		  : !strcmp(type, "boolean") ? json_is_boolean(v)
		  : !strcmp(type, "integer") ? json_is_number(v) && json_number_value(v) == trunc(json_number_value(v))
					     : !strcmp(type, "number") && json_is_number(v));
}

/* Compiled once: there are few, and each is asked for again and again. */
static const regex_t *json_regex(const char *pattern)
{
	static struct {
		char *pattern;
		regex_t re;
	} known[8];
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(known) && known[i].pattern; i++)
		if (!strcmp(known[i].pattern, pattern))
			return &known[i].re;
	fuzz_must(i < VML_ARRAY_SIZE(known));
	known[i].pattern = strdup(pattern);
	fuzz_must(known[i].pattern && !regcomp(&known[i].re, pattern, REG_EXTENDED | REG_NOSUB));
	return &known[i].re;
}

FUZZ_CHECK static void json_check_pattern(const char *pattern, const char *text)
{
	fuzz_must(!regexec(json_regex(pattern), text, 0, NULL, 0));
}

FUZZ_CHECK static void json_check_value(const char *keyword, const json_t *is, const json_t *v)
{
	bool found = false;

	if (!strcmp(keyword, "type"))
		json_check_type(json_string_value(is), v);
	else if (!strcmp(keyword, "const"))
		fuzz_must(json_equal(is, v));
	else if (!strcmp(keyword, "minimum"))
		fuzz_must(json_number_value(v) >= json_number_value(is));
	else if (!strcmp(keyword, "maximum"))
		fuzz_must(json_number_value(v) <= json_number_value(is));
	else if (!strcmp(keyword, "pattern"))
		json_check_pattern(json_string_value(is), json_string_value(v));
	else if (!strcmp(keyword, "format"))
		json_check_pattern("^[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9}Z$",
				   json_string_value(v));
	else if (!strcmp(keyword, "minItems"))
		fuzz_must(json_array_size(v) >= (size_t)json_integer_value(is));
	for (size_t i = 0; !strcmp(keyword, "enum") && i < json_array_size(is); i++)
		found |= json_equal(json_array_get(is, i), v);
	fuzz_must(strcmp(keyword, "enum") != 0 || found);
}

FUZZ_CHECK static void json_check_object(const json_t *schema, const json_t *v)
{
	const json_t *of = json_object_get(schema, "properties"),
		     *more = json_object_get(schema, "additionalProperties");
	json_t *value, *name;
	const char *key;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i, name)
		fuzz_must(json_object_get(v, json_string_value(name)) != NULL);
	json_object_foreach((json_t *)v, key, value) {
		const json_t *s = json_object_get(of, key);

		fuzz_must(s || more); /* nothing that it does not tell of */
		json_check(s ? s : more, value);
	}
}

FUZZ_CHECK static void json_check_array(const json_t *schema, const json_t *v)
{
	const json_t *first = json_object_get(schema, "prefixItems"), *items = json_object_get(schema, "items");
	json_t *value;
	size_t i;

	fuzz_must(!json_is_false(items) || json_array_size(v) <= json_array_size(first));
	json_array_foreach(v, i, value)
		json_check(i < json_array_size(first) ? json_array_get(first, i) : items, value);
}

FUZZ_CHECK static void json_check(const json_t *schema, const json_t *v)
{
	const char *keyword;
	json_t *is;

	json_object_foreach((json_t *)schema, keyword, is)
		json_check_value(keyword, is, v);
	if (json_is_object(v))
		json_check_object(schema, v);
	if (json_is_array(v))
		json_check_array(schema, v);
}

/* No keyword that is not looked at. */
static void json_known(const json_t *schema)
{
	static const char known[] = " type const minimum maximum pattern format minItems enum properties required "
				    "additionalProperties prefixItems items description title $schema ";
	const char *keyword, *name;
	char word[64];
	json_t *is, *of;
	size_t i;

	json_object_foreach((json_t *)schema, keyword, is) {
		snprintf(word, sizeof(word), " %s ", keyword);
		fuzz_must(strstr(known, word) != NULL);
		if (!strcmp(keyword, "properties"))
			json_object_foreach(is, name, of)
				json_known(of);
		else if (!strcmp(keyword, "additionalProperties") || !strcmp(keyword, "items"))
			json_known(is);
		else if (!strcmp(keyword, "prefixItems"))
			json_array_foreach(is, i, of)
				json_known(of);
	}
}

static json_t *json_schema(int (*print)(FILE *))
{
	char *text = NULL;
	json_t *v;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	fuzz_must(f && !print(f) && !fclose(f));
	v = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	fuzz_must(v != NULL);
	json_known(v);
	return v;
}

/* ---- there and back */

struct json_text {
	FILE *f;
	char *text;
	size_t n;
};

static void json_begin(struct json_text *t)
{
	t->f = open_memstream(&t->text, &t->n);
	fuzz_must(t->f != NULL);
}

/* One line, which says all that was read of it, and is as @schema says. */
static json_t *json_end(struct json_text *t, const json_t *schema, size_t precision)
{
	char *again;
	json_t *v;

	fuzz_must(!fclose(t->f) && t->n > 1 && t->text[t->n - 1] == '\n');
	fuzz_must_be_clean(t->text, t->n - 1);
	v = json_loadb(t->text, t->n, JSON_REJECT_DUPLICATES, NULL);
	fuzz_must(v != NULL);
	again = json_dumps(v, JSON_COMPACT | precision);
	fuzz_must(again && strlen(again) == t->n - 1 && !memcmp(again, t->text, t->n - 1));
	json_check(schema, v);
	free(again);
	free(t->text);
	return v;
}

FUZZ_CHECK static void json_same_number(const json_t *object, const char *key, uint64_t v)
{
	const json_t *read = json_object_get(object, key);

	if (v <= INT64_MAX)
		fuzz_must(json_is_integer(read) && (uint64_t)json_integer_value(read) == v);
	else /* the double next to it */
		fuzz_must(json_is_real(read) && json_real_value(read) == (double)v);
}

FUZZ_CHECK static void json_same_text(const json_t *object, const char *key, const char *text)
{
	const char *read = json_string_value(json_object_get(object, key));

	fuzz_must(read ? !strcmp(read, text) : !*text);
}

FUZZ_CHECK static void json_same_metrics(const json_t *object, const uint64_t *value, uint64_t have)
{
	for (unsigned int m = 0; m < VML_NMETRICS; m++)
		if (have & VML_METRIC_BIT(m))
			json_same_number(object, vml_metric_info((enum vml_metric)m)->key, value[m]);
		else
			fuzz_must(!json_object_get(object, vml_metric_info((enum vml_metric)m)->key));
}

FUZZ_CHECK static void json_same_rows(const json_t *v, struct vml_snapshot *d, enum vml_scope scope)
{
	static const char *const arrays[] = { "processes", "threads", "vmas", "blockers" };
	const json_t *all = json_object_get(v, arrays[scope]), *object;
	const struct vml_row **row;
	size_t n;

	if (scope == VML_BLOCKER && !vml_blame_known(d))
		return;
	fuzz_must(!vml_rank(d, scope, NULL, false, true, 0, &row, &n) && json_array_size(all) == n);
	for (size_t i = 0; i < n; i++) {
		object = json_array_get(all, i);
		json_same_metrics(object, row[i]->value, d->have[scope]);
		json_same_number(object, "pid", row[i]->id.pid);
		if (scope == VML_VMA)
			json_same_text(object, "name", row[i]->area.name);
		else
			json_same_text(object, "comm", row[i]->comm);
		if (scope == VML_PROCESS || scope == VML_BLOCKER)
			json_same_text(object, "cgroup", row[i]->cgroup);
	}
}

static void json_interval(struct vml_snapshot *d)
{
	const struct vml_view view = { .limit = 0 };
	struct json_text t = { 0 };
	json_t *v;

	json_begin(&t);
	fuzz_must(!vml_json_write(t.f, d, &view));
	v = json_end(&t, json_schemas[0], 0);
	json_same_text(json_object_get(v, "host"), "name", d->host.name);
	json_same_number(v, "interval_ns", d->interval_ns);
	json_same_metrics(json_object_get(v, "totals"), d->total, d->have[VML_PROCESS]);
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		json_same_rows(v, d, (enum vml_scope)scope);
	for (size_t i = 0; i < d->nloss; i++)
		json_same_number(json_object_get(v, "loss"), d->loss[i].cause, d->loss[i].count);
	json_decref(v);
}

static void json_diff(struct vml_snapshot *a, struct vml_snapshot *b)
{
	struct vml_diff diff = { .side = { { a->host.name, a, 1, a->real_ns, a->real_ns + 1 },
					   { b->host.name, b, 1, b->real_ns, b->real_ns + 1 } } };
	struct vml_sample sample[2] = { 0 };
	struct vml_comparison c;
	struct json_text t = { 0 };
	struct vml_moved *moved;
	json_t *v;

	fuzz_must(!vml_sample_add(&sample[0], a) && !vml_sample_add(&sample[1], b));
	vml_compare(&sample[0], &sample[1], &c);
	for (int m = 0; m < VML_NMEASURES; m++) /* so that all that moved is told */
		c.measure[m].verdict = VML_REGRESSION;
	fuzz_must(!vml_explain(a, b, &c, 0, &moved, &diff.nmoved));
	diff.comparison = &c;
	diff.moved = moved;
	json_begin(&t);
	fuzz_must(!vml_diff_json_write(t.f, &diff));
	v = json_end(&t, json_schemas[1], JSON_REAL_PRECISION(9));
	json_decref(v);
	free(moved);
	vml_sample_free(&sample[0]);
	vml_sample_free(&sample[1]);
}

static void json_diagnosis(struct vml_snapshot *d)
{
	struct json_text t = { 0 };
	struct vml_diagnosis found;
	json_t *v;

	json_begin(&t);
	fuzz_must(!vml_diagnose(d, &found) && !vml_diagnosis_json_write(t.f, d, &found));
	v = json_end(&t, json_schemas[2], JSON_REAL_PRECISION(9));
	fuzz_must(json_array_size(json_object_get(v, "findings")) == found.n);
	json_decref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct vml_snapshot *d, *then;

	if (!json_schemas[0]) {
		json_schemas[0] = json_schema(vml_json_schema_write);
		json_schemas[1] = json_schema(vml_diff_schema_write);
		json_schemas[2] = json_schema(vml_diagnosis_schema_write);
	}
	d = delta_read(2, &in);
	then = delta_read(4, &in);
	json_interval(d);
	json_diff(d, then);
	json_diagnosis(d);
	vml_snapshot_free(then);
	vml_snapshot_free(d);
	return 0;
}
