// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recording.h"
#include "vmalock/base.h"

#define NAMES_MAX 100 /* in one second */

char *vml_recording_base(bool with_host)
{
	char host[256] = "", *c, *ret;

	if (!with_host || gethostname(host, sizeof(host) - 1))
		return strdup("vmalock");
	for (c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
	return asprintf(&ret, "vmalock-%s", host) < 0 ? NULL : ret;
}

char *vml_recording_path(const char *base, unsigned int n)
{
	char stamp[32], number[16] = "", *ret;
	time_t now = (time_t)(vml_now_real() / 1000000000);
	size_t len = strlen(base);
	struct tm tm;

	if (len > 4 && !strcmp(base + len - 4, ".vml"))
		len -= 4;
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	if (n)
		snprintf(number, sizeof(number), "-%u", n + 1);
	return asprintf(&ret, "%.*s-%s%s.vml", (int)len, base, stamp, number) < 0 ? NULL : ret;
}

int vml_recording_create_free(const char *base, const struct vml_store_options *o, char **ret_path,
			      struct vml_store **ret, char error[VML_ERROR_MAX])
{
	char *path = NULL;
	unsigned int n;
	int err = -EEXIST;

	for (n = 0; err == -EEXIST && n < NAMES_MAX; n++) {
		free(path);
		path = vml_recording_path(base, n);
		snprintf(error, VML_ERROR_MAX, "cannot record to %s: %s", base, strerror(ENOMEM));
		err = path ? vml_recording_create(path, o, ret, error) : -ENOMEM;
	}
	if (err)
		free(path);
	else
		*ret_path = path;
	return err;
}

int vml_recording_end(struct vml_store *s, const char *path)
{
	int err = vml_store_close(s), fd = err ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (!err && (fd < 0 || fsync(fd)))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}
