// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HTTP requests, as any bytes: the server of vmalockd, with its threads and its pages, at the other end of a pair of
 * sockets.  What it serves is what its rules say, and what it sends is HTTP.
 *
 *	byte 0		1: as over a local socket, else as over TCP; 2: passwords are asked for
 *	then		what the client sends
 *
 * Behind it comes a request that ends the connection, whatever there was before.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "fixtures/world.h"
#include "fuzz/input.h"
#include "web/web.h"

#define REQUESTS_ANSWER (4 << 20)
#define REQUESTS_SILENCE_MS 200 /* then the end is said in another way */
#define REQUESTS_STUCK_MS 10000

static const char requests_config[] =
	"http_server_config:\n"
	"  headers:\n"
	"    X-Frame-Options: deny\n"
	"basic_auth_users:\n"
	"  fuzz: $2y$04$vmalockvmalockvmalockutQ8rFFG/wJMHSNa12CRJE.TnFpjbf3u\n"; /* secret */
static const char requests_end[] = "\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n\r\n";

struct requests_source {
	struct vml_source source;
	struct world *world;
	struct vml_snapshot rest;
};

static struct {
	char folder[512];
	struct requests_source source;
	struct daemon daemon;
	struct daemon_options options;
	struct vml_web_page page[PAGES_MAX], checked[PAGES_MAX];
	struct vml_web *web[2]; /* with passwords: the second */
	char *answer;
} requests;

/* ---- what a page is asked for */

static bool requests_known(const struct vml_web_request *rq)
{
	const struct web_credentials *c = &rq->credentials;

	return c->user && c->password && !strcmp(c->user, "fuzz") && !strcmp(c->password, "secret");
}

/* In place of a page, then the page. */
static int requests_render(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	const struct vml_web_page *page = context;
	bool passwords = rq->config->settings->users.n;
	const char *after = vml_web_query(rq, "after");

	if (rq->connection->local)
		fuzz_must(page->where & VML_WEB_LOCAL);
	else if (passwords)
		fuzz_must(requests_known(rq));
	else
		fuzz_must(page->where & VML_WEB_TCP);
	fuzz_must(strlen(vml_web_accept(rq)) < VML_WEB_HEAD_BYTES && (!after || strlen(after) < VML_WEB_HEAD_BYTES));
	return page->render(page->context, rq, answer);
}

/* ---- the server */

static int requests_next_delta(struct vml_source *base, struct vml_snapshot **ret)
{
	struct requests_source *s = (struct requests_source *)base;
	struct vml_snapshot *before = world_snapshot(s->world), *now;
	int err;

	world_step(s->world, 1000000000);
	now = world_snapshot(s->world);
	err = before && now ? vml_delta(before, now, ret) : -ENOMEM;
	s->rest.boot_ns = err ? s->rest.boot_ns : now->boot_ns;
	vml_snapshot_free(before);
	vml_snapshot_free(now);
	return err;
}

static int requests_peek(struct vml_source *base, struct vml_snapshot **ret)
{
	*ret = world_snapshot(((struct requests_source *)base)->world);
	return *ret ? 0 : -ENOMEM;
}

static const struct vml_snapshot *requests_rest(const struct vml_source *base)
{
	return &((const struct requests_source *)base)->rest;
}

static const struct vml_source_ops requests_ops = {
	.next_delta = requests_next_delta,
	.peek = requests_peek,
	.rest = requests_rest,
};

/* A host that was seen for a second. */
static void requests_fill(struct daemon *d)
{
	const struct world_options wo = { .seed = 6, .processes = 2, .threads = 2, .busy = 80, .stacks = 4 };
	struct requests_source *s = &requests.source;
	struct vml_snapshot *delta = NULL;

	s->source.ops = &requests_ops;
	s->world = world_new(&wo);
	fuzz_must(s->world && !requests_peek(&s->source, &delta));
	s->rest.boot_ns = delta->boot_ns;
	vml_snapshot_free(delta);
	fuzz_must(!latest_new(&s->source, &d->latest) && !latest_next(d->latest, &delta));
	fuzz_must(!vml_export_new(&(struct vml_export_options){ .comm = true }, &d->exporter));
	fuzz_must(!vml_export_add(d->exporter, delta));
	d->up = true;
	vml_snapshot_free(delta);
}

static struct vml_web *requests_server(const char *name, const char *config)
{
	struct vml_web_options o = { .pages = requests.checked, .config_file = config };
	char error[VML_WEB_ERROR_MAX], path[600];
	struct vml_web *web = NULL;

	o.npages = pages_fill(&requests.daemon, requests.page);
	for (size_t i = 0; i < o.npages; i++) {
		requests.checked[i] = requests.page[i];
		requests.checked[i].render = requests_render;
		requests.checked[i].context = &requests.page[i];
	}
	snprintf(path, sizeof(path), "%s/%s", requests.folder, name);
	fuzz_must(!vml_web_new(&o, &web, error) && !vml_web_listen_local(web, path, NULL, error));
	fuzz_must(!vml_web_start(web, error));
	return web;
}

static void requests_stop(void)
{
	char path[600];

	vml_web_free(requests.web[0]);
	vml_web_free(requests.web[1]);
	vml_export_free(requests.daemon.exporter);
	latest_free(requests.daemon.latest);
	world_free(requests.source.world);
	free(requests.answer);
	snprintf(path, sizeof(path), "%s/web.yml", requests.folder);
	unlink(path);
	rmdir(requests.folder);
}

static void requests_start(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[600];
	FILE *f;

	snprintf(requests.folder, sizeof(requests.folder), "%.80s/fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	fuzz_must(mkdtemp(requests.folder) != NULL);
	snprintf(path, sizeof(path), "%s/web.yml", requests.folder);
	f = fopen(path, "w");
	fuzz_must(f && fputs(requests_config, f) >= 0 && !fclose(f));
	requests.options = (struct daemon_options){ .metrics_path = "/metrics", .enable_api = true };
	requests.options.interval_ns = 1000000000;
	requests.daemon.o = &requests.options;
	requests_fill(&requests.daemon);
	requests.web[0] = requests_server("plain.sock", NULL);
	requests.web[1] = requests_server("password.sock", path);
	requests.answer = malloc(REQUESTS_ANSWER + 1);
	fuzz_must(requests.answer != NULL);
	atexit(requests_stop);
}

/* ---- the client */

static void requests_send(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return; /* it has closed */
		at += sent;
		n -= (size_t)sent;
	}
}

/* Until the end; returns the bytes that came. */
static size_t requests_receive(int fd)
{
	int wait_ms = REQUESTS_SILENCE_MS;
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int ready = poll(&p, 1, wait_ms);
		ssize_t got;

		if (!ready) {
			fuzz_must(wait_ms == REQUESTS_SILENCE_MS);
			wait_ms = REQUESTS_STUCK_MS;
			shutdown(fd, SHUT_WR);
			continue;
		}
		got = recv(fd, requests.answer + n, REQUESTS_ANSWER - n, 0);
		if (got <= 0)
			return n;
		n += (size_t)got;
		fuzz_must(n < REQUESTS_ANSWER);
	}
}

/* A line without its end, which is CR LF; NULL: there is no more. */
static char *requests_line(char **at)
{
	char *line = *at, *end = strstr(line, "\r\n");

	if (!end)
		return NULL;
	fuzz_must_be_clean(line, (size_t)(end - line));
	*end = '\0';
	*at = end + 2;
	return line;
}

static bool requests_status(long status)
{
	static const int expected[] = { 100, 200, 204, 400, 401, 403, 404, 405, 413, 414, 417, 431, 501, 503, 505 };

	for (size_t i = 0; i < VML_ARRAY_SIZE(expected); i++)
		if (expected[i] == status)
			return true;
	return false;
}

/* Answers one behind the other; those to HEAD have no body. */
static void requests_answers(size_t n)
{
	char *at = requests.answer, *end = at + n, *line;

	*end = '\0';
	while (at < end) {
		size_t length = 0;
		bool typed = false;
		long status;

		line = requests_line(&at);
		fuzz_must(line && (!strncmp(line, "HTTP/1.1 ", 9) || !strncmp(line, "HTTP/1.0 ", 9)));
		status = strtol(line + 9, NULL, 10);
		fuzz_must(requests_status(status));
		while ((line = requests_line(&at)) && *line) {
			if (!strncasecmp(line, "Content-Length: ", 16))
				length = strtoul(line + 16, NULL, 10);
			typed |= !strncasecmp(line, "Content-Type: ", 14);
		}
		fuzz_must(line && (status != 200 || typed)); /* libmicrohttpd has none in its own */
		if (strncmp(at, "HTTP/1.", 7) != 0)
			at += length < (size_t)(end - at) ? length : (size_t)(end - at);
	}
}

/* Everybody has left, and nothing of an answer is counted as not taken. */
static void requests_empty(struct vml_web *web)
{
	const struct timespec some = { .tv_nsec = 50000 };
	uint64_t begin = vml_now_mono();
	unsigned int n;
	size_t bytes;

	do {
		pthread_mutex_lock(&web->lock);
		n = web->ntcp + web->nlocal;
		bytes = web->answer_bytes;
		pthread_mutex_unlock(&web->lock);
		if (n)
			nanosleep(&some, NULL);
		fuzz_must(vml_now_mono() - begin < REQUESTS_STUCK_MS * 1000000ULL);
	} while (n);
	fuzz_must(!bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vml_web *web;
	int fd[2];
	size_t n;

	if (!requests.answer)
		requests_start();
	if (!size)
		return 0;
	web = requests.web[data[0] >> 1 & 1];
	fuzz_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
	fuzz_must(!fcntl(fd[1], F_SETFL, O_NONBLOCK));
	web_connection_add(web, fd[1], data[0] & 1, (gid_t)-1);
	requests_send(fd[0], data + 1, size - 1);
	requests_send(fd[0], requests_end, sizeof(requests_end) - 1);
	n = requests_receive(fd[0]);
	close(fd[0]);
	requests_answers(n);
	requests_empty(web);
	return 0;
}
