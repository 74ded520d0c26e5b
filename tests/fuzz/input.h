/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_FUZZ_INPUT_H
#define VMALOCK_FUZZ_INPUT_H
/* What the fuzzers share: the bytes they are given, and what they hold against the program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Says what does not hold and ends in a way that a fuzzer sees. */
#define fuzz_must(x)                                                                          \
	do {                                                                                  \
		if (!(x)) {                                                                   \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x); \
			abort();                                                              \
		}                                                                             \
	} while (0)

/* Of what only looks at a result: its branches are nothing that inputs are kept for, and take no time to be counted. */
#ifdef __clang__
#define FUZZ_CHECK __attribute__((noinline, no_sanitize("coverage")))
#else
#define FUZZ_CHECK
#endif

struct fuzz_input {
	const uint8_t *at, *end;
};

/* A number of @n bytes; what is not there is left out. */
static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned int n)
{
	uint64_t v = 0;

	while (n-- && in->at < in->end)
		v = v << 8 | *in->at++;
	return v;
}

/* @n bytes of @dst, made of the next few bytes of the input again and again, so that a short one makes long texts. */
static inline void fuzz_fill(struct fuzz_input *in, char *dst, size_t n)
{
	size_t of = fuzz_take(in, 1), left = (size_t)(in->end - in->at);

	of = of < left ? of : left;
	for (size_t i = 0; i < n; i++)
		dst[i] = of ? (char)in->at[i % of] : '\0';
	in->at += of;
}

/* Valid UTF-8 (jansson says so) that moves no cursor, changes no direction and sets no mode; @n bytes. */
FUZZ_CHECK static inline void fuzz_must_be_clean(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	json_t *valid = json_stringn(text, n);

	fuzz_must(valid != NULL);
	json_decref(valid);
	for (size_t i = 0; i < n; i++) {
		fuzz_must(s[i] >= ' ' && s[i] != 0x7f);
		if (i + 1 < n)
			fuzz_must(s[i] != 0xc2 || s[i + 1] >= 0xa0); /* C1 */
		if (i + 2 < n && s[i] == 0xe2 && s[i + 1] == 0x80) /* marks, line ends, embeddings, overrides */
			fuzz_must((s[i + 2] < 0x8b || s[i + 2] > 0x8f) && (s[i + 2] < 0xa8 || s[i + 2] > 0xae));
		if (i + 2 < n && s[i] == 0xe2 && s[i + 1] == 0x81) /* isolates */
			fuzz_must(s[i + 2] < 0xa0 || s[i + 2] > 0xaf);
	}
}

#endif
