// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <zlib.h>

#include "web/web.h"

#define GZIP_MIN 1024 /* below, the time is worth more than the bytes */

/* ---- rendering */

static int compress_body(struct vml_web_request *rq)
{
	z_stream z = { .next_in = (unsigned char *)rq->body, .avail_in = (unsigned int)rq->size };
	unsigned char *out;
	size_t bound;

	/* 16: a gzip header */
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, rq->size);
	out = malloc(bound);
	if (out) {
		z.next_out = out;
		z.avail_out = (unsigned int)bound;
		deflate(&z, Z_FINISH);
		free(rq->body);
		rq->body = (char *)out;
		rq->size = z.total_out;
	}
	deflateEnd(&z);
	return out ? 0 : -ENOMEM;
}

void web_render(struct vml_web_request *rq)
{
	struct vml_web_answer *answer = &rq->answer;

	answer->status = 200;
	answer->body = open_memstream(&rq->body, &rq->size);
	if (!answer->body) {
		rq->error = -ENOMEM;
		return;
	}
	rq->error = rq->page->render(rq->page->context, rq, answer);
	if (vml_text_close(answer->body, &rq->body) && !rq->error)
		rq->error = -ENOMEM;
	answer->body = NULL;
	if (!rq->error && rq->size > UINT32_MAX / 2)
		rq->error = -EFBIG;
	rq->gzip = rq->gzip && !rq->error && rq->size >= GZIP_MIN;
	if (rq->gzip)
		rq->error = compress_body(rq);
	if (rq->error)
		web_log(rq->connection->web, LOG_ERR, "%s could not be rendered: %s", rq->page->path,
			strerror(-rq->error));
}

/* ---- headers */

static bool add_headers(struct vml_web_request *rq, struct MHD_Response *r, const char *type)
{
	const struct web_list *headers = &rq->config->settings->headers;
	bool ok = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;

	for (size_t i = 0; ok && !rq->connection->local && i < headers->n; i++)
		ok = MHD_add_response_header(r, headers->v[i].name, headers->v[i].value) == MHD_YES;
	if (ok && rq->close)
		ok = MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
	return ok;
}

static enum MHD_Result queue(struct vml_web_request *rq, unsigned int status, struct MHD_Response *r, bool ok)
{
	enum MHD_Result done = ok ? MHD_queue_response(rq->mhd, status, r) : MHD_NO;

	MHD_destroy_response(r);
	if (done == MHD_YES) {
		web_count_request(rq->connection->web, rq->page, status);
		web_connection_state(rq->connection, WEB_ANSWER);
	}
	return done;
}

enum MHD_Result web_answer_text(struct vml_web_request *rq, unsigned int status, const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	bool ok;

	if (!r)
		return MHD_NO;
	ok = add_headers(rq, r, "text/plain; charset=utf-8");
	if (status == MHD_HTTP_UNAUTHORIZED)
		ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic") == MHD_YES;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS)
		ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_YES;
	return queue(rq, status, r, ok);
}

enum MHD_Result web_answer_page(struct vml_web_request *rq)
{
	struct vml_web *web = rq->connection->web;
	struct MHD_Response *r;
	bool ok;

	if (rq->error == -ENOMEM || rq->error == -EAGAIN || rq->error == -EBUSY)
		return web_answer_text(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable\n");
	if (rq->error)
		return web_answer_text(rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "Internal Server Error\n");
	if (!web_answer_fits(rq->connection, rq->size)) {
		web_count_rejected(web, VML_WEB_REJECTED_BUSY);
		return web_answer_text(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable\n");
	}
	rq->charged = rq->size;
	r = MHD_create_response_from_buffer(rq->size, rq->body, MHD_RESPMEM_MUST_FREE);
	if (!r)
		return MHD_NO;
	rq->body = NULL; /* libmicrohttpd's now */
	ok = add_headers(rq, r, rq->answer.content_type[0] ? rq->answer.content_type : "text/plain; charset=utf-8") &&
	     MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding") == MHD_YES;
	if (rq->gzip)
		ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip") == MHD_YES;
	return queue(rq, rq->answer.status, r, ok);
}
