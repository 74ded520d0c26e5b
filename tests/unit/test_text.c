/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <wchar.h>

#include "unit.h"

static void assert_clean(const char *src, size_t len, const char *expected)
{
	char buf[256];

	assert_int_equal(vml_text_clean(buf, sizeof(buf), src, len), strlen(expected));
	assert_string_equal(buf, expected);
}
#define CLEAN(literal, expected) assert_clean(literal, sizeof(literal) - 1, expected)

static void clean_keeps_text(void **state)
{
	(void)state;
	CLEAN("", "");
	CLEAN("nginx: worker process", "nginx: worker process");
	CLEAN("\"quoted\" 'x' <b>&amp; $(id) `id` %s", "\"quoted\" 'x' <b>&amp; $(id) `id` %s");
	CLEAN("Ünïcödé 日本語 😀", "Ünïcödé 日本語 😀");
	CLEAN("\xc2\xa0 \xc2\xa1", "\xc2\xa0 \xc2\xa1");
	CLEAN("\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd"); /* U+10FFFD, private use */
	assert_clean(NULL, 0, "");
}

static void clean_stops_at_nul_or_len(void **state)
{
	(void)state;
	CLEAN("abc\0def", "abc");
	assert_clean("abcdef", 3, "abc");
	/* half of a character at the end */
	assert_clean("a\xc3\xa9", 2, "a\\xc3");
}

static void clean_escapes_controls(void **state)
{
	(void)state;
	CLEAN("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07");
	CLEAN("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd");
	CLEAN("\x7f", "\\x7f");
	CLEAN("\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f");
	CLEAN("\x9b", "\\x9b");
	CLEAN("a\\b\\x1b", "a\\\\b\\\\x1b");
}

static void clean_escapes_invisible(void **state)
{
	(void)state;
	CLEAN("\xe2\x80\xaegnp.exe", "\\xe2\\x80\\xaegnp.exe"); /* U+202E */
	CLEAN("\xd8\x9c", "\\xd8\\x9c"); /* U+061C */
	CLEAN("\xe2\x80\x8b\xe2\x80\xa8\xe2\x81\xa6", "\\xe2\\x80\\x8b\\xe2\\x80\\xa8\\xe2\\x81\\xa6");
	CLEAN("\xef\xbb\xbf", "\\xef\\xbb\\xbf"); /* U+FEFF */
	CLEAN("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* U+E0041 */
	CLEAN("\xef\xbf\xbe\xef\xb7\x90", "\\xef\\xbf\\xbe\\xef\\xb7\\x90"); /* U+FFFE, U+FDD0 */
	CLEAN("\xf4\x8f\xbf\xbf", "\\xf4\\x8f\\xbf\\xbf"); /* U+10FFFF */
	CLEAN("\xc2\xad", "\\xc2\\xad"); /* soft hyphen */
}

static void clean_escapes_what_is_no_utf8(void **state)
{
	(void)state;
	CLEAN("\xff\xfe", "\\xff\\xfe");
	CLEAN("\x80", "\\x80");
	CLEAN("\xc0\xaf", "\\xc0\\xaf"); /* overlong / */
	CLEAN("\xc1\xbf", "\\xc1\\xbf");
	CLEAN("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	CLEAN("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	CLEAN("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	CLEAN("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* U+110000 */
	CLEAN("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
	CLEAN("\xe2\x82", "\\xe2\\x82");
	/* a broken character does not swallow the next one */
	CLEAN("\xe2\x82x", "\\xe2\\x82x");
	CLEAN("\xe2\xc3\xa9", "\\xe2\xc3\xa9");
	CLEAN("\xf0\x9f\x98\x1b", "\\xf0\\x9f\\x98\\x1b");
}

static void assert_cut(size_t n, const char *src, const char *expected)
{
	char buf[64];

	memset(buf, '#', sizeof(buf));
	assert_int_equal(vml_text_clean(buf, n, src, strlen(src)), strlen(expected));
	assert_string_equal(buf, expected);
	assert_int_equal(buf[n], '#');
}

static void clean_cuts_between_characters(void **state)
{
	(void)state;
	assert_cut(1, "abc", "");
	assert_cut(3, "abc", "ab");
	assert_cut(4, "abc", "abc");
	assert_cut(3, "aé", "a");
	assert_cut(4, "aé", "aé");
	assert_cut(4, "😀x", "");
	assert_cut(5, "😀x", "😀");
	assert_cut(4, "\x1b[", "");
	assert_cut(5, "\x1b[", "\\x1b");
	assert_cut(6, "\x1b[", "\\x1b[");
	assert_cut(2, "\\a", "");
	assert_cut(3, "\\a", "\\\\");
	/* an escaped character is one character: 12 bytes or none */
	assert_cut(12, "\xe2\x80\xae", "");
	assert_cut(13, "\xe2\x80\xae", "\\xe2\\x80\\xae");
	/* what is small does not slip in behind what did not fit */
	assert_cut(4, "ab\x1bz", "ab");
}

/* An independent list: what the header promises never to let through. */
static bool is_forbidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || c == 0x61c ||
	       (c >= 0x115f && c <= 0x1160) || (c >= 0x17b4 && c <= 0x17b5) || (c >= 0x180b && c <= 0x180f) ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0x3164 || (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff ||
	       c == 0xffa0 || (c >= 0xfff0 && c <= 0xfffb) || (c % 0x10000 >= 0xfffe) ||
	       (c >= 0x1bca0 && c <= 0x1bca3) || (c >= 0x1d173 && c <= 0x1d17a) || (c >= 0xe0000 && c <= 0xe0fff);
}

static size_t encode(char *s, uint32_t c)
{
	if (c < 0x80) {
		s[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	s[0] = (char)(0xf0 | c >> 18);
	s[1] = (char)(0x80 | (c >> 12 & 0x3f));
	s[2] = (char)(0x80 | (c >> 6 & 0x3f));
	s[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void clean_decides_right_for_every_code_point(void **state)
{
	char src[8] = "", dst[32];
	size_t len, out;
	bool kept, surrogate;
	uint32_t c;

	(void)state;
	for (c = 1; c < 0x110800; c++) {
		len = encode(src, c);
		out = vml_text_clean(dst, sizeof(dst), src, len);
		kept = out == len && !memcmp(dst, src, len);
		surrogate = c >= 0xd800 && c < 0xe000;
		if (c == '\\')
			assert_string_equal(dst, "\\\\");
		else if (kept != (c < 0x110000 && !surrogate && !is_forbidden(c)))
			fail_msg("U+%04X", c);
		else if (!kept && out != 4 * len)
			fail_msg("U+%04X: %s", c, dst);
	}
}

/* Against the decoder of libc: every sequence that begins like one of three or four bytes. */
static void clean_agrees_with_libc_on_validity(void **state)
{
	static const unsigned char edge[] = { 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	unsigned int first, second, third, fourth;
	char src[5] = "", dst[32];
	mbstate_t mb;
	size_t n;
	wchar_t w;
	bool ok;

	(void)state;
	for (first = 0xc0; first < 0x100; first++) {
		for (second = 1; second < 0x100; second++) {
			for (third = 0; third < sizeof(edge); third++) {
				for (fourth = 0; fourth < sizeof(edge); fourth++) {
					src[0] = (char)first;
					src[1] = (char)second;
					src[2] = (char)edge[third];
					src[3] = (char)edge[fourth];
					memset(&mb, 0, sizeof(mb));
					n = mbrtowc(&w, src, 4, &mb);
					vml_text_clean(dst, sizeof(dst), src, 4);
					/* libc knows the forms over U+10FFFF */
					ok = n <= 4 && w < 0x110000 && !is_forbidden((uint32_t)w);
					if ((dst[0] == src[0]) != ok)
						fail_msg("%02x %02x %02x %02x: %zd", first, second, edge[third],
							 edge[fourth], n);
				}
			}
		}
	}
}

static int hex(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static size_t undo(char *dst, const char *s)
{
	size_t n = 0;

	while (*s) {
		if (s[0] == '\\' && s[1] == 'x') {
			dst[n++] = (char)(hex(s[2]) << 4 | hex(s[3]));
			s += 4;
		} else if (s[0] == '\\') {
			assert_int_equal(s[1], '\\');
			dst[n++] = '\\';
			s += 2;
		} else {
			dst[n++] = *s++;
		}
	}
	return n;
}

static void assert_safe(const char *s)
{
	mbstate_t mb = { 0 };
	wchar_t w;
	size_t n;

	while (*s) {
		n = mbrtowc(&w, s, 8, &mb);
		if (n > 4)
			fail_msg("no UTF-8: %02x", (unsigned char)*s);
		if (w >= 0x110000 || is_forbidden((uint32_t)w))
			fail_msg("U+%04X", (unsigned int)w);
		s += n;
	}
}

/* Half of the bytes are picked to make up near-miss sequences. */
static size_t random_bytes(uint64_t *seed, char *src, size_t max)
{
	static const unsigned char likely[] = { 0xe2, 0x80, 0xae, 0xc2, 0x9b, 0xf0, 0x9f, 0x98, 0x80,
						0xed, 0xa0, 0xef, 0xbb, 0xbf, '\\', 'x',  0x1b, 0xf3 };
	size_t n = unit_below(seed, max), i;

	for (i = 0; i < n; i++)
		src[i] = (char)(unit_random(seed) & 32 ? likely[unit_below(seed, sizeof(likely))]
						       : unit_random(seed) >> 32);
	return n;
}

static void clean_survives_random_bytes(void **state)
{
	char src[80], dst[400], back[400];
	size_t n, len, room;
	uint64_t seed = 42;
	int i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		n = random_bytes(&seed, src, sizeof(src));
		room = 1 + unit_below(&seed, i % 2 ? 50 : sizeof(dst) - 8);
		memset(dst, 1, sizeof(dst));
		len = vml_text_clean(dst, room, src, n);
		assert_true(len < room && dst[len] == 0 && strlen(dst) == len);
		assert_int_equal(dst[room], 1);
		assert_safe(dst);
		/* nothing is lost or invented: the escapes undone are the start of what came in */
		len = undo(back, dst);
		assert_true(len <= n && !memcmp(back, src, len));
		if (room > 4 * sizeof(src))
			assert_int_equal(len, strnlen(src, n));
	}
}

static void what_was_cleaned_is_clean(void **state)
{
	(void)state;
	assert_true(vml_text_is_clean(""));
	assert_true(vml_text_is_clean("a\\x0a\\\\b"));
	assert_true(vml_text_is_clean("caf\xc3\xa9\\xff"));
	assert_false(vml_text_is_clean("a\n"));
	assert_false(vml_text_is_clean("\x7f"));
	assert_false(vml_text_is_clean("caf\xc3"));
	assert_false(vml_text_is_clean("a\xe2\x80\xae")); /* right-to-left override */
}

static void width_counts_columns(void **state)
{
	(void)state;
	assert_int_equal(vml_text_width(""), 0);
	assert_int_equal(vml_text_width("abc"), 3);
	assert_int_equal(vml_text_width("é"), 1);
	assert_int_equal(vml_text_width("日本"), 4);
	assert_int_equal(vml_text_width("e\xcc\x81"), 1); /* combining acute */
	assert_int_equal(vml_text_width("😀"), 2);
	/* not clean, but nothing breaks: one column each */
	assert_int_equal(vml_text_width("\xff\x1b"), 2);
}

static void width_without_utf8_locale_counts_characters(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_ALL, "C"));
	assert_int_equal(vml_text_width("abc"), 3);
	assert_int_equal(vml_text_width("é日本😀"), 4);
	assert_int_equal(vml_text_width("\xff"), 1);
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
}

static void assert_fit(const char *s, int width, bool right, bool utf8, const char *expected)
{
	char buf[128];

	vml_text_fit(buf, sizeof(buf), s, width, right, utf8);
	assert_string_equal(buf, expected);
	if (width >= 0)
		assert_int_equal(vml_text_width(buf), width);
}

static void fit_pads_and_cuts(void **state)
{
	(void)state;
	assert_fit("abc", 5, false, true, "abc  ");
	assert_fit("abc", 5, true, true, "  abc");
	assert_fit("abc", 3, true, true, "abc");
	assert_fit("abcd", 3, false, true, "ab…");
	assert_fit("abcd", 3, false, false, "ab~");
	assert_fit("abcd", 1, false, false, "~");
	assert_fit("abcd", 0, false, false, "");
	assert_fit("abcd", -1, false, false, "");
	assert_fit("", 2, false, true, "  ");
}

static void fit_knows_wide_and_combining_characters(void **state)
{
	(void)state;
	assert_fit("日本", 5, false, true, "日本 ");
	assert_fit("日本", 5, true, true, " 日本");
	assert_fit("日本語", 5, false, true, "日本…");
	assert_fit("日本語", 4, false, true, "日… "); /* half a character is left */
	assert_fit("e\xcc\x81tat", 3, false, true, "e\xcc\x81t…");
	assert_fit("e\xcc\x81", 2, false, true, "e\xcc\x81 ");
}

static void fit_without_utf8_is_ascii(void **state)
{
	(void)state;
	assert_fit("Ünï", 5, false, false, "?n?  ");
	assert_fit("日本", 3, true, false, " ??");
	assert_fit("日本語", 2, false, false, "?~");
}

static void fit_never_lets_through_what_is_not_clean(void **state)
{
	(void)state;
	assert_fit("a\x1b[b", 5, false, true, "a?[b ");
	assert_fit("\xff\xfe", 3, false, true, "?? ");
	assert_fit("\xe2\x80\xae", 2, false, true, "? ");
}

static void fit_stays_in_its_buffer(void **state)
{
	char buf[32];

	(void)state;
	memset(buf, '#', sizeof(buf));
	vml_text_fit(buf, 5, "日本語", 20, false, true);
	assert_string_equal(buf, "日");
	assert_int_equal(buf[5], '#');
	vml_text_fit(buf, 4, "abc", 20, true, true);
	assert_string_equal(buf, "   ");
	vml_text_fit(buf, 1, "abc", 20, true, true);
	assert_string_equal(buf, "");
}

static void fit_is_exact_for_random_text(void **state)
{
	char src[40], clean[200], dst[800];
	uint64_t seed = 7;
	int i, width;

	(void)state;
	for (i = 0; i < 50000; i++) {
		vml_text_clean(clean, sizeof(clean), src, random_bytes(&seed, src, sizeof(src)));
		width = (int)unit_below(&seed, 60);
		vml_text_fit(dst, sizeof(dst), clean, width, i & 1, i & 2);
		assert_int_equal(vml_text_width(dst), width);
		assert_safe(dst);
	}
}

static void printf_cuts_between_characters(void **state)
{
	static const char text[] = "a\303\251\344\270\226\360\237\231\202b"; /* of 1, 2, 3, 4 and 1 bytes */
	static const size_t fits[] = { 0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11 };
	char buf[16];

	(void)state;
	for (size_t n = 1; n < VML_ARRAY_SIZE(fits); n++) {
		memset(buf, '#', sizeof(buf));
		assert_int_equal(vml_text_printf(buf, n, "%s", text), 11);
		assert_int_equal(strlen(buf), fits[n]);
		assert_memory_equal(buf, text, fits[n]);
		assert_int_equal(buf[n], '#');
	}
	assert_int_equal(vml_text_printf(buf, sizeof(buf), "%d%%", 5), 2);
	assert_string_equal(buf, "5%");
}

static void copy_cuts_between_characters(void **state)
{
	char buf[8];

	(void)state;
	assert_int_equal(vml_text_copy(buf, 4, "a\xc3\xa9"), 3);
	assert_string_equal(buf, "a\xc3\xa9");
	assert_int_equal(vml_text_copy(buf, 3, "a\xc3\xa9"), 1);
	assert_string_equal(buf, "a");
	assert_int_equal(vml_text_copy(buf, 1, "\xc3\xa9"), 0);
	assert_string_equal(buf, "");
	assert_int_equal(vml_text_cut("\xf0\x9f\x98\x80x", 4), 4);
	assert_int_equal(vml_text_cut("\xf0\x9f\x98\x80x", 3), 0);
}

static void text_is_read_word_by_word(void **state)
{
	const char *text = "one  \xc3\xa9\xc3\xa9 three";
	char word[4];

	(void)state;
	assert_true(vml_text_word(&text, word, sizeof(word)));
	assert_string_equal(word, "one");
	assert_true(vml_text_word(&text, word, sizeof(word)));
	assert_string_equal(word, "\xc3\xa9"); /* no half of a character */
	assert_true(vml_text_word(&text, word, sizeof(word)));
	assert_string_equal(word, "thr");
	assert_false(vml_text_word(&text, word, sizeof(word)));
	assert_string_equal(text, "");
}

static ssize_t no_space(void *cookie, const char *bytes, size_t n)
{
	(void)cookie;
	(void)bytes;
	(void)n;
	errno = ENOSPC;
	return 0;
}

static void a_text_is_whole_or_none(void **state)
{
	const cookie_io_functions_t full = { .write = no_space };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_non_null(f);
	fputs("whole", f);
	assert_int_equal(vml_text_close(f, &text), 0);
	assert_string_equal(text, "whole");
	/* a write failed, the last or an earlier one */
	for (int earlier = 0; earlier < 2; earlier++) {
		f = fopencookie(NULL, "w", full);
		assert_non_null(f);
		fputs("more", f);
		if (earlier)
			fflush(f);
		assert_int_equal(vml_text_close(f, &text), -ENOMEM);
		assert_null(text);
		text = strdup("half");
	}
	assert_int_equal(vml_text_close(NULL, &text), -ENOMEM);
	assert_null(text);
	/* closed well, and no text */
	f = fopen("/dev/null", "w");
	assert_non_null(f);
	assert_int_equal(vml_text_close(f, &text), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_keeps_text),
		cmocka_unit_test(clean_stops_at_nul_or_len),
		cmocka_unit_test(clean_escapes_controls),
		cmocka_unit_test(clean_escapes_invisible),
		cmocka_unit_test(clean_escapes_what_is_no_utf8),
		cmocka_unit_test(clean_cuts_between_characters),
		cmocka_unit_test(what_was_cleaned_is_clean),
		cmocka_unit_test(clean_decides_right_for_every_code_point),
		cmocka_unit_test(clean_agrees_with_libc_on_validity),
		cmocka_unit_test(clean_survives_random_bytes),
		cmocka_unit_test(width_counts_columns),
		cmocka_unit_test(width_without_utf8_locale_counts_characters),
		cmocka_unit_test(fit_pads_and_cuts),
		cmocka_unit_test(fit_knows_wide_and_combining_characters),
		cmocka_unit_test(fit_without_utf8_is_ascii),
		cmocka_unit_test(fit_never_lets_through_what_is_not_clean),
		cmocka_unit_test(fit_stays_in_its_buffer),
		cmocka_unit_test(fit_is_exact_for_random_text),
		cmocka_unit_test(printf_cuts_between_characters),
		cmocka_unit_test(copy_cuts_between_characters),
		cmocka_unit_test(text_is_read_word_by_word),
		cmocka_unit_test(a_text_is_whole_or_none),
	};

	if (!setlocale(LC_ALL, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
