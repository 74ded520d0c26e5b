// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What HTTP serves.  Called by the threads of the server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/connect.h"
#include "vmalock/sink.h"
#include "daemon.h"

static void set_type(struct vml_web_answer *a, const char *type)
{
	snprintf(a->content_type, sizeof(a->content_type), "%s", type);
}

static int render_metrics(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	enum vml_export_format f = vml_export_negotiate(vml_web_accept(rq));
	struct daemon *d = context;
	char *text;
	size_t n;
	int err;

	err = vml_export_write(d->exporter, f, vml_web_client(rq), &text, &n);
	if (err)
		return err;
	set_type(a, vml_export_content_type(f));
	if (fwrite(text, 1, n, a->body) != n)
		err = -ENOMEM;
	free(text);
	return err;
}

static int render_healthy(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	(void)context;
	(void)rq;
	fputs("vmalockd is healthy.\n", a->body);
	return 0;
}

static int render_ready(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	const struct daemon *d = context;

	(void)rq;
	if (d->up) {
		fputs("vmalockd is ready.\n", a->body);
	} else {
		a->status = 503;
		fputs("vmalockd is not ready: the last snapshot failed.\n", a->body);
	}
	return 0;
}

static int render_landing(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	const struct daemon *d = context;

	(void)rq;
	set_type(a, "text/html; charset=utf-8");
	fprintf(a->body,
		"<!DOCTYPE html>\n"
		"<html lang=\"en\"><head><title>vmalockd</title></head><body>\n"
		"<h1>vmalockd " VML_VERSION "</h1>\n"
		"<p>Page faults of this host, and who holds up whom.</p>\n"
		"<ul>\n"
		"<li><a href=\"%s\">Metrics</a></li>\n"
		"<li><a href=\"/-/healthy\">Healthy</a></li>\n"
		"<li><a href=\"/-/ready\">Ready</a></li>\n"
		"</ul>\n"
		"</body></html>\n",
		d->o->metrics_path);
	return 0;
}

static int render_api(struct daemon *d, enum latest_what what, struct vml_web_answer *a)
{
	const struct vml_view view = { .scope = VML_PROCESS, .limit = UINT32_MAX };
	struct vml_snapshot *delta;
	int err = latest_delta(d->latest, what, &delta);

	if (err)
		return err;
	set_type(a, "application/json");
	err = vml_json_write(a->body, delta, &view);
	vml_snapshot_free(delta);
	return err;
}

static int render_snapshot(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	(void)rq;
	return render_api(context, LATEST_ALL, a);
}

static int render_delta(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	(void)rq;
	return render_api(context, LATEST_INTERVAL, a);
}

/* ---- for vmalocktop --connect */

struct recording {
	const struct daemon *d;
	struct vml_web_answer *answer;
};

static int write_recording(void *context, const struct vml_snapshot *s, uint64_t number)
{
	const struct recording *r = context;

	snprintf(r->answer->content_type, sizeof(r->answer->content_type), VML_RECORDING_TYPE, number,
		 r->d->o->interval_ns);
	return vml_recording_write(r->answer->body, s);
}

static void refuse(struct vml_web_answer *a, unsigned int status, const char *why)
{
	a->status = status;
	fputs(why, a->body);
}

static int render_recording(void *context, const struct vml_web_request *rq, struct vml_web_answer *a)
{
	struct daemon *d = context;
	struct recording r = { d, a };
	const char *after = vml_web_query(rq, "after");
	uint64_t after_ns = 0;
	int err;

	if (after && vml_parse_u64(after, &after_ns)) {
		refuse(a, 400, "after: nanoseconds of CLOCK_BOOTTIME\n");
		return 0;
	}
	if (!d->up) {
		refuse(a, 503, "the last snapshot failed\n");
		return 0;
	}
	err = latest_use(d->latest, after_ns, write_recording, &r);
	if (err == -ENODATA) {
		a->status = 204;
		err = 0;
	}
	return err;
}

size_t pages_fill(struct daemon *d, struct vml_web_page page[PAGES_MAX])
{
	const unsigned int everywhere = VML_WEB_TCP | VML_WEB_LOCAL;
	const unsigned int api = VML_WEB_LOCAL | (d->o->enable_api ? VML_WEB_TCP_AUTHENTICATED : 0);
	const struct vml_web_page pages[] = {
		{ .path = d->o->metrics_path, .render = render_metrics, .where = everywhere },
		{ .path = "/-/healthy", .render = render_healthy, .where = everywhere },
		{ .path = "/-/ready", .render = render_ready, .where = everywhere },
		{ .path = "/", .render = render_landing, .where = everywhere },
		{ .path = "/api/v1/snapshot", .render = render_snapshot, .where = api, .slow = true },
		{ .path = "/api/v1/delta", .render = render_delta, .where = api, .slow = true },
		{ .path = VML_RECORDING_PATH, .render = render_recording, .where = api, .slow = true },
	};
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(pages); i++) {
		page[i] = pages[i];
		page[i].context = d;
	}
	return i;
}
