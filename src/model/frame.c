// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/snapshot.h"

static const char *last_part(const char *path)
{
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* Half a character at the end is no UTF-8. */
static void cut(char *buf, size_t len)
{
	while (len && (buf[len - 1] & 0xc0) == 0x80)
		len--;
	if (len && (buf[len - 1] & 0x80))
		len--;
	buf[len] = '\0';
}

char *vml_frame_text(const struct vml_frame *f, char *buf, size_t n)
{
	int len;

	switch (f->state) {
	case VML_FRAME_FUNCTION:
		len = snprintf(buf, n, "%s", f->function);
		break;
	case VML_FRAME_FILE:
		len = snprintf(buf, n, "%s+0x%" PRIx64, last_part(f->file), f->offset);
		break;
	case VML_FRAME_EXITED:
		len = snprintf(buf, n, "[exited]");
		break;
	default:
		len = snprintf(buf, n, "[unknown]");
	}
	if (len > 0 && (size_t)len >= n)
		cut(buf, n - 1);
	return buf;
}
