// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A server with pages that say what was asked; for the tests of src/web.
 *
 *	web_server [-c CONFIG] [-l ADDRESS]... [-u PATH] [-g GROUP] [-s]
 *
 * The slow page waits as long as there is a file named by $WEB_HOLD.
 *
 * Prints "listening WHERE tcp|local tls|plain" for each listener, then "ready".  What
 * the server says goes to stderr with its priority.  Ends with status 0 on SIGTERM; reads the
 * configuration again on SIGHUP.  Exit status 1 with the error on stderr when it cannot start.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/web.h"

static struct vml_web *web;

static int hello(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	(void)rq;
	snprintf(answer->content_type, sizeof(answer->content_type), "text/plain; version=0.0.4");
	fprintf(answer->body, "%s\n", (char *)context);
	return 0;
}

static int echo(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	const char *q = vml_web_query(rq, "q");

	(void)context;
	fprintf(answer->body, "accept=%s\nq=%s\n", vml_web_accept(rq), q ? q : "(none)");
	return 0;
}

static int large(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	const char *bytes = vml_web_query(rq, "bytes");

	(void)context;
	for (long n = bytes ? atol(bytes) : 0; n > 0; n -= 64)
		fprintf(answer->body, "%063ld\n", n);
	return 0;
}

static int slow(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	const char *hold = getenv("WEB_HOLD");

	(void)context, (void)rq;
	fputs("slow begins\n", stderr);
	while (hold && !access(hold, F_OK))
		usleep(20000);
	fputs("slow\n", answer->body);
	return 0;
}

static int fail(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	const char *status = vml_web_query(rq, "status");

	(void)context;
	fputs("half of a page", answer->body);
	if (!status)
		return -EIO;
	answer->status = (unsigned int)atoi(status);
	return 0;
}

static void count(void *context, const char *handler, unsigned int code, uint64_t n)
{
	fprintf(context, "requests %s %u %lu\n", handler, code, n);
}

static int counters(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer)
{
	(void)context, (void)rq;
	vml_web_requests(web, count, answer->body);
	for (int i = 0; i < VML_WEB_REJECTED_COUNT; i++)
		fprintf(answer->body, "rejected %s %lu\n", vml_web_rejected_name(i), vml_web_rejected_count(web, i));
	fprintf(answer->body, "config_ok %d\nauthenticates %d\n", vml_web_config_ok(web), vml_web_authenticates(web));
	return 0;
}

static const struct vml_web_page pages[] = {
	{ "/", hello, "hello", VML_WEB_TCP | VML_WEB_LOCAL, false },
	{ "/echo", echo, NULL, VML_WEB_TCP | VML_WEB_LOCAL, false },
	{ "/large", large, NULL, VML_WEB_TCP | VML_WEB_LOCAL, false },
	{ "/slow", slow, NULL, VML_WEB_TCP | VML_WEB_LOCAL, true },
	{ "/fail", fail, NULL, VML_WEB_TCP, false },
	{ "/api", hello, "api", VML_WEB_LOCAL | VML_WEB_TCP_AUTHENTICATED, false },
	{ "/local", hello, "local", VML_WEB_LOCAL, false },
	{ "/counters", counters, NULL, VML_WEB_LOCAL, false },
};

static void say(void *context, int priority, const char *message)
{
	(void)context;
	fprintf(stderr, "<%d>%s\n", priority, message);
}

static int failed(const char *error)
{
	fprintf(stderr, "%s\n", error);
	vml_web_free(web);
	return 1;
}

static void print_listeners(void)
{
	char where[128];
	bool local, tls;

	for (size_t i = 0; !vml_web_listener(web, i, where, sizeof(where), &local, &tls); i++)
		printf("listening %s %s %s\n", where, local ? "local" : "tcp", tls ? "tls" : "plain");
	puts("ready");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct vml_web_options o = { .pages = pages, .npages = VML_ARRAY_SIZE(pages), .log = say };
	const char *tcp[32], *local = NULL, *group = NULL;
	char error[VML_WEB_ERROR_MAX];
	unsigned int n[2];
	size_t ntcp = 0;
	bool handed = false;
	sigset_t signals;
	int opt, sig;

	while ((opt = getopt(argc, argv, "c:l:u:g:s")) != -1) {
		switch (opt) {
		case 'c':
			o.config_file = optarg;
			break;
		case 'l':
			tcp[ntcp++ % 32] = optarg;
			break;
		case 'u':
			local = optarg;
			break;
		case 'g':
			group = optarg;
			break;
		case 's':
			handed = true;
			break;
		default:
			return 2;
		}
	}
	/* before there are threads, so that only sigwait() takes them */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (vml_web_new(&o, &web, error))
		return failed(error);
	for (size_t i = 0; i < ntcp; i++) {
		if (vml_web_listen_tcp(web, tcp[i], error))
			return failed(error);
	}
	if ((local && vml_web_listen_local(web, local, group, error)) ||
	    (handed && vml_web_listen_systemd(web, group, &n[0], &n[1], error)) || vml_web_start(web, error))
		return failed(error);
	print_listeners();
	while (!sigwait(&signals, &sig) && sig == SIGHUP)
		vml_web_reload(web);
	fputs("stops\n", stderr);
	vml_web_free(web);
	return 0;
}
