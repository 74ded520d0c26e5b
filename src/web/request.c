// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "web/web.h"

/* ---- what a page may ask */

const char *vml_web_accept(const struct vml_web_request *rq)
{
	return rq->accept ? rq->accept : "";
}

const char *vml_web_query(const struct vml_web_request *rq, const char *key)
{
	const char *value = NULL;
	size_t n = 0;

	if (MHD_lookup_connection_value_n(rq->mhd, MHD_GET_ARGUMENT_KIND, key, strlen(key), &value, &n) != MHD_YES)
		return NULL;
	return value ? value : "";
}

uint64_t vml_web_client(const struct vml_web_request *rq)
{
	const struct web_address *a = rq->connection->address;
	uint64_t hash = vml_hash(VML_HASH_NOTHING, a->key, sizeof(a->key));

	return hash ? hash : 1;
}

/* ---- begin and end */

/* Its result is the request's pointer; NULL when out of memory. */
void *web_request_begin(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	struct web_connection *c = web_connection_of(mhd);
	struct vml_web_request *rq = calloc(1, sizeof(*rq));

	if (!rq)
		return NULL;
	/* libmicrohttpd's decoded URL would end there */
	rq->malformed = strstr(uri, "%00");
	rq->connection = c;
	rq->mhd = mhd;
	rq->config = web_config_get(arg);
	web_connection_state(c, WEB_HEAD);
	return rq;
}

void web_request_end(void *arg, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode why)
{
	struct vml_web_request *rq = *request;

	(void)arg, (void)mhd, (void)why;
	if (!rq)
		return;
	*request = NULL;
	if (rq->charged)
		web_answer_taken(rq->connection, rq->charged);
	web_connection_state(rq->connection, WEB_IDLE);
	web_credentials_clear(&rq->credentials);
	web_config_unref(rq->config);
	free(rq->accept);
	free(rq->body);
	free(rq);
}

/* ---- headers */

struct headers {
	struct vml_web_request *rq;
	unsigned int lengths, hosts;
	bool body, gzip, nul, failed;
};

static int join(char **list, const char *value)
{
	char *joined;

	if (!*list) {
		*list = strdup(value);
		return *list ? 0 : -ENOMEM;
	}
	if (asprintf(&joined, "%s, %s", *list, value) < 0)
		return -ENOMEM;
	free(*list);
	*list = joined;
	return 0;
}

/* "gzip" or "*" among the codings, with a weight that is not 0 */
static bool takes_gzip(const char *codings)
{
	while (*codings) {
		size_t len, name;
		const char *q;

		codings += strspn(codings, " \t");
		len = strcspn(codings, ",");
		name = strcspn(codings, ",; \t");
		q = memmem(codings, len, "q=", 2);
		if (((name == 4 && !strncasecmp(codings, "gzip", 4)) || (name == 1 && *codings == '*')) &&
		    (!q || strtod(q + 2, NULL) > 0))
			return true;
		codings += len + (codings[len] == ',');
	}
	return false;
}

static enum MHD_Result each_header(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size,
				   const char *value, size_t value_size)
{
	struct headers *h = arg;

	(void)kind;
	if (!value)
		value = "";
	if (strlen(key) != key_size || strlen(value) != value_size)
		h->nul = true;
	if (!strcasecmp(key, MHD_HTTP_HEADER_ACCEPT))
		h->failed |= join(&h->rq->accept, value) != 0;
	else if (!strcasecmp(key, MHD_HTTP_HEADER_ACCEPT_ENCODING))
		h->gzip |= takes_gzip(value);
	else if (!strcasecmp(key, MHD_HTTP_HEADER_HOST))
		h->hosts++;
	else if (!strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		h->body = true;
	else if (!strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
		h->lengths++;
		h->body |= strspn(value, "0") != strlen(value);
	}
	return MHD_YES;
}

static enum MHD_Result each_argument(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size,
				     const char *value, size_t value_size)
{
	struct headers *h = arg;

	(void)kind;
	if (strlen(key) != key_size || (value && strlen(value) != value_size))
		h->nul = true;
	return MHD_YES;
}

/* ---- gates: each lets a request through or ends it */

enum gate {
	PASS,
	DONE, /* an answer is queued, or a worker has it */
	CLOSE, /* without an answer */
};

static enum gate answered(enum MHD_Result queued)
{
	return queued == MHD_YES ? DONE : CLOSE;
}

static enum gate refuse(struct vml_web_request *rq, enum vml_web_rejected cause, unsigned int status, const char *text)
{
	web_count_rejected(rq->connection->web, cause);
	return answered(web_answer_text(rq, status, text));
}

/*
 * libmicrohttpd reads leniently: a body is refused and the connection closed, so
 * that no byte of one is ever taken for the next request.
 */
static enum gate well_formed(struct vml_web_request *rq, const char *url, const char *version)
{
	struct headers h = { .rq = rq };
	bool hosts;

	MHD_get_connection_values_n(rq->mhd, MHD_HEADER_KIND, each_header, &h);
	MHD_get_connection_values_n(rq->mhd, MHD_GET_ARGUMENT_KIND, each_argument, &h);
	rq->gzip = h.gzip;
	if (h.failed)
		return CLOSE;
	hosts = strcmp(version, MHD_HTTP_VERSION_1_0) ? h.hosts == 1 : h.hosts <= 1;
	rq->close = true;
	if (rq->malformed || h.nul || !hosts || h.lengths > 1 || *url != '/')
		return refuse(rq, VML_WEB_REJECTED_MALFORMED, MHD_HTTP_BAD_REQUEST, "Bad Request\n");
	if (h.body)
		return refuse(rq, VML_WEB_REJECTED_MALFORMED, MHD_HTTP_CONTENT_TOO_LARGE,
			      "Content Too Large: no request body is read\n");
	rq->close = false;
	return PASS;
}

/* The toolkit's rate.Limiter: one for all clients, full at the beginning. */
static enum gate within_rate(struct vml_web_request *rq)
{
	const struct web_settings *s = rq->config->settings;
	struct vml_web *web = rq->connection->web;
	uint64_t now = vml_now_mono();
	bool ok;

	if (!s->rate_per_s)
		return PASS;
	pthread_mutex_lock(&web->lock);
	if (now > web->tokens_ns)
		web->tokens += (double)(now - web->tokens_ns) / 1e9 * s->rate_per_s;
	web->tokens_ns = now;
	if (web->tokens > s->burst)
		web->tokens = s->burst;
	ok = web->tokens >= 1;
	web->tokens -= ok;
	pthread_mutex_unlock(&web->lock);
	return ok ? PASS : refuse(rq, VML_WEB_REJECTED_RATE, MHD_HTTP_TOO_MANY_REQUESTS, "Too Many Requests\n");
}

static enum gate certified(struct vml_web_request *rq)
{
	struct web_connection *c = rq->connection;
	const union MHD_ConnectionInfo *info;
	const char *why = "the TLS session is unknown";
	char text[128];

	if (!c->tls || c->certified)
		return PASS;
	info = MHD_get_connection_info(rq->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	c->certified = info && info->tls_session && !web_tls_client(info->tls_session, c->config, &why);
	if (c->certified)
		return PASS;
	rq->close = true;
	snprintf(text, sizeof(text), "Forbidden: %s\n", why);
	return refuse(rq, VML_WEB_REJECTED_CERTIFICATE, MHD_HTTP_FORBIDDEN, text);
}

/* Wrong passwords that are remembered, and those just checked, end here alike. */
static enum gate password(struct vml_web_request *rq)
{
	struct vml_web *web = rq->connection->web;
	int right = rq->stage == WEB_CHECKED ? rq->password_right : 0;

	if (!rq->config->settings->users.n)
		return PASS;
	if (rq->stage == WEB_WHOLE) {
		struct web_credentials *c = &rq->credentials;

		c->user = MHD_basic_auth_get_username_password(rq->mhd, &c->password);
		if (c->user && c->password)
			right = web_password_known(&web->passwords, rq->config->settings, c);
	}
	if (right == -EAGAIN) {
		rq->stage = WEB_CHECKING;
		web_worker_push(&web->check, rq);
		return DONE;
	}
	if (right < 0)
		return CLOSE;
	return right ? PASS : refuse(rq, VML_WEB_REJECTED_AUTHENTICATION, MHD_HTTP_UNAUTHORIZED, "Unauthorized\n");
}

static enum gate method_is_known(struct vml_web_request *rq, const char *method)
{
	if (!strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD))
		return PASS;
	return refuse(rq, VML_WEB_REJECTED_METHOD, MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed\n");
}

/* ---- pages */

static unsigned int places(const struct vml_web_request *rq)
{
	return rq->connection->local ? VML_WEB_LOCAL : VML_WEB_TCP | VML_WEB_TCP_AUTHENTICATED;
}

static const struct vml_web_page *find_page(const struct vml_web_request *rq, const char *url)
{
	const struct vml_web *web = rq->connection->web;

	for (size_t i = 0; i < web->npages; i++) {
		if (!strcmp(web->pages[i].path, url) && (web->pages[i].where & places(rq)))
			return &web->pages[i];
	}
	return NULL;
}

static enum gate page_is_served(struct vml_web_request *rq)
{
	if (!rq->page)
		return answered(web_answer_text(rq, MHD_HTTP_NOT_FOUND, "Not Found\n"));
	if ((rq->page->where & places(rq)) != VML_WEB_TCP_AUTHENTICATED || web_config_authenticates(rq->config))
		return PASS;
	return refuse(rq, VML_WEB_REJECTED_AUTHENTICATION, MHD_HTTP_FORBIDDEN,
		      "Forbidden: served over TCP only with authentication\n");
}

static enum gate render(struct vml_web_request *rq)
{
	if (rq->page->slow) {
		rq->stage = WEB_RENDERING;
		web_worker_push(&rq->connection->web->slow, rq);
		return DONE;
	}
	web_render(rq);
	return answered(web_answer_page(rq));
}

static enum gate begin(struct vml_web_request *rq, const char *url, const char *version)
{
	struct web_connection *c = rq->connection;

	/* what was agreed on under another configuration holds no longer */
	if (!c->local && c->config != rq->config && (c->tls || rq->config->credentials))
		return CLOSE;
	web_connection_state(c, WEB_WORK);
	rq->page = find_page(rq, url);
	rq->stage = WEB_WHOLE;
	return well_formed(rq, url, version);
}

static enum gate may_ask(struct vml_web_request *rq)
{
	enum gate g = PASS;

	if (rq->connection->local)
		return PASS;
	if (rq->stage == WEB_WHOLE)
		g = within_rate(rq);
	if (g == PASS)
		g = certified(rq);
	return g == PASS ? password(rq) : g;
}

static enum gate serve(struct vml_web_request *rq, const char *method)
{
	enum gate g = may_ask(rq);

	if (g == PASS)
		g = method_is_known(rq, method);
	if (g == PASS)
		g = page_is_served(rq);
	return g == PASS ? render(rq) : g;
}

void web_request_check(struct vml_web_request *rq)
{
	rq->password_right = web_password_check(&rq->connection->web->passwords, &rq->credentials);
	rq->stage = WEB_CHECKED;
}

void web_request_render(struct vml_web_request *rq)
{
	web_render(rq);
	rq->stage = WEB_RENDERED;
}

/*
 * Called for the headers, for the whole request, and once more each time that a
 * worker had it.  What is answered in the first call ends the connection.
 */
enum MHD_Result web_request_handle(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
				   const char *version, const char *upload, size_t *upload_size, void **request)
{
	struct vml_web *web = arg;
	struct vml_web_request *rq = *request;
	enum gate g = CLOSE;

	(void)mhd, (void)upload, (void)upload_size;
	if (!rq || atomic_load(&web->stop))
		return MHD_NO;
	switch (rq->stage) {
	case WEB_BEGUN:
		g = begin(rq, url, version);
		break;
	case WEB_WHOLE:
	case WEB_CHECKED:
		g = serve(rq, method);
		break;
	case WEB_RENDERED:
		g = answered(web_answer_page(rq));
		break;
	case WEB_CHECKING:
	case WEB_RENDERING:
		break; /* given back unserved */
	}
	return g == CLOSE ? MHD_NO : MHD_YES;
}
