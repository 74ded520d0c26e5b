// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * answering SOCKET FILE [TYPE]: answers, at SOCKET, for the recording of vmalockd with what
 * is in FILE, as the Content-Type TYPE.  Prints "ready"; until SIGTERM.
 */
#include <stdio.h>
#include <unistd.h>

#include "vmalock/connect.h"
#include "vmalock/web.h"

static const char *file, *type = "application/vnd.sqlite3; snapshot=1; interval_ns=1000000000";

static int render(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	FILE *f = fopen(file, "r");
	int c;

	(void)context, (void)rq;
	if (!f)
		return -EAGAIN;
	while ((c = getc(f)) != EOF)
		putc(c, a->body);
	fclose(f);
	snprintf(a->content_type, sizeof(a->content_type), "%s", type);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct vml_web_page page = { .path = VML_RECORDING_PATH,
						  .render = render,
						  .where = VML_WEB_LOCAL };
	const struct vml_web_options o = { .pages = &page, .npages = 1 };
	char error[VML_WEB_ERROR_MAX] = "usage: answering SOCKET FILE [TYPE]";
	struct vml_web *web = NULL;
	int err = argc < 3 ? -EINVAL : vml_web_new(&o, &web, error);

	if (argc > 2)
		file = argv[2];
	if (argc > 3)
		type = argv[3];
	if (!err)
		err = vml_web_listen_local(web, argv[1], NULL, error);
	if (!err)
		err = vml_web_start(web, error);
	if (err) {
		fprintf(stderr, "answering: %s\n", error);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
