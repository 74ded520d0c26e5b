/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text for a terminal that does not take UTF-8 (src/sinks/plain.c), and the sinks that write it. */
#include <errno.h>

#include "unit.h"
#include "vmalock/compare.h"
#include "vmalock/diagnose.h"
#include "vmalock/sink.h"
#include "../../src/sinks/parts.h"

/* U+46DB: its last byte is the beginning of a control sequence to a terminal of one byte a character. */
#define NAME           \
	"\344\233\233" \
	"31m"

static struct vml_snapshot *delta(void)
{
	static const struct vml_stall stall = { .id = { .tid = 8, .pid = 7 },
						.comm = NAME,
						.target = { .pid = 7, .start_ns = 7 * UNIT_SECOND },
						.waiters = 2,
						.wait_ns = UNIT_SECOND };
	struct vml_snapshot *d = unit_snapshot(2 * UNIT_SECOND);
	struct vml_row *r = unit_process(d, 7);

	d->interval_ns = UNIT_SECOND;
	d->host = (struct vml_host){ .name = "h" NAME, .boot_id = "b", .machine = "m", .kernel = "k" };
	r->comm = NAME;
	r->value[VML_FAULTS] = d->total[VML_FAULTS] = 100;
	d->stall = vml_arena_copy(d->arena, &stall, sizeof(stall));
	d->nstall = 1;
	return d;
}

static void check(const char *text, bool utf8, const char *what)
{
	bool ascii = true;

	for (const char *c = text; *c; c++)
		ascii &= (unsigned char)*c < 0x80;
	assert_int_equal(ascii, !utf8);
	if (!strstr(text, what))
		fail_msg("there is no %s in %s", what, text);
}

enum { TABLE, DIAGNOSIS, DIFF };

static char *written(int which, bool utf8)
{
	const struct vml_view view = { .utf8 = utf8 };
	struct vml_comparison c = { 0 };
	struct vml_snapshot *d = delta();
	struct vml_diff diff = { .side = { { "a" NAME, d, 1, 0, 1 }, { "b", d, 1, 0, 1 } }, .comparison = &c };
	struct vml_diagnosis found;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	if (which == TABLE)
		assert_int_equal(vml_table_write(f, d, &view), 0);
	if (which == DIAGNOSIS)
		assert_int_equal(vml_diagnose(d, &found) ?: vml_diagnosis_write(f, d, &found, utf8), 0);
	if (which == DIFF)
		assert_int_equal(vml_diff_write(f, &diff, utf8), 0);
	assert_int_equal(fclose(f), 0);
	vml_snapshot_free(d);
	return text;
}

static void each_sink(void **state)
{
	static const char *const is[] = { " of ?31m (7)", " of ?31m (7)", "a?31m" };
	static const char *const is_utf8[] = { " of " NAME " (7)", " of " NAME " (7)", "a" NAME };

	(void)state;
	for (int which = TABLE; which <= DIFF; which++)
		for (int utf8 = 0; utf8 < 2; utf8++) {
			char *text = written(which, utf8);

			check(text, utf8, utf8 ? is_utf8[which] : is[which]);
			free(text);
		}
}

/* Wherever a buffer of the stream ends. */
static void a_character_in_parts(void **state)
{
	static const char text[] = "a\303\251b\344\270\226c\360\237\231\202d";
	char *out = NULL;
	size_t n;
	FILE *to = open_memstream(&out, &n), *f;

	(void)state;
	assert_non_null(to);
	f = vml_plain_open(to, false);
	assert_non_null(f);
	for (const char *c = text; *c; c++) {
		putc(*c, f);
		assert_int_equal(fflush(f), 0);
	}
	assert_int_equal(vml_plain_close(f, to, 0), 0);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(out, "a?b?c?d");
	free(out);
}

static void errors(void **state)
{
	FILE *full = fopen("/dev/full", "w"), *f;

	(void)state;
	assert_non_null(full);
	setbuf(full, NULL);
	assert_ptr_equal(vml_plain_open(full, true), full);
	f = vml_plain_open(full, false);
	assert_non_null(f);
	fputs("text", f);
	assert_int_equal(vml_plain_close(f, full, 0), -EIO);
	f = vml_plain_open(full, false);
	assert_non_null(f);
	assert_int_equal(vml_plain_close(f, full, -ENOMEM), -ENOMEM);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sink),
		cmocka_unit_test(a_character_in_parts),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
