/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names without what is of one run of a program only. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

/* Shorter ones are words, or digits; so is what goes on behind a letter, as in pod01234567-89ab-... */
#define HEX_LEAST 8
#define HEX_BEHIND_LETTER 16

static size_t hex_run(const char *s)
{
	size_t n = 0;

	while (isxdigit((unsigned char)s[n]))
		n++;
	return n;
}

/* Length of the UUID at @s, with '-' or '_' between its parts; 0: none. */
static size_t uuid(const char *s)
{
	static const size_t parts[] = { 8, 4, 4, 4, 12 };
	size_t i, n = 0;

	for (i = 0; i < VML_ARRAY_SIZE(parts); i++) {
		if (hex_run(s + n) != parts[i])
			return 0;
		n += parts[i];
		if (i + 1 < VML_ARRAY_SIZE(parts) && s[n] != '-' && s[n] != '_')
			return 0;
		n++;
	}
	return n - 1;
}

/* Length of the number at @s, behind @before: a UUID, hex digits that are no word, digits; 0: none. */
static size_t number(const char *s, char before)
{
	size_t n = uuid(s), digits = strspn(s, "0123456789");
	bool behind_letter = !digits && isalnum((unsigned char)before);

	if (n)
		return n;
	n = hex_run(s);
	if (n >= (behind_letter ? HEX_BEHIND_LETTER : HEX_LEAST) && strcspn(s, "0123456789") < n)
		return n;
	return digits;
}

/* Length of what stays as it is at @s: escapes of clean text and of systemd, the uid of a user; 0: nothing. */
static size_t kept(const char *s)
{
	size_t n = strspn(s, "\\");

	if (n)
		return s[n] == 'x' && hex_run(s + n + 1) >= 2 ? n + 3 : n;
	if (!strncmp(s, "/user-", 6) || !strncmp(s, "/user@", 6))
		return 6 + strspn(s + 6, "0123456789");
	return 0;
}

void model_name_fold(char *dst, const char *name)
{
	char before = '\0';

	while (*name) {
		size_t n = kept(name);

		if (n) {
			memcpy(dst, name, n);
			dst += n;
		} else if ((n = number(name, before))) {
			*dst++ = '*';
		} else {
			*dst++ = *name;
			n = 1;
		}
		before = name[n - 1];
		name += n;
	}
	*dst = '\0';
}
