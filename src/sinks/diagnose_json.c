// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Findings as one JSON object. */
#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/diagnose.h"
#include "vmalock/sink.h"
#include "object.h"

/* What the object is of. */
struct diagnosis {
	const struct vml_snapshot *delta;
	const struct vml_diagnosis *d;
};

static const char *level_at(unsigned int i)
{
	return i < VML_HIGH ? vml_level_name((enum vml_level)(i + 1)) : NULL;
}

static const char *rule_at(unsigned int i)
{
	struct vml_rule_info info;

	return vml_rule_info(i, &info) ? info.name : NULL;
}

/* The rules, and what is said when none of them found anything. */
static const char *finding_at(unsigned int i)
{
	const char *rule = rule_at(i);

	return rule ? rule : i && rule_at(i - 1) ? VML_FINDING_HEALTHY : NULL;
}

/* ---- findings */

/* Of rows, keys.c */
static const char *const process_keys[] = { "pid", "start_ns", "exec", "comm", "cgroup", NULL };
static const char *const blocker_keys[] = { "pid",     "start_ns", "exec",  "comm",    "cgroup",    "tid",
					    "context", "lock",	   "holds", "hold_ns", "blamed_ns", NULL };
static const char *const area_keys[] = { "start", "end", "kind", "name", NULL };

static json_t *strings(const struct vml_lines *l)
{
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < l->n; i++)
		vml_json_append(&all, json_string(l->line[i]));
	return all;
}

static json_t *blockers(const void *of)
{
	const struct vml_finding *f = of;
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < f->nrows; i++)
		vml_json_append(&all, vml_object_row(blocker_keys, f->row[i]));
	return all;
}

static json_t *stack(const void *of)
{
	const struct vml_stack *s = ((const struct vml_finding *)of)->stack;
	json_t *all;
	char text[512];
	uint32_t i;

	if (!s)
		return json_null();
	all = json_array();
	for (i = 0; i < s->nframes; i++)
		vml_json_append(&all, json_string(vml_frame_text(&s->frame[i], text, sizeof(text))));
	return all;
}

GET(name, struct vml_finding, json_string(x->name))
GET(title, struct vml_finding, json_string(x->title))
GET(level, struct vml_finding, json_string(vml_level_name(x->level)))
GET(negative, struct vml_finding, json_boolean(x->negative))
GET(process, struct vml_finding, x->process ? vml_object_row(process_keys, x->process) : json_null())
GET(blocked_ns, struct vml_finding, x->blocked_ns ? vml_json_u64(x->blocked_ns) : json_null())
GET(evidence, struct vml_finding, strings(&x->evidence))
GET(against, struct vml_finding, strings(&x->against))
GET(not_known, struct vml_finding, strings(&x->unknown))
GET(culprits, struct vml_finding, json_integer((json_int_t)x->culprits))
GET(area, struct vml_finding, x->area ? vml_object_row(area_keys, x->area) : json_null())
GET(todo, struct vml_finding, json_string(x->todo))
GET(then, struct vml_finding, json_string(x->change))

static const struct vml_object_key finding_keys[] = {
	KEY("name", NAME, true, "Of the rule; docs/diagnose.md has all.", name, .name = finding_at),
	KEY("title", STRING, true, "What it is.", title),
	KEY("confidence", NAME, true, "How sure that is.", level, .name = level_at),
	KEY("negative", BOOLEAN, true, "It says what is not wrong.", negative),
	KEY("process", OBJECT, false, "Whose lock or faults; absent: of the whole host.", process, .row = process_keys),
	KEY("blocked_ns", INTEGER, false, "Waits that it explains; absent when it is not about waits.", blocked_ns),
	KEY("evidence", STRINGS, true, "In numbers, one sentence each.", evidence),
	KEY("against", STRINGS, true, "What speaks against it.", against),
	KEY("not_known", STRINGS, true, "What would support it and cannot be seen.", not_known),
	KEY("blockers", OBJECTS, true, "Holders that it blames, up to three, most blamed first.", blockers,
	    .row = blocker_keys),
	KEY("culprits", INTEGER, true, "How many there are in all.", culprits),
	KEY("area", OBJECT, false, "The one that stands out.", area, .row = area_keys),
	KEY("stack", STRINGS, false, "Of the blockers, the one with most blame, innermost first.", stack),
	KEY("do", STRING, true, "What to do.", todo),
	KEY("then", STRING, true, "What would change then.", then),
	{ 0 },
};

/* ---- rules that were not judged */

GET(unjudged_name, struct vml_unjudged, json_string(x->name))
GET(unjudged_needs, struct vml_unjudged, json_string(x->needs))

static const struct vml_object_key unjudged_keys[] = {
	KEY("name", NAME, true, "Of the rule.", unjudged_name, .name = rule_at),
	KEY("needs", STRING, true, "What the data do not have.", unjudged_needs),
	{ 0 },
};

/* ---- all of it */

GET(interval_ns, struct diagnosis, vml_json_u64(x->delta->interval_ns))
GET(backend, struct diagnosis, x->delta->caps ? json_string(x->delta->caps->backend) : json_null())
GET(conclusive, struct diagnosis, json_boolean(!x->d->inconclusive))
GET(findings, struct diagnosis, vml_objects(finding_keys, x->d->finding, sizeof(*x->d->finding), x->d->n))
GET(not_judged, struct diagnosis, vml_objects(unjudged_keys, x->d->unjudged, sizeof(*x->d->unjudged), x->d->nunjudged))

const struct vml_object_key vml_diagnosis_keys[] = {
	KEY("schema", INTEGER, true, "Raised when a key changes its meaning or goes.", vml_json_schema_number),
	KEY("version", STRING, true, "Of the program.", vml_json_version),
	KEY("interval_ns", INTEGER, true, "Time observed.", interval_ns),
	KEY("backend", STRING, false, "Set of hooks in use.", backend),
	KEY("conclusive", BOOLEAN, true, "false: too little was seen for any verdict.", conclusive),
	KEY("findings", OBJECTS, true, "Worst first; what is not wrong comes last.", findings, .object = finding_keys),
	KEY("not_judged", OBJECTS, true, "Rules that these data cannot tell.", not_judged, .object = unjudged_keys),
	{ 0 },
};

int vml_diagnosis_json_write(FILE *out, const struct vml_snapshot *delta, const struct vml_diagnosis *d)
{
	const struct diagnosis x = { delta, d };

	return vml_object_write(out, vml_object(vml_diagnosis_keys, &x));
}
