// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What can be seen on this host: for people (80 columns), and for programs. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/sink.h"
#include "object.h"

#define DOCTOR_COLUMNS 80
#define NAME_COLUMNS 17

static const char *const state_name[] = {
	[VML_CAP_NO] = "no",
	[VML_CAP_YES] = "yes",
	[VML_CAP_UNKNOWN] = "unknown",
};

/* ---- text */

/* @text in words, from column @at on, the next lines too; ends the line. */
static void put_wrapped(FILE *out, int at, const char *text, bool utf8)
{
	int room = DOCTOR_COLUMNS - at, column = 0, width;
	char word[256], ascii[256];

	while (vml_text_word(&text, word, sizeof(word))) {
		width = vml_text_width(word);
		vml_text_fit(ascii, sizeof(ascii), word, width, false, false);
		if (column && column + 1 + width > room) {
			fprintf(out, "\n%*s", at, "");
			column = 0;
		}
		fprintf(out, "%s%s", column ? " " : "", utf8 ? word : ascii);
		column += width + (column ? 1 : 0);
	}
	fputc('\n', out);
}

static void put_cap(FILE *out, const struct vml_cap *cap, bool utf8)
{
	static const char *const mark[] = {
		[VML_CAP_NO] = "NO",
		[VML_CAP_YES] = "yes",
		[VML_CAP_UNKNOWN] = "?",
	};
	const struct {
		const char *label, *text;
	} line[] = {
		{ "found", cap->how },
		{ "lost", cap->state == VML_CAP_YES ? "" : cap->lost },
		{ "get it", cap->state == VML_CAP_YES ? "" : cap->get },
	};
	size_t i;

	fprintf(out, "%-4s%-*s ", mark[cap->state], NAME_COLUMNS - 1, cap->name);
	put_wrapped(out, 4 + NAME_COLUMNS, cap->what, utf8);
	for (i = 0; i < VML_ARRAY_SIZE(line); i++) {
		if (!line[i].text || !*line[i].text)
			continue;
		fprintf(out, "%*s%-7s", 4 + NAME_COLUMNS, "", line[i].label);
		put_wrapped(out, 4 + NAME_COLUMNS + 7, line[i].text, utf8);
	}
	if (cap->state != VML_CAP_YES)
		fputc('\n', out);
}

static void put_note(FILE *out, const char *text, bool utf8)
{
	put_wrapped(out, 0, text, utf8);
	fputc('\n', out);
}

/* What no single capability says. */
static void put_notes(FILE *out, const struct vml_caps *caps, bool utf8)
{
	char text[256];

	if (caps->own_pids)
		put_note(out,
			 "PIDs are the host's, this container has others: -p with a PID of the container is refused. "
			 "With the host's PIDs in the container (hostPID: true, --pid=host) they are the same.",
			 utf8);
	if (!strcmp(caps->kept, "none")) {
		put_note(out, "vmalockd keeps no privileges: a snapshot without any works here.", utf8);
	} else if (*caps->kept) {
		snprintf(text, sizeof(text),
			 "vmalockd keeps %s while it runs: without, the kernel refuses to take a snapshot.",
			 caps->kept);
		put_note(out, text, utf8);
	}
}

int vml_doctor_write(FILE *out, const struct vml_caps *caps, bool utf8)
{
	unsigned int i, count[VML_CAP_UNKNOWN + 1] = { 0 };

	for (i = 0; i < VML_NCAPS; i++)
		count[caps->cap[i].state]++;
	fprintf(out, "%s backend (%s): %u capabilities are there, %u missing", caps->backend,
		caps->detail[0] ? caps->detail : "-", count[VML_CAP_YES], count[VML_CAP_NO]);
	if (count[VML_CAP_UNKNOWN])
		fprintf(out, ", %u unknown", count[VML_CAP_UNKNOWN]);
	fputs("\n\n", out);
	put_notes(out, caps, utf8);
	/* what is missing comes first: that is what people ask a doctor for */
	for (i = 0; i < VML_NCAPS; i++)
		if (caps->cap[i].state == VML_CAP_NO)
			put_cap(out, &caps->cap[i], utf8);
	for (i = 0; i < VML_NCAPS; i++)
		if (caps->cap[i].state == VML_CAP_UNKNOWN)
			put_cap(out, &caps->cap[i], utf8);
	for (i = 0; i < VML_NCAPS; i++)
		if (caps->cap[i].state == VML_CAP_YES)
			put_cap(out, &caps->cap[i], utf8);
	return ferror(out) ? -EIO : 0;
}

/* ---- JSON */

int vml_doctor_json_write(FILE *out, const struct vml_caps *caps)
{
	json_t *list = json_array(), *doctor;
	unsigned int i;

	for (i = 0; i < VML_NCAPS; i++) {
		const struct vml_cap *c = &caps->cap[i];

		vml_json_append(&list, json_pack("{s:s,s:s,s:s?,s:s,s:s?,s:s?}", "name", c->name, "state",
						 state_name[c->state], "what", c->what, "how", c->how, "lost", c->lost,
						 "get", c->get));
	}
	doctor = json_pack("{s:i,s:s,s:{s:s,s:s},s:s,s:o}", "schema", VML_JSON_SCHEMA, "version", VML_VERSION,
			   "backend", "name", caps->backend, "detail", caps->detail, "pids",
			   caps->own_pids ? "host, not container" : "host", "capabilities", list);
	if (doctor && *caps->kept && json_object_set_new(doctor, "capabilities_kept", json_string(caps->kept))) {
		json_decref(doctor);
		doctor = NULL;
	}
	return vml_object_write(out, doctor);
}
