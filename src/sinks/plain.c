// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* UTF-8 to ASCII, on its way out: a terminal of one byte a character takes some bytes of UTF-8 for controls. */
#include <errno.h>

#include "parts.h"

static ssize_t write_plain(void *cookie, const char *buf, size_t size)
{
	FILE *out = cookie;
	size_t i;

	for (i = 0; i < size; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (c < 0x80 || c >= 0xc0) /* the others follow the first one of a character */
			putc(c < 0x80 ? c : '?', out);
	}
	return ferror(out) ? 0 : (ssize_t)size;
}

FILE *vml_plain_open(FILE *out, bool utf8)
{
	return utf8 ? out : fopencookie(out, "w", (cookie_io_functions_t){ .write = write_plain });
}

int vml_plain_close(FILE *f, FILE *out, int err)
{
	bool failed = f != out && fclose(f);

	return err ? err : failed || ferror(out) ? -EIO : 0;
}
