/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VML_WEB_WEB_H
#define VML_WEB_WEB_H
/*
 * What the files of src/web share.
 *
 *	listen.c	 sockets
 *	accept.c	 the thread that accepts, keeps deadlines, looks at the configuration
 *	connection.c	 who is connected: limits, peers, deadlines
 *	server.c	 libmicrohttpd's daemons, start and end
 *	request.c	 one request from its first line to its last byte
 *	answer.c	 rendering, gzip, headers
 *	password.c	 basic authentication
 *	worker.c	 threads that work while a connection is suspended
 *	settings.c	 YAML to settings; pure
 *	config.c	 settings to a configuration that can be served; re-reading
 *	tls.c		 GnuTLS
 *	counters.c	 requests and rejections
 *
 * Locks, never two at a time except in this order: config_lock (one load of the
 * configuration), lock (connections, addresses, the configuration in force), the
 * locks of a worker, of the passwords' cache, of the log.
 */
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "vmalock/web.h"
#include "web/settings.h"

#define WEB_LISTENERS 16
#define WEB_PAGES 32
#define WEB_CODES 600

/* ---- the configuration in force: immutable, counted references (config.c, tls.c) */

struct web_config {
	atomic_uint refs;
	struct web_settings *settings;
	gnutls_certificate_credentials_t credentials; /* NULL: no TLS */
	gnutls_priority_t priority;
};

/* NULL is fine. */
void web_config_unref(struct web_config *c);
/* The one in force; the caller drops the reference. */
struct web_config *web_config_get(struct vml_web *web);
bool web_config_authenticates(const struct web_config *c);
/* Loads the file for the first time. */
int web_config_first(struct vml_web *web, char error[VML_WEB_ERROR_MAX]);
/* Loads it again when it, or a file that it names, has changed. */
void web_config_look(struct vml_web *web);
void web_config_close(struct vml_web *web);

/* What a file was when it was read. */
struct web_stamp {
	char *path;
	struct stat st; /* zeroes: it was not there */
};
struct web_stamps {
	struct web_stamp *s;
	size_t n;
};

/* Fills the TLS members of @c from the PEM texts. -EINVAL, -ENOMEM */
struct web_pem {
	gnutls_datum_t cert, key, client_ca; /* size 0: not there */
};
int web_tls_load(struct web_config *c, const struct web_pem *pem, char error[VML_WEB_ERROR_MAX]);
void web_tls_unload(struct web_config *c);
/* Makes a session of libmicrohttpd's one of ours, before its handshake. */
int web_tls_session(gnutls_session_t session, const struct web_config *c);
/* The client's certificate is what @c demands; else -EACCES and why. */
int web_tls_client(gnutls_session_t session, const struct web_config *c, const char **ret_why);

/* ---- connections */

struct web_address { /* who; alive while it has connections */
	struct web_address *next;
	uint8_t key[17];
	unsigned int connections;
	size_t answer_bytes;
};

enum web_state {
	WEB_NEW, /* handed to libmicrohttpd, not yet taken by its thread */
	WEB_IDLE, /* waits for a request line */
	WEB_HEAD, /* has a request line */
	WEB_WORK, /* has a whole request; we are at it */
	WEB_ANSWER, /* has an answer to take */
};

struct web_connection {
	struct web_connection *next, **link;
	struct vml_web *web;
	struct web_address *address;
	struct web_config *config; /* when it was accepted */
	int fd;
	bool local, tls;
	atomic_bool shaken; /* the TLS handshake is done */
	bool certified; /* the client's certificate was checked, by .config */
	/* under web->lock */
	enum web_state state;
	uint64_t since_ns; /* in this state, CLOCK_MONOTONIC */
	uint64_t received; /* bytes, when the last request was done */
	bool asked; /* had a request line */
	bool expired; /* was shut down by us */
};

/* A connection that was accepted on @fd; takes it over, whatever comes. */
void web_connection_add(struct vml_web *web, int fd, bool local, gid_t group);
/* libmicrohttpd is done with it and about to close it. */
void web_connection_closed(struct web_connection *c);
/* The same, when it never was in its hands. */
void web_connection_end(struct web_connection *c);
struct web_connection *web_connection_of(struct MHD_Connection *mhd);
void web_connection_state(struct web_connection *c, enum web_state state);
/* Shuts down what is beyond its deadline. */
void web_connections_expire(struct vml_web *web);
/* Shuts down what waits for a request on a configuration that is no longer in force. */
void web_connections_renew(struct vml_web *web);
/* Room for an answer of @bytes, until web_answer_taken(). */
bool web_answer_fits(struct web_connection *c, size_t bytes);
void web_answer_taken(struct web_connection *c, size_t bytes);

/* ---- listeners */

struct web_listener {
	int fd;
	bool local;
	gid_t group; /* of a local one: who may connect; (gid_t)-1: none */
	char *path; /* of a local one that we made: to be removed */
	ino_t ino;
	dev_t dev;
	char name[128];
};

void web_listeners_close(struct vml_web *web);
int web_accept_start(struct vml_web *web, char error[VML_WEB_ERROR_MAX]);
void web_accept_stop(struct vml_web *web);
/* There is room again, or it is time to stop. */
void web_accept_wake(struct vml_web *web);

/* ---- workers */

struct vml_web_request;

struct web_worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	void (*work)(struct vml_web_request *rq);
	struct vml_web_request *first, **last;
	bool running, stop;
};

int web_worker_start(struct web_worker *w, const char *name, void (*work)(struct vml_web_request *rq));
/* Lets the one at work finish, resumes the others unserved, joins. */
void web_worker_stop(struct web_worker *w);
/* After libmicrohttpd has stopped. */
void web_worker_free(struct web_worker *w);
/* Suspends the connection of @rq and resumes it when the work is done, or at once when the worker has stopped. */
void web_worker_push(struct web_worker *w, struct vml_web_request *rq);

/* ---- passwords */

#define WEB_DIGEST 32
#define WEB_CHECKS 100 /* that are remembered, of each outcome */

struct web_passwords {
	pthread_mutex_t lock;
	uint8_t secret[WEB_DIGEST];
	struct {
		uint8_t digest[WEB_CHECKS][WEB_DIGEST];
		size_t n, next;
	} known[2]; /* wrong ones, right ones */
};

struct web_credentials {
	char *user, *password;
	const char *hash; /* of the configuration; that of another user when there is no such one */
	bool no_such_user;
	uint8_t digest[WEB_DIGEST];
};

int web_passwords_init(struct web_passwords *p);
/* 1: right, 0: wrong, -EAGAIN: web_password_check() must say; -ENOMEM */
int web_password_known(struct web_passwords *p, const struct web_settings *s, struct web_credentials *c);
/* The same, in some 50 ms of CPU for each; remembers it. */
bool web_password_check(struct web_passwords *p, struct web_credentials *c);
void web_credentials_clear(struct web_credentials *c);

/* ---- requests */

enum web_stage {
	WEB_BEGUN, /* its first line is there */
	WEB_WHOLE,
	WEB_CHECKING, /* the password thread has it */
	WEB_CHECKED,
	WEB_RENDERING, /* the thread for slow pages has it */
	WEB_RENDERED,
};

struct vml_web_request {
	struct vml_web_request *next; /* of a worker's queue */
	struct web_connection *connection;
	struct MHD_Connection *mhd;
	struct web_config *config;
	const struct vml_web_page *page;
	enum web_stage stage;
	bool malformed;
	bool password_right;
	bool gzip;
	bool close; /* the connection, after the answer */
	char *accept;
	struct web_credentials credentials;
	struct vml_web_answer answer;
	int error; /* of rendering */
	char *body;
	size_t size;
	size_t charged; /* bytes of the answer that it takes up */
};

/* The callbacks of libmicrohttpd. */
void *web_request_begin(void *web, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result web_request_handle(void *web, struct MHD_Connection *mhd, const char *url, const char *method,
				   const char *version, const char *upload, size_t *upload_size, void **request);
void web_request_end(void *web, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode why);

/* What the workers do; see struct web_worker. */
void web_request_check(struct vml_web_request *rq);
void web_request_render(struct vml_web_request *rq);

/* Calls the page, into rq->body or rq->error. */
void web_render(struct vml_web_request *rq);
/* Queue what was rendered; a short text. */
enum MHD_Result web_answer_page(struct vml_web_request *rq);
enum MHD_Result web_answer_text(struct vml_web_request *rq, unsigned int status, const char *text);

/* ---- the server */

struct vml_web {
	struct vml_web_page pages[WEB_PAGES];
	size_t npages;
	char *config_file;
	void (*log)(void *context, int priority, const char *message);
	void *log_context;
	pthread_mutex_t log_lock;

	pthread_mutex_t lock;
	struct web_config *config;
	struct web_connection *connections;
	struct web_address *addresses;
	unsigned int ntcp, nlocal;
	size_t answer_bytes;
	double tokens; /* of rate_limit */
	uint64_t tokens_ns;

	pthread_mutex_t config_lock;
	struct web_stamps stamps;
	atomic_bool config_ok;

	struct web_listener listeners[WEB_LISTENERS];
	size_t nlisteners;
	struct MHD_Daemon *plain, *tls;
	pthread_t accept_thread;
	bool accepting;
	int wake_fd;
	atomic_bool stop;

	struct web_worker check, slow;
	struct web_passwords passwords;

	_Atomic uint64_t *requests; /* [npages + 1][WEB_CODES] */
	_Atomic uint64_t rejected[VML_WEB_REJECTED_COUNT];
};

/* @page NULL: "other". */
void web_count_request(struct vml_web *web, const struct vml_web_page *page, unsigned int code);
void web_count_rejected(struct vml_web *web, enum vml_web_rejected cause);
void web_log(struct vml_web *web, int priority, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Writes the line into @error and returns @err. */
int web_error(char error[VML_WEB_ERROR_MAX], int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
