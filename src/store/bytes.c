/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A recording without a file: what vmalockd answers with, and who asked it reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"

static int write_bytes(FILE *out, sqlite3 *h)
{
	sqlite3_int64 size;
	unsigned char *bytes = sqlite3_serialize(h, "main", &size, 0);
	int err = 0;

	if (!bytes)
		return -ENOMEM;
	if (fwrite(bytes, 1, (size_t)size, out) != (size_t)size)
		err = -ENOMEM;
	sqlite3_free(bytes);
	return err;
}

int vml_recording_write(FILE *out, const struct vml_snapshot *delta)
{
	const struct vml_store_options o = { .no_sync = true };
	struct vml_store *w = store_new(DB_MEMORY, &o);
	int err = w ? db_open(DB_MEMORY, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &w->h) : -ENOMEM;

	if (!err)
		err = store_fill(w);
	if (!err)
		err = vml_store_append(w, delta);
	if (!err)
		err = write_bytes(out, w->h);
	vml_store_close(w);
	return err;
}

int db_set_bytes(sqlite3 *h, const void *bytes, size_t n)
{
	unsigned char *copy = sqlite3_malloc64(n ? n : 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, n);
	/* the copy is SQLite's from here on, also when it fails */
	return db_errno(h, sqlite3_deserialize(h, "main", copy, (sqlite3_int64)n, (sqlite3_int64)n,
					       SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY));
}
