/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * usage: exposition --doc | --text | --protobuf
 *
 * Writes docs/metrics.md, or what the invented host of tests/fixtures comes to
 * after ten seconds, with all that the daemon could add.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/export.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

static int add_daemon(struct vml_export *e)
{
	static const struct vml_daemon_item item[] = { { { "one", "200" }, 1 }, { { "two", "404" }, 2.5 } };
	struct vml_daemon d;

	vml_daemon_init(&d);
	for (int i = 0; i < VML_DAEMON_NVALUES; i++)
		d.value[i] = i;
	for (int i = 0; i < VML_DAEMON_NLISTS; i++) {
		d.list[i].item = item;
		d.list[i].n = VML_ARRAY_SIZE(item);
	}
	d.version = VML_VERSION;
	d.revision = "abcdef";
	d.libbpf = "1.1";
	return vml_export_daemon(e, &d);
}

static int add_interval(struct vml_export *e, struct vml_source *source, struct vml_snapshot **prev)
{
	struct vml_snapshot *cur, *delta;
	int err = vml_source_next(source, &cur);

	if (err)
		return err;
	/* what the fixture does not have */
	cur->kernel = (struct vml_kernel_counts){ true, 10, 20, 30, 40 };
	cur->host.max_mappings = 65530;
	for (size_t i = 0; i < cur->rows[VML_PROCESS].n; i++)
		cur->rows[VML_PROCESS].row[i].mappings = 100 + i;
	err = vml_delta(*prev, cur, &delta);
	if (!err)
		err = vml_export_add(e, delta);
	vml_snapshot_free(delta);
	vml_snapshot_free(*prev);
	*prev = cur;
	return err;
}

static int write_exposition(enum vml_export_format f)
{
	const struct vml_live_options live = { .backend = "fentry", .detail = "exact" };
	const struct vml_export_options options = { .comm = getenv("COMM") };
	char error[VML_ERROR_MAX], *data = NULL;
	struct vml_snapshot *prev = vml_snapshot_new();
	struct vml_export *e = NULL;
	struct vml_source *source;
	size_t n = 0;
	int err = vml_live_open(&live, &source, error);

	if (!prev || err)
		return err ? err : -ENOMEM;
	err = vml_export_new(&options, &e);
	for (int i = 0; i < 10 && !err; i++)
		err = add_interval(e, source, &prev);
	if (!err)
		err = add_daemon(e);
	if (!err)
		err = vml_export_write(e, f, 0, &data, &n);
	if (!err && fwrite(data, 1, n, stdout) != n)
		err = -EIO;
	free(data);
	vml_snapshot_free(prev);
	vml_export_free(e);
	vml_source_close(source);
	return err;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	int err = -EINVAL;

	if (!strcmp(what, "--doc"))
		err = vml_export_doc_write(stdout);
	else if (!strcmp(what, "--text"))
		err = write_exposition(VML_EXPORT_TEXT);
	else if (!strcmp(what, "--protobuf"))
		err = write_exposition(VML_EXPORT_PROTOBUF);
	if (err)
		fprintf(stderr, "exposition: %s\n", strerror(-err));
	return err ? 1 : 0;
}
