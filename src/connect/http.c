// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * libcurl, when it is on this host.  It is not linked: with the 27 libraries that it
 * brings every start of vmalocktop would take 6 MB more, also of those that need none of it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http.h"
#include "vmalock/base.h"

#if __has_include(<curl/curl.h>)
#include <curl/curl.h>

struct http {
	void *library;
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *getinfo;
	__typeof__(curl_easy_cleanup) *cleanup;
	CURL *curl;
	char *path; /* of the socket */
	char *body;
	size_t size, room;
	bool (*stop)(uint64_t waited_ns);
	uint64_t begun_ns; /* CLOCK_MONOTONIC of the request */
	int error; /* of taking the body */
};

static size_t take(char *data, size_t one, size_t n, void *arg)
{
	struct http *h = arg;
	size_t need = h->size + n, room = h->room ? h->room : 65536;
	char *more;

	(void)one; /* always 1 */
	if (need > HTTP_BODY_MAX) {
		h->error = -EFBIG;
		return 0;
	}
	while (room < need)
		room *= 2;
	if (room > h->room) {
		more = realloc(h->body, room);
		if (!more) {
			h->error = -ENOMEM;
			return 0;
		}
		h->body = more;
		h->room = room;
	}
	memcpy(h->body + h->size, data, n);
	h->size = need;
	return n;
}

/* Asked whenever something comes, after a signal, and once a second. */
static int stopped(void *arg, curl_off_t total, curl_off_t now, curl_off_t to_send, curl_off_t sent)
{
	const struct http *h = arg;

	(void)total, (void)now, (void)to_send, (void)sent;
	return h->stop && h->stop(vml_now_mono() - h->begun_ns);
}

/* Whichever TLS it was built with. */
static int load(struct http *h)
{
	static const char *const names[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(names) && !h->library; i++)
		h->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!h->library)
		return -ELIBACC;
	h->init = (__typeof__(h->init))dlsym(h->library, "curl_easy_init");
	h->setopt = (__typeof__(h->setopt))dlsym(h->library, "curl_easy_setopt");
	h->perform = (__typeof__(h->perform))dlsym(h->library, "curl_easy_perform");
	h->getinfo = (__typeof__(h->getinfo))dlsym(h->library, "curl_easy_getinfo");
	h->cleanup = (__typeof__(h->cleanup))dlsym(h->library, "curl_easy_cleanup");
	return h->init && h->setopt && h->perform && h->getinfo && h->cleanup ? 0 : -ELIBACC;
}

static int prepare(struct http *h, const char *path)
{
	CURLcode rc;

	h->path = strdup(path);
	h->curl = h->init();
	if (!h->curl || !h->path)
		return -ENOMEM;
	rc = h->setopt(h->curl, CURLOPT_UNIX_SOCKET_PATH, path);
	/* the proxies of the environment are for other hosts */
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_PROXY, "");
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_TIMEOUT, (long)HTTP_TIMEOUT_S);
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_WRITEFUNCTION, take);
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_WRITEDATA, h);
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_XFERINFOFUNCTION, stopped);
	rc = rc ? rc : h->setopt(h->curl, CURLOPT_XFERINFODATA, h);
	return rc == CURLE_OK ? 0 : rc == CURLE_OUT_OF_MEMORY ? -ENOMEM : -ELIBACC;
}

int http_new(const char *path, bool (*stop)(uint64_t waited_ns), struct http **ret)
{
	struct http *h = calloc(1, sizeof(*h));
	int err = h ? load(h) : -ENOMEM;

	if (h)
		h->stop = stop;
	if (!err)
		err = prepare(h, path);
	if (err)
		http_free(h);
	else
		*ret = h;
	return err;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->curl)
		h->cleanup(h->curl);
	if (h->library)
		dlclose(h->library);
	free(h->path);
	free(h->body);
	free(h);
}

/* curl does not always tell why; -EPIPE: it works, so it was closed behind it. */
static int connect_errno(const struct http *h)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, err = -EPIPE;

	if (strlen(h->path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, h->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int error_of(const struct http *h, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return connect_errno(h);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return -EPIPE;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_ABORTED_BY_CALLBACK:
		return -EINTR;
	case CURLE_WRITE_ERROR:
		return h->error;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

int http_get(struct http *h, const char *target, struct http_answer *ret)
{
	struct http_answer a = { .type = "" };
	char *url, *type = NULL;
	int err;

	if (asprintf(&url, "http://vmalockd%s", target) < 0)
		return -ENOMEM;
	h->size = 0;
	h->begun_ns = vml_now_mono();
	h->error = -ENOMEM;
	err = h->setopt(h->curl, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
	free(url);
	if (!err)
		err = error_of(h, h->perform(h->curl));
	if (err)
		return err;
	h->getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a.status);
	h->getinfo(h->curl, CURLINFO_CONTENT_TYPE, &type);
	if (type)
		a.type = type;
	a.body = h->body;
	a.size = h->size;
	*ret = a;
	return 0;
}

#else /* without its header */

int http_new(const char *path, bool (*stop)(uint64_t waited_ns), struct http **ret)
{
	(void)path, (void)stop, (void)ret;
	return -ELIBACC;
}

void http_free(struct http *h)
{
	(void)h;
}

int http_get(struct http *h, const char *target, struct http_answer *ret)
{
	(void)h, (void)target, (void)ret;
	return -ELIBACC;
}
#endif
