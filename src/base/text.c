/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "vmalock/base.h"

/*
 * Characters nobody sees, or that change how others are shown: Unicode's
 * Default_Ignorable_Code_Point, line separators, interlinear annotations.
 * Controls and non-characters are computed.  Sorted.
 */
static const struct range {
	uint32_t first, last;
} unsafe[] = {
	{ 0x00ad, 0x00ad }, /* soft hyphen */
	{ 0x034f, 0x034f }, /* combining grapheme joiner */
	{ 0x061c, 0x061c }, /* Arabic letter mark: bidi */
	{ 0x115f, 0x1160 }, /* Hangul fillers */
	{ 0x17b4, 0x17b5 }, /* Khmer inherent vowels */
	{ 0x180b, 0x180f }, /* Mongolian selectors */
	{ 0x200b, 0x200f }, /* zero width, direction marks */
	{ 0x2028, 0x202e }, /* line separators, bidi embeddings and overrides */
	{ 0x2060, 0x206f }, /* word joiner, bidi isolates */
	{ 0x3164, 0x3164 }, /* Hangul filler */
	{ 0xfe00, 0xfe0f }, /* variation selectors */
	{ 0xfeff, 0xfeff }, /* byte order mark */
	{ 0xffa0, 0xffa0 }, /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb }, /* specials, interlinear annotation */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical format controls */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
};

static bool is_safe(uint32_t c)
{
	size_t i;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (c < 0xa0 || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
		return false;
	for (i = 0; i < VML_ARRAY_SIZE(unsafe) && c >= unsafe[i].first; i++) {
		if (c <= unsafe[i].last)
			return false;
	}
	return true;
}

/*
 * The character at @s, at most @len bytes: its length, or 0 when it is no
 * UTF-8.  Source: The Unicode Standard, table 3-7, which leaves out overlong
 * forms, surrogates and what is over U+10FFFF by the range of the second byte.
 */
static size_t decode(const unsigned char *s, size_t len, uint32_t *ret_c)
{
	unsigned char first = 0x80, last = 0xbf;
	size_t n, i;
	uint32_t c;

	if (s[0] < 0x80) {
		*ret_c = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		first = 0xa0;
	else if (s[0] == 0xed)
		last = 0x9f;
	else if (s[0] == 0xf0)
		first = 0x90;
	else if (s[0] == 0xf4)
		last = 0x8f;
	c = s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if (i >= len || s[i] < first || s[i] > last)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
		first = 0x80;
		last = 0xbf;
	}
	*ret_c = c;
	return n;
}

static void put_hex(char *dst, unsigned char byte)
{
	static const char digit[] = "0123456789abcdef";

	dst[0] = '\\';
	dst[1] = 'x';
	dst[2] = digit[byte >> 4];
	dst[3] = digit[byte & 15];
}

/* The safe form of the @n bytes at @s in @dst (16 bytes); returns its length. */
static size_t escape(char *dst, const unsigned char *s, size_t n, bool safe)
{
	size_t i;

	if (safe && s[0] == '\\') {
		memcpy(dst, "\\\\", 2);
		return 2;
	}
	if (safe) {
		memcpy(dst, s, n);
		return n;
	}
	for (i = 0; i < n; i++)
		put_hex(dst + 4 * i, s[i]);
	return 4 * n;
}

size_t vml_text_clean(char *dst, size_t n, const char *src, size_t len)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t used = 0, i = 0, bytes, out;
	uint32_t c = 0;
	char safe[16];

	while (i < len && s[i]) {
		bytes = decode(s + i, len - i, &c);
		out = escape(safe, s + i, bytes ? bytes : 1, bytes && is_safe(c));
		if (out >= n - used)
			break;
		memcpy(dst + used, safe, out);
		used += out;
		i += bytes ? bytes : 1;
	}
	dst[used] = 0;
	return used;
}

bool vml_text_is_clean(const char *s)
{
	uint32_t c = 0;
	size_t n;

	for (; *s; s += n) {
		/* no look-ahead: decode() stops at the first byte that cannot follow, as NUL cannot */
		n = decode((const unsigned char *)s, 4, &c);
		if (!n || !is_safe(c))
			return false;
	}
	return true;
}

int vml_text_vprintf(char *dst, size_t n, const char *fmt, va_list ap)
{
	int len = vsnprintf(dst, n, fmt, ap);
	size_t last;
	uint32_t c;

	if (len < 0 || (size_t)len < n || n < 2)
		return len;
	/* of the last character there may be only a part */
	for (last = n - 2; last && ((unsigned char)dst[last] & 0xc0) == 0x80; last--)
		;
	if (!decode((const unsigned char *)dst + last, n - 1 - last, &c))
		dst[last] = 0;
	return len;
}

int vml_text_printf(char *dst, size_t n, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vml_text_vprintf(dst, n, fmt, ap);
	va_end(ap);
	return len;
}

size_t vml_text_cut(const char *text, size_t n)
{
	while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

size_t vml_text_copy(char *dst, size_t n, const char *text)
{
	size_t len = strlen(text);

	if (len >= n)
		len = vml_text_cut(text, n - 1);
	memcpy(dst, text, len);
	dst[len] = '\0';
	return len;
}

bool vml_text_word(const char **text, char *word, size_t n)
{
	size_t len = strcspn(*text, " "), keep = len < n ? len : vml_text_cut(*text, n - 1);

	if (!**text)
		return false;
	memcpy(word, *text, keep);
	word[keep] = '\0';
	*text += len;
	*text += strspn(*text, " ");
	return true;
}

/*
 * One character of a string that ends in NUL: its bytes, and the columns it
 * takes.  What wcwidth() does not know (no UTF-8 locale, newer Unicode) takes one;
 * what is no character is shown as '?'.
 */
static size_t next_char(const char *s, int *ret_width, bool *ret_shown)
{
	uint32_t c = 0;
	size_t n;
	int w;

	if (*s >= ' ' && *s < 0x7f) { /* nearly all of them */
		*ret_width = 1;
		*ret_shown = true;
		return 1;
	}
	/* no look-ahead: decode() stops at the first byte that cannot follow, as NUL cannot */
	n = decode((const unsigned char *)s, 4, &c);
	*ret_shown = n && is_safe(c);
	w = *ret_shown && c >= 0x80 ? wcwidth((wchar_t)c) : 1;
	*ret_width = w < 0 ? 1 : w;
	return n ? n : 1;
}

int vml_text_width(const char *s)
{
	int width = 0, w;
	bool shown;

	while (*s) {
		s += next_char(s, &w, &shown);
		width += w;
	}
	return width;
}

/* Bytes that still have room for a NUL behind them. */
struct out {
	char *dst;
	size_t n, used;
};

static void out_put(struct out *o, const char *s, size_t len)
{
	if (len < o->n - o->used) {
		memcpy(o->dst + o->used, s, len);
		o->used += len;
	} else {
		o->n = o->used + 1; /* nothing may follow what is missing */
	}
	o->dst[o->used] = 0;
}

static void out_pad(struct out *o, int columns)
{
	while (columns-- > 0)
		out_put(o, " ", 1);
}

/* As next_char(), with '?' for what an ASCII terminal cannot show. */
static size_t next_cell(const char *s, bool utf8, int *ret_width, bool *ret_shown)
{
	size_t n = next_char(s, ret_width, ret_shown);

	if (!utf8 && n > 1)
		*ret_shown = false;
	if (!*ret_shown)
		*ret_width = 1;
	return n;
}

/* Characters of @s up to @width columns; returns the columns taken. */
static int out_text(struct out *o, const char *s, int width, bool utf8)
{
	int taken = 0, w;
	bool shown;
	size_t n;

	for (; *s; s += n) {
		n = next_cell(s, utf8, &w, &shown);
		if (taken + w > width)
			break;
		out_put(o, shown ? s : "?", shown ? n : 1);
		taken += w;
	}
	return taken;
}

static int cell_width(const char *s, bool utf8)
{
	int width = 0, w;
	bool shown;

	while (*s) {
		s += next_cell(s, utf8, &w, &shown);
		width += w;
	}
	return width;
}

void vml_text_fit(char *dst, size_t n, const char *s, int width, bool right, bool utf8)
{
	struct out o = { .dst = dst, .n = n };
	const char *mark = utf8 ? "…" : "~";
	int need = cell_width(s, utf8);
	int taken;

	dst[0] = 0;
	if (width <= 0)
		return;
	if (need > width) {
		taken = out_text(&o, s, width - 1, utf8);
		out_put(&o, mark, strlen(mark));
		out_pad(&o, width - 1 - taken);
		return;
	}
	if (right)
		out_pad(&o, width - need);
	out_text(&o, s, width, utf8);
	if (!right)
		out_pad(&o, width - need);
}

int vml_text_close(FILE *f, char **text)
{
	bool failed = !f || ferror(f);

	if (f && fclose(f))
		failed = true;
	if (!failed && *text)
		return 0;
	free(*text);
	*text = NULL;
	return -ENOMEM;
}
