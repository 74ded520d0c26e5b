// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "vmalock/sink.h"

/* "x_[k]", "x_[j]": flame graph tools choose a colour by it. */
static bool has_suffix(const char *s, size_t len)
{
	return len >= 4 && s[len - 4] == '_' && s[len - 3] == '[' && s[len - 1] == ']';
}

static void put(FILE *out, const char *s)
{
	size_t len = strlen(s);
	bool suffix;

	if (!len)
		len = strlen(s = "[unknown]");
	suffix = has_suffix(s, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (suffix && i == len - 3)
			c = '(';
		else if (suffix && i == len - 1)
			c = ')';
		else if (c == ';')
			c = ':';
		else if (c == ' ')
			c = '_';
		else if (c < 0x20 || c == 0x7f)
			c = '?';
		putc(c, out);
	}
}

int vml_folded_write(FILE *out, const char *comm, const struct vml_frame *user, size_t nuser,
		     const struct vml_frame *kernel, size_t nkernel, uint64_t value)
{
	char text[PATH_MAX + 32];

	put(out, comm);
	for (size_t i = nuser; i > 0; i--) {
		putc(';', out);
		put(out, vml_frame_text(&user[i - 1], text, sizeof(text)));
	}
	for (size_t i = nkernel; i > 0; i--) {
		putc(';', out);
		put(out, vml_frame_text(&kernel[i - 1], text, sizeof(text)));
		fputs("_[k]", out);
	}
	fprintf(out, " %" PRIu64 "\n", value);
	return ferror(out) ? -EIO : 0;
}

int vml_folded_stacks_write(FILE *out, const struct vml_snapshot *delta)
{
	int err = 0;

	for (size_t i = 0; i < delta->nstack && !err; i++) {
		const struct vml_stack *s = &delta->stack[i];

		err = vml_folded_write(out, s->comm, s->frame + s->nkernel, s->nframes - s->nkernel, s->frame,
				       s->nkernel, s->blamed_ns);
	}
	return err;
}
