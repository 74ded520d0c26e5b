// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"

static const char *last_part(const char *path)
{
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

char *vml_frame_text(const struct vml_frame *f, char *buf, size_t n)
{
	switch (f->state) {
	case VML_FRAME_FUNCTION:
		vml_text_printf(buf, n, "%s", f->function);
		break;
	case VML_FRAME_FILE:
		vml_text_printf(buf, n, "%s+0x%" PRIx64, last_part(f->file), f->offset);
		break;
	case VML_FRAME_EXITED:
		snprintf(buf, n, "[exited]");
		break;
	default:
		snprintf(buf, n, "[unknown]");
	}
	return buf;
}
