// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lines of the daemon's log, with any values: read again they have these values, and each event is in a line or in
 * what a line says of how often it was held back.
 *
 *	byte 0		1: JSON; 2: priorities for journald; 4: debug is not said
 *	then		events, see log_event()
 */
#include "daemon/log.h"
#include "fuzz/input.h"
#include "vmalock/base.h"

#define LOG_MESSAGES 100 /* more than are remembered */
#define LOG_VALUES 3
#define LOG_VALUE_MAX 1024 /* bytes of one that are said, with the last NUL */
#define LOG_MINUTE_NS 60000000000ULL

static const char *const log_keys[LOG_VALUES] = { "error", "path", "name" };
static uint64_t log_now_ns;

/* Of one message: what was logged last. */
struct log_message {
	unsigned int level;
	char *value[LOG_VALUES]; /* clean; NULL: left out */
	uint64_t held; /* times, since a line said it */
	uint64_t said_ns; /* 0: never */
};

struct log_fuzz {
	struct vml_log_options o;
	struct vml_log *log;
	struct log_message message[LOG_MESSAGES];
	char *text; /* of o.out, read up to at */
	size_t n, at;
};

static uint64_t log_clock(void)
{
	return log_now_ns;
}

/* ---- a line */

/* The value of @key at *@at, which is behind it then. */
FUZZ_CHECK static void log_word(const char **at, const char *key, char value[LOG_VALUE_MAX + 2])
{
	bool quoted = (*at)[strlen(key) + 1] == '"';
	const char *s = *at + strlen(key) + 1 + quoted;
	size_t n = 0;

	fuzz_must(!strncmp(*at, key, strlen(key)) && s[-1 - quoted] == '=');
	while (*s != (quoted ? '"' : ' ') && (*s || quoted)) {
		fuzz_must(*s && n < LOG_VALUE_MAX);
		fuzz_must(quoted || (*s != '"' && *s != '=' && *s != '\\'));
		if (*s == '\\' && *++s != '"')
			value[n++] = '\\'; /* of the text itself: \xNN or two of them */
		value[n++] = *s++;
	}
	value[n] = '\0';
	s += quoted;
	fuzz_must(!*s || *s == ' ');
	*at = s + (*s == ' ');
}

/* The message, and how often it was held back. */
FUZZ_CHECK static unsigned int log_read_words(const struct log_fuzz *f, const char *line, uint64_t *ret_repeated)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	const struct log_message *m;
	char value[LOG_VALUE_MAX + 2], level[LOG_VALUE_MAX + 2];
	unsigned int which;

	log_word(&line, "level", level);
	log_word(&line, "msg", value);
	fuzz_must(sscanf(value, "message %u", &which) == 1 && which < LOG_MESSAGES);
	m = &f->message[which];
	fuzz_must(!strcmp(level, levels[m->level]));
	for (int i = 0; i < LOG_VALUES; i++) {
		if (!m->value[i])
			continue;
		log_word(&line, log_keys[i], value);
		fuzz_must(!strcmp(value, m->value[i]));
	}
	*ret_repeated = 0;
	if (*line) {
		log_word(&line, "repeated", value);
		fuzz_must(!vml_parse_u64(value, ret_repeated) && *ret_repeated);
	}
	fuzz_must(!*line);
	return which;
}

FUZZ_CHECK static unsigned int log_read_json(const struct log_fuzz *f, const char *line, uint64_t *ret_repeated)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	json_t *v = json_loads(line, JSON_REJECT_DUPLICATES, NULL), *repeated = json_object_get(v, "repeated");
	const char *msg = json_string_value(json_object_get(v, "msg")),
		   *level = json_string_value(json_object_get(v, "level"));
	const struct log_message *m;
	unsigned int which, keys = 2 + !!repeated;

	fuzz_must(msg && level && sscanf(msg, "message %u", &which) == 1 && which < LOG_MESSAGES);
	m = &f->message[which];
	fuzz_must(!strcmp(level, levels[m->level]));
	for (int i = 0; i < LOG_VALUES; i++) {
		const char *value = json_string_value(json_object_get(v, log_keys[i]));

		fuzz_must(value ? m->value[i] && !strcmp(value, m->value[i]) : !m->value[i]);
		keys += !!value;
	}
	fuzz_must(json_object_size(v) == keys && (!repeated || json_integer_value(repeated) > 0));
	*ret_repeated = (uint64_t)json_integer_value(repeated);
	json_decref(v);
	return which;
}

/* As it was logged last; returns which message. */
FUZZ_CHECK static unsigned int log_line(struct log_fuzz *f, const char *line, uint64_t *ret_repeated)
{
	static const char priority[] = { '7', '6', '4', '3' };
	char given = '\0';
	unsigned int which;

	if (f->o.journal) {
		fuzz_must(line[0] == '<' && line[2] == '>');
		given = line[1];
		line += 3;
	}
	which = f->o.json ? log_read_json(f, line, ret_repeated) : log_read_words(f, line, ret_repeated);
	fuzz_must(!given || given == priority[f->message[which].level]);
	return which;
}

/* What was written since; true: the last line is message @own, which is an event of its own. */
FUZZ_CHECK static bool log_lines(struct log_fuzz *f, unsigned int own)
{
	bool said = false;

	fuzz_must(!fflush(f->o.out));
	while (f->at < f->n) {
		char *line = f->text + f->at, *end = memchr(line, '\n', f->n - f->at);
		uint64_t repeated;
		unsigned int which;

		fuzz_must(end && !said);
		fuzz_must_be_clean(line, (size_t)(end - line));
		*end = '\0';
		which = log_line(f, line, &repeated);
		said = which == own;
		fuzz_must(repeated == f->message[which].held && (repeated || said));
		f->message[which].held = 0;
		f->message[which].said_ns = log_now_ns;
		f->at = (size_t)(end - f->text) + 1;
	}
	return said;
}

/* ---- events */

/* A value, clean, or none. */
static char *log_value(struct fuzz_input *in, char raw[2 * LOG_VALUE_MAX])
{
	char clean[LOG_VALUE_MAX];
	size_t n = fuzz_take(in, 2) % (2 * LOG_VALUE_MAX);

	memset(raw, 0, 2 * LOG_VALUE_MAX);
	if (!n)
		return NULL;
	fuzz_fill(in, raw, n - 1);
	vml_text_clean(clean, sizeof(clean), raw, n - 1);
	return strdup(clean);
}

/* Seconds that pass, a level, a message and its values. */
static void log_event(struct log_fuzz *f, struct fuzz_input *in)
{
	char raw[LOG_VALUES][2 * LOG_VALUE_MAX], msg[32];
	uint64_t second = fuzz_take(in, 1);
	enum vml_log_level level = (enum vml_log_level)(fuzz_take(in, 1) % 4);
	unsigned int which = (unsigned int)fuzz_take(in, 1) % LOG_MESSAGES;
	struct log_message *m = &f->message[which];
	const char *value[LOG_VALUES];
	bool remembered;

	log_now_ns += 1 + second * 1000000000;
	remembered = m->said_ns && log_now_ns - m->said_ns < LOG_MINUTE_NS;
	for (int i = 0; i < LOG_VALUES; i++) {
		char *clean = log_value(in, raw[i]);

		value[i] = clean ? raw[i] : NULL;
		if (level >= f->o.level) {
			free(m->value[i]);
			m->value[i] = clean;
		} else {
			free(clean);
		}
	}
	if (level >= f->o.level)
		m->level = level;
	snprintf(msg, sizeof(msg), "message %u", which);
	vml_log(f->log, level, msg, log_keys[0], value[0], log_keys[1], value[1], log_keys[2], value[2], NULL);
	if (log_lines(f, which)) {
		fuzz_must(level >= f->o.level);
	} else if (level >= f->o.level) {
		fuzz_must(remembered);
		m->held++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	unsigned int how = (unsigned int)fuzz_take(&in, 1);
	struct log_fuzz f = { .o = { .json = how & 1, .journal = how & 2, .now = log_clock } };

	log_now_ns = LOG_MINUTE_NS;
	f.o.level = how & 4 ? VML_LOG_INFO : VML_LOG_DEBUG;
	f.o.out = open_memstream(&f.text, &f.n);
	fuzz_must(f.o.out && !vml_log_open(&f.o, &f.log));
	while (in.at < in.end) {
		if (*in.at == 0xff) {
			in.at++;
			vml_log_flush(f.log);
			log_lines(&f, LOG_MESSAGES);
		} else {
			log_event(&f, &in);
		}
	}
	vml_log_close(f.log);
	log_lines(&f, LOG_MESSAGES);
	fclose(f.o.out);
	for (int i = 0; i < LOG_MESSAGES; i++) {
		fuzz_must(!f.message[i].held);
		for (int k = 0; k < LOG_VALUES; k++)
			free(f.message[i].value[k]);
	}
	free(f.text);
	return 0;
}
