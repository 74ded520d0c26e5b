/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "../src/daemon/log.h"
#include "unit.h"

static uint64_t clock_ns;

static uint64_t now(void)
{
	return clock_ns;
}

struct lines {
	char *text;
	size_t n;
	FILE *out;
	struct vml_log *log;
};

static void begin(struct lines *l, struct vml_log_options o)
{
	clock_ns = 1000 * UNIT_SECOND;
	o.now = now;
	o.out = l->out = open_memstream(&l->text, &l->n);
	assert_non_null(l->out);
	assert_int_equal(vml_log_open(&o, &l->log), 0);
}

static void expect(struct lines *l, const char *text)
{
	vml_log_close(l->log);
	fclose(l->out);
	assert_string_equal(l->text, text);
	free(l->text);
}

static void logfmt(void **state)
{
	struct lines l;

	(void)state;
	begin(&l, (struct vml_log_options){ .level = VML_LOG_INFO });
	vml_log(l.log, VML_LOG_DEBUG, "not said", NULL);
	vml_log(l.log, VML_LOG_INFO, "started", NULL);
	vml_log(l.log, VML_LOG_WARN, "two words", "key", "value", "empty", "", "absent", NULL, "k", "a b=\"c\"", NULL);
	vml_log(l.log, VML_LOG_ERROR, "hostile", "text", "a\nlevel=info\x1b[2J\\\xff", "more", "x=y", NULL);
	expect(&l, "level=info msg=started\n"
		   "level=warn msg=\"two words\" key=value empty=\"\" k=\"a b=\\\"c\\\"\"\n"
		   "level=error msg=hostile text=\"a\\x0alevel=info\\x1b[2J\\\\\\xff\" more=\"x=y\"\n");
}

static void json(void **state)
{
	struct lines l;

	(void)state;
	begin(&l, (struct vml_log_options){ .level = VML_LOG_DEBUG, .json = true, .journal = true });
	vml_log(l.log, VML_LOG_DEBUG, "d", "text", "a\n\"b", NULL);
	vml_log(l.log, VML_LOG_INFO, "i", NULL);
	vml_log(l.log, VML_LOG_WARN, "w", NULL);
	vml_log(l.log, VML_LOG_ERROR, "e", NULL);
	clock_ns += UNIT_SECOND;
	vml_log(l.log, VML_LOG_ERROR, "e", NULL);
	expect(&l, "<7>{\"level\":\"debug\",\"msg\":\"d\",\"text\":\"a\\\\x0a\\\"b\"}\n"
		   "<6>{\"level\":\"info\",\"msg\":\"i\"}\n"
		   "<4>{\"level\":\"warn\",\"msg\":\"w\"}\n"
		   "<3>{\"level\":\"error\",\"msg\":\"e\"}\n"
		   "<3>{\"level\":\"error\",\"msg\":\"e\",\"repeated\":1}\n");
}

static void repeats(void **state)
{
	struct lines l;
	int i;

	(void)state;
	begin(&l, (struct vml_log_options){ .level = VML_LOG_INFO });
	for (i = 0; i < 5; i++)
		vml_log(l.log, VML_LOG_WARN, "again", "n", i & 1 ? "odd" : "even", NULL);
	vml_log(l.log, VML_LOG_WARN, "other", NULL);
	clock_ns += 59 * UNIT_SECOND;
	vml_log_flush(l.log);
	vml_log(l.log, VML_LOG_WARN, "again", "n", "held back", NULL);
	clock_ns += UNIT_SECOND;
	/* said by flush, once: what was held back last */
	vml_log_flush(l.log);
	vml_log_flush(l.log);
	vml_log(l.log, VML_LOG_WARN, "again", "n", "within a minute", NULL);
	clock_ns += 60 * UNIT_SECOND;
	/* without flush: said with the next */
	vml_log(l.log, VML_LOG_WARN, "again", "n", "new", NULL);
	expect(&l, "level=warn msg=again n=even\n"
		   "level=warn msg=other\n"
		   "level=warn msg=again n=\"held back\" repeated=5\n"
		   "level=warn msg=again n=new repeated=1\n");
}

/* More messages than are remembered: what is forgotten is said first. */
static void forgets(void **state)
{
	char msg[32], want[16384] = "";
	struct lines l;
	size_t len = 0;
	int i;

	(void)state;
	begin(&l, (struct vml_log_options){ .level = VML_LOG_INFO });
	for (i = 0; i < 200; i++) {
		snprintf(msg, sizeof(msg), "m%d", i);
		clock_ns++;
		if (i == 64)
			len += (size_t)sprintf(want + len, "level=info msg=m0 repeated=1\n");
		vml_log(l.log, VML_LOG_INFO, msg, NULL);
		len += (size_t)sprintf(want + len, "level=info msg=m%d\n", i);
		if (!i)
			vml_log(l.log, VML_LOG_INFO, msg, NULL);
	}
	expect(&l, want);
}

static void levels(void **state)
{
	enum vml_log_level level = VML_LOG_WARN;

	(void)state;
	assert_int_equal(vml_log_level_parse("", &level), -EINVAL);
	assert_int_equal(vml_log_level_parse("Info", &level), -EINVAL);
	assert_int_equal(level, VML_LOG_WARN);
	assert_int_equal(vml_log_level_parse("error", &level), 0);
	assert_int_equal(level, VML_LOG_ERROR);
	assert_int_equal(vml_log_level_parse("debug", &level), 0);
	assert_int_equal(level, VML_LOG_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt),  cmocka_unit_test(json),   cmocka_unit_test(repeats),
		cmocka_unit_test(forgets), cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
