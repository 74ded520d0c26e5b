/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_CONNECT_HTTP_H
#define VMALOCK_CONNECT_HTTP_H
/* GET over a local socket; the one place that knows libcurl. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;

struct http_answer {
	long status; /* 200, ... */
	const char *type; /* Content-Type; "" */
	const char *body; /* not ended by NUL; it and type live until the next http_get() */
	size_t size;
};

#define HTTP_BODY_MAX (1UL << 30)
#define HTTP_TIMEOUT_S 10

/* @stop: as of vml_connect_open(). -ELIBACC: there is no libcurl; -ENOMEM */
int http_new(const char *path, bool (*stop)(uint64_t waited_ns), struct http **ret);
/* NULL is fine. */
void http_free(struct http *h);
/*
 * The answer for @target, "/path?query".  -ENOENT, -ECONNREFUSED, -EACCES, ...: what connect() said;
 * -EAGAIN: too many wait there; -EPIPE: closed without an answer; -ETIMEDOUT; -EINTR: stop() said so; -EFBIG: more
 * than HTTP_BODY_MAX; -EBADMSG: what came is no HTTP; -ENOMEM
 */
int http_get(struct http *h, const char *target, struct http_answer *ret);

#endif
