// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* replayed FILE: each interval of a recording as the line of JSON that was printed when it was written. */
#include <stdio.h>
#include <string.h>

#include "vmalock/sink.h"
#include "vmalock/store.h"

int main(int argc, char **argv)
{
	const struct vml_view view = { .limit = UINT32_MAX };
	char error[VML_ERROR_MAX] = "";
	struct vml_snapshot *delta;
	struct vml_reader *r;
	size_t i, n;
	int err;

	if (argc != 2)
		return 2;
	if (vml_reader_open(argv[1], &r, error)) {
		fprintf(stderr, "replayed: %s\n", error);
		return 1;
	}
	vml_reader_intervals(r, &n);
	for (i = 0, err = 0; i < n && !err; i++) {
		err = vml_reader_delta(r, i, &delta);
		if (err)
			break;
		err = vml_json_write(stdout, delta, &view);
		vml_snapshot_free(delta);
	}
	if (err)
		fprintf(stderr, "replayed: %s: %s\n", strerror(-err), vml_reader_error(r));
	vml_reader_close(r);
	return err ? 1 : 0;
}
