/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_WEB_H
#define VMALOCK_WEB_H
/*
 * The HTTP server of vmalockd (src/web, libmicrohttpd).  It knows nothing of
 * metrics or snapshots: pages are a table of the caller.
 *
 *	vml_web_new(&options, &web, error);	  reads the configuration file
 *	vml_web_listen_tcp(web, "127.0.0.1:10862", error);
 *	vml_web_listen_local(web, "/run/vmalock/api.sock", "vmalock", error);
 *		...drop privileges here...
 *	vml_web_start(web, error);		  starts its threads, serves from here on
 *	vml_web_free(web);			  stops, closes, joins
 *
 * Binding is all that may need privileges.  Threads are made by start and by
 * nothing else, so they inherit what was dropped before it.
 *
 * Threads: one that accepts, keeps deadlines and re-reads the configuration; one that
 * serves, and one more that serves TLS; one that checks passwords; one that renders slow pages.
 *
 * Errors are negative errno; @error then has one line without newline that says
 * what failed, on what, why and what to do.  A ret_ output is untouched on failure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VML_WEB_ERROR_MAX 512

/* What holds for every listener. */
#define VML_WEB_IDLE_S 5 /* a connection without a whole request line */
#define VML_WEB_REQUEST_S 10 /* a request line without all its headers */
#define VML_WEB_STUCK_S 10 /* a connection on which nothing moves */
#define VML_WEB_ANSWER_S 60 /* an answer that is not taken */
#define VML_WEB_PER_ADDRESS 32 /* connections; an IPv6 address counts by its /64, a local peer by its uid */
#define VML_WEB_CONNECTIONS 512 /* TCP; more wait in the kernel's queue */
#define VML_WEB_CONNECTIONS_LOCAL 128
#define VML_WEB_HEAD_BYTES 32768 /* memory for request line and headers, as read and as parsed: 414, 431 */
#define VML_WEB_ANSWERS_BYTES (32u << 20) /* answers not yet taken, all clients; 503 */
#define VML_WEB_ANSWERS_PER_ADDRESS_BYTES \
	(8u << 20) /* of one address; one answer may be larger, small ones always go */

struct vml_web;

/* ---- pages */

/* A request; valid in the call that got it. */
struct vml_web_request;

/* The Accept header, several joined by ", "; "" when there is none. */
const char *vml_web_accept(const struct vml_web_request *rq);
/* A value of the query, decoded ("" for "?key" and "?key="); NULL when it is not there.  The first of several. */
const char *vml_web_query(const struct vml_web_request *rq, const char *key);
/* Tells clients apart, as VML_WEB_PER_ADDRESS does: a hash, the same whatever the port; never 0. */
uint64_t vml_web_client(const struct vml_web_request *rq);

/* What a page fills in. */
struct vml_web_answer {
	FILE *body; /* in memory; the page does not close it.  Compressed with gzip when the client takes that */
	unsigned int status; /* 200 */
	char content_type[160]; /* "text/plain; charset=utf-8" */
};

/*
 * Renders a page.  On a negative errno the body is thrown away and the answer is
 * 500 (-ENOMEM, -EAGAIN, -EBUSY: 503), with the error in the log and not in the answer;
 * a page that wants to say why sets status and body and returns 0.
 *
 * Called in a serving thread, so possibly in two at the same time when there is a
 * configuration file (plain and TLS); a slow page only in the thread for slow pages, one at a
 * time.  HEAD calls it like GET.
 */
typedef int (*vml_web_render)(void *context, const struct vml_web_request *rq, struct vml_web_answer *answer);

/* Which listeners serve a page; others answer 404. */
enum vml_web_where {
	VML_WEB_TCP = 1,
	VML_WEB_LOCAL = 2, /* AF_UNIX, whose peers are checked */
	/*
	 * TCP, while the configuration demands a password or a verified client
	 * certificate; 403 while it does not.
	 */
	VML_WEB_TCP_AUTHENTICATED = 4,
};

struct vml_web_page {
	const char *path; /* exact, "/metrics"; also the label "handler" of the metric */
	vml_web_render render;
	void *context;
	unsigned int where; /* enum vml_web_where, or-ed */
	bool slow; /* may take longer than some 10 ms */
};

/* ---- the server */

struct vml_web_options {
	const struct vml_web_page *pages; /* not copied; lives as long as the server */
	size_t npages; /* at most 32 */
	const char *config_file; /* the exporters' web.config.file, or NULL */
	/*
	 * One line without newline; @priority as in syslog.h (LOG_ERR, LOG_WARNING,
	 * LOG_INFO, LOG_DEBUG).  Safe to print (vml_text_clean).  From any thread of the
	 * server, one call at a time.  NULL: nothing is said.
	 */
	void (*log)(void *context, int priority, const char *message);
	void *log_context;
};

/* -EINVAL: the configuration file is wrong; -ENOMEM; what open() said of the file and those it names. */
int vml_web_new(const struct vml_web_options *o, struct vml_web **ret, char error[VML_WEB_ERROR_MAX]);
/* Stops, joins the threads, closes and removes the sockets, frees; NULL is fine. */
void vml_web_free(struct vml_web *web);

/*
 * "host:port", ":port", "[::1]:port"; a port of 0 takes a free one.  ":port" and
 * "[::]:port" take IPv4 too.  May be called several times (at most 16 listeners of
 * all kinds), before start.  -EINVAL (also: no such host), -EADDRINUSE, -E2BIG, what
 * the kernel said.
 */
int vml_web_listen_tcp(struct vml_web *web, const char *address, char error[VML_WEB_ERROR_MAX]);
/*
 * A socket in the file system, mode 0660, of @group.  Peers must be root, of the
 * uid of this process, or have @group among their groups (SO_PEERCRED,
 * SO_PEERGROUPS).  @group NULL, or one that is not known here (a warning): mode 0600, no group.
 * A socket file that nobody listens on is replaced.  -EADDRINUSE: somebody does, or it
 * is no socket.
 */
int vml_web_listen_local(struct vml_web *web, const char *path, const char *group, char error[VML_WEB_ERROR_MAX]);
/*
 * The sockets that systemd handed over (LISTEN_PID, LISTEN_FDS; the variables are removed).  Those of
 * AF_UNIX are served as VML_WEB_LOCAL, with peers checked against @group (NULL: none).  Counts into
 * @ret_tcp and @ret_local.  -ENOENT: none were handed over; -ENOTSOCK, -EINVAL: no listening stream socket.
 */
int vml_web_listen_systemd(struct vml_web *web, const char *group, unsigned int *ret_tcp, unsigned int *ret_local,
			   char error[VML_WEB_ERROR_MAX]);

/* Starts the threads.  -EINVAL when nothing listens; -EIO when libmicrohttpd cannot start; -EAGAIN, -ENOMEM. */
int vml_web_start(struct vml_web *web, char error[VML_WEB_ERROR_MAX]);

/*
 * Where listener @i listens, "127.0.0.1:10862", "[::]:10862" or a path, with @local, and whether TLS is on.
 * -ENOENT behind the last one.  (For the line of the log at start.)
 */
int vml_web_listener(const struct vml_web *web, size_t i, char *buf, size_t n, bool *ret_local, bool *ret_tls);

/* ---- the configuration file */

/*
 * It is read again when it, or a file it names, has another mtime, size or inode:
 * looked at when a connection comes in and once a second.  A wrong one is logged once
 * and leaves the old one in force.  This looks now (SIGHUP).
 */
void vml_web_reload(struct vml_web *web);
/* The configuration in force is the one on disk; true also without a file. */
bool vml_web_config_ok(const struct vml_web *web);
/* The configuration in force demands a password or a verified client certificate on TCP. */
bool vml_web_authenticates(const struct vml_web *web);

/* ---- counters, since vml_web_new(); from any thread */

/*
 * Calls @f for every (page, code) that was answered: @handler is the page's path, or
 * "other" for what no page serves and for requests too broken to tell.
 */
void vml_web_requests(const struct vml_web *web,
		      void (*f)(void *context, const char *handler, unsigned int code, uint64_t count), void *context);

/* Why connections and requests were refused before a page saw them. */
enum vml_web_rejected {
	VML_WEB_REJECTED_ADDRESS, /* connections over VML_WEB_PER_ADDRESS, closed at once */
	VML_WEB_REJECTED_PEER, /* a local peer outside the group, closed at once */
	VML_WEB_REJECTED_TLS, /* no TLS session came about */
	VML_WEB_REJECTED_CERTIFICATE, /* 403: the client's certificate is missing or not one of ours */
	VML_WEB_REJECTED_AUTHENTICATION, /* 401; 403 for a page that needs authentication */
	VML_WEB_REJECTED_METHOD, /* 405: neither GET nor HEAD */
	VML_WEB_REJECTED_MALFORMED, /* 400, 413, 414, 431, 505 */
	VML_WEB_REJECTED_RATE, /* 429: rate_limit of the configuration */
	VML_WEB_REJECTED_BUSY, /* no memory; 503: too many answers not yet taken */
	VML_WEB_REJECTED_TIMEOUT, /* a request that was begun and not whole in time */
	VML_WEB_REJECTED_COUNT
};
/* The label "cause": "address_limit", "peer", "tls", ... */
const char *vml_web_rejected_name(enum vml_web_rejected cause);
uint64_t vml_web_rejected_count(const struct vml_web *web, enum vml_web_rejected cause);

#endif
