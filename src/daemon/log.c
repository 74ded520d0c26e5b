// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "log.h"

#define QUIET_NS 60000000000ULL
#define MESSAGES 64 /* different ones in a minute; the one said longest ago is forgotten */
#define PAIRS 16
#define VALUE_MAX 1024

struct pair {
	const char *key;
	char *value; /* clean */
};

struct message {
	char *msg; /* NULL: free */
	enum vml_log_level level;
	uint64_t said_ns;
	uint64_t repeated; /* since it was said */
	struct pair pair[PAIRS]; /* of the last time */
	size_t n;
};

struct vml_log {
	struct vml_log_options o;
	pthread_mutex_t lock;
	struct message message[MESSAGES];
};

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[VML_LOG_DEBUG] = { "debug", 7 },
	[VML_LOG_INFO] = { "info", 6 },
	[VML_LOG_WARN] = { "warn", 4 },
	[VML_LOG_ERROR] = { "error", 3 },
};

int vml_log_level_parse(const char *name, enum vml_log_level *ret)
{
	unsigned int i;

	for (i = 0; i < VML_ARRAY_SIZE(levels); i++) {
		if (strcmp(name, levels[i].name))
			continue;
		*ret = i;
		return 0;
	}
	return -EINVAL;
}

int vml_log_open(const struct vml_log_options *o, struct vml_log **ret)
{
	struct vml_log *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->o = *o;
	if (!l->o.now)
		l->o.now = vml_now_mono;
	pthread_mutex_init(&l->lock, NULL);
	*ret = l;
	return 0;
}

/* ---- a line */

/* A word as it is, anything else in quotes; the text is clean: its backslashes are escapes already. */
static void put_pair(FILE *out, const char *key, const char *value)
{
	fprintf(out, "%s=", key);
	if (*value && !strpbrk(value, " =\"\\")) {
		fputs(value, out);
		return;
	}
	fputc('"', out);
	for (; *value; value++) {
		if (*value == '"')
			fputc('\\', out);
		fputc(*value, out);
	}
	fputc('"', out);
}

/* What memory suffices for: without any, still a line. */
static void put_json(FILE *out, const struct message *m)
{
	json_t *line = json_object();
	size_t i;
	int err;

	err = json_object_set_new(line, "level", json_string(levels[m->level].name));
	if (!err)
		err = json_object_set_new(line, "msg", json_string(m->msg));
	for (i = 0; i < m->n; i++)
		json_object_set_new(line, m->pair[i].key, json_string(m->pair[i].value));
	if (m->repeated)
		json_object_set_new(line, "repeated", json_integer((json_int_t)m->repeated));
	if (err || json_dumpf(line, out, JSON_COMPACT | JSON_PRESERVE_ORDER))
		fprintf(out, "{\"level\":\"%s\",\"msg\":\"out of memory\"}", levels[m->level].name);
	json_decref(line);
}

static void put_logfmt(FILE *out, const struct message *m)
{
	size_t i;

	put_pair(out, "level", levels[m->level].name);
	fputc(' ', out);
	put_pair(out, "msg", m->msg);
	for (i = 0; i < m->n; i++) {
		fputc(' ', out);
		put_pair(out, m->pair[i].key, m->pair[i].value);
	}
	if (m->repeated)
		fprintf(out, " repeated=%" PRIu64, m->repeated);
}

static void say(struct vml_log *l, struct message *m, uint64_t now)
{
	FILE *out = l->o.out;

	if (l->o.journal)
		fprintf(out, "<%d>", levels[m->level].priority);
	if (l->o.json)
		put_json(out, m);
	else
		put_logfmt(out, m);
	fputc('\n', out);
	fflush(out);
	m->repeated = 0;
	m->said_ns = now;
}

/* ---- what was said before */

static void forget_pairs(struct message *m)
{
	while (m->n)
		free(m->pair[--m->n].value);
}

static void forget(struct message *m)
{
	forget_pairs(m);
	free(m->msg);
	*m = (struct message){ 0 };
}

/* The entry of @msg; *ret_new: it was not said within a minute.  NULL: out of memory. */
static struct message *find(struct vml_log *l, const char *msg, uint64_t now, bool *ret_new)
{
	struct message *oldest = &l->message[0];
	size_t i;

	for (i = 0; i < MESSAGES; i++) {
		struct message *m = &l->message[i];

		if (m->msg && !strcmp(m->msg, msg)) {
			*ret_new = now - m->said_ns >= QUIET_NS;
			return m;
		}
		if (!m->msg || (oldest->msg && m->said_ns < oldest->said_ns))
			oldest = m;
	}
	if (oldest->repeated)
		say(l, oldest, now);
	forget(oldest);
	oldest->msg = strdup(msg);
	*ret_new = true;
	return oldest->msg ? oldest : NULL;
}

static void set_pairs(struct message *m, va_list ap)
{
	char clean[VALUE_MAX];
	const char *key, *value;

	forget_pairs(m);
	while ((key = va_arg(ap, const char *)) && m->n < PAIRS) {
		value = va_arg(ap, const char *);
		if (!value)
			continue;
		vml_text_clean(clean, sizeof(clean), value, strlen(value));
		m->pair[m->n].key = key;
		m->pair[m->n].value = strdup(clean);
		if (m->pair[m->n].value)
			m->n++;
	}
}

void vml_log(struct vml_log *l, enum vml_log_level level, const char *msg, ...)
{
	struct message unkept = { .msg = (char *)msg }, *m; /* said, when memory is short, and not remembered */
	uint64_t now = l->o.now();
	bool is_new;
	va_list ap;

	if (level < l->o.level)
		return;
	pthread_mutex_lock(&l->lock);
	m = find(l, msg, now, &is_new);
	if (!m)
		m = &unkept;
	m->level = level;
	va_start(ap, msg);
	set_pairs(m, ap);
	va_end(ap);
	if (is_new)
		say(l, m, now);
	else
		m->repeated++;
	forget_pairs(&unkept);
	pthread_mutex_unlock(&l->lock);
}

void vml_log_flush(struct vml_log *l)
{
	uint64_t now = l->o.now();
	size_t i;

	pthread_mutex_lock(&l->lock);
	for (i = 0; i < MESSAGES; i++)
		if (l->message[i].repeated && now - l->message[i].said_ns >= QUIET_NS)
			say(l, &l->message[i], now);
	pthread_mutex_unlock(&l->lock);
}

void vml_log_close(struct vml_log *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < MESSAGES; i++) {
		if (l->message[i].repeated)
			say(l, &l->message[i], l->o.now());
		forget(&l->message[i]);
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}
