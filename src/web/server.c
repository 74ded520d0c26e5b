// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <gnutls/abstract.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "web/web.h"

int web_error(char error[VML_WEB_ERROR_MAX], int err, const char *fmt, ...)
{
	char text[VML_WEB_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vml_text_clean(error, VML_WEB_ERROR_MAX, text, sizeof(text));
	return err;
}

static void log_text(struct vml_web *web, int priority, const char *text)
{
	char clean[2 * VML_WEB_ERROR_MAX];

	vml_text_clean(clean, sizeof(clean), text, strlen(text));
	pthread_mutex_lock(&web->log_lock);
	web->log(web->log_context, priority, clean);
	pthread_mutex_unlock(&web->log_lock);
}

void web_log(struct vml_web *web, int priority, const char *fmt, ...)
{
	char text[VML_WEB_ERROR_MAX + 128];
	va_list ap;

	if (!web->log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_text(web, priority, text);
}

/* ---- libmicrohttpd's callbacks */

/*
 * What it refuses by itself it tells nobody but its log: the first argument of
 * this message is the code.  Source: libmicrohttpd 0.9.75, connection.c,
 * transmit_error_response_len()
 */
static void on_log(void *arg, const char *fmt, va_list ap)
{
	struct vml_web *web = arg;
	char text[VML_WEB_ERROR_MAX];
	va_list copy;

	if (strstr(fmt, "HTTP response code is %u")) {
		va_copy(copy, ap);
		web_count_request(web, NULL, va_arg(copy, unsigned int));
		va_end(copy);
		web_count_rejected(web, VML_WEB_REJECTED_MALFORMED);
	}
	if (!web->log)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_text(web, LOG_DEBUG, text);
}

/* A session that does not become ours has no certificate and cannot shake hands. */
static void on_connection(void *arg, struct MHD_Connection *mhd, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct web_connection *c = web_connection_of(mhd);
	const union MHD_ConnectionInfo *info;

	(void)socket_context;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		web_connection_closed(c);
		return;
	}
	if (c->tls) {
		info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		if (info && web_tls_session(info->tls_session, c->config))
			web_log(arg, LOG_ERR, "a TLS session could not be set up");
	}
	web_connection_state(c, WEB_IDLE);
}

/* The certificates are those of web_tls_session(). */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *req_ca_dn, int nreqs,
			  const gnutls_pk_algorithm_t *pk_algos, int pk_algos_length, gnutls_pcert_st **pcert,
			  unsigned int *pcert_length, gnutls_privkey_t *privkey)
{
	(void)session, (void)req_ca_dn, (void)nreqs, (void)pk_algos, (void)pk_algos_length;
	(void)pcert, (void)pcert_length, (void)privkey;
	return -1;
}

static struct MHD_Daemon *start(struct vml_web *web, bool tls)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
			     MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
	/* TLS only; the list ends at the first MHD_OPTION_END */
	struct MHD_OptionItem more[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(flags, 0, NULL, NULL, web_request_handle, web, MHD_OPTION_EXTERNAL_LOGGER, on_log, web,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, web, MHD_OPTION_URI_LOG_CALLBACK,
				web_request_begin, web, MHD_OPTION_NOTIFY_COMPLETED, web_request_end, web,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)VML_WEB_STUCK_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)VML_WEB_HEAD_BYTES,
				/* ours come first */
				MHD_OPTION_CONNECTION_LIMIT,
				(unsigned int)(VML_WEB_CONNECTIONS + VML_WEB_CONNECTIONS_LOCAL + 64), MHD_OPTION_ARRAY,
				more + !tls, MHD_OPTION_END);
}

/* ---- start and end */

static int copy_options(struct vml_web *web, const struct vml_web_options *o)
{
	if (o->npages > WEB_PAGES)
		return -EINVAL;
	for (size_t i = 0; i < o->npages; i++)
		web->pages[i] = o->pages[i];
	web->npages = o->npages;
	web->log = o->log;
	web->log_context = o->log_context;
	web->requests = calloc((web->npages + 1) * WEB_CODES, sizeof(*web->requests));
	web->config_file = o->config_file ? strdup(o->config_file) : NULL;
	return web->requests && (!o->config_file || web->config_file) ? 0 : -ENOMEM;
}

int vml_web_new(const struct vml_web_options *o, struct vml_web **ret, char error[VML_WEB_ERROR_MAX])
{
	struct vml_web *web = calloc(1, sizeof(*web));
	int err;

	if (!web)
		return web_error(error, -ENOMEM, "out of memory");
	pthread_mutex_init(&web->lock, NULL);
	pthread_mutex_init(&web->log_lock, NULL);
	pthread_mutex_init(&web->config_lock, NULL);
	web->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = web->wake_fd < 0 ? -errno : copy_options(web, o);
	if (!err)
		err = web_passwords_init(&web->passwords);
	if (err)
		web_error(error, err, "cannot set up the web server: %s", strerror(-err));
	else
		err = web_config_first(web, error);
	if (err)
		vml_web_free(web);
	else
		*ret = web;
	return err;
}

int vml_web_start(struct vml_web *web, char error[VML_WEB_ERROR_MAX])
{
	int err;

	if (!web->nlisteners)
		return web_error(error, -EINVAL, "there is no address to listen on");
	err = web_worker_start(&web->slow, "web-slow", web_request_render);
	/* passwords and TLS can come with a change of the file, but not without one */
	if (!err && web->config_file)
		err = web_worker_start(&web->check, "web-password", web_request_check);
	if (err)
		return web_error(error, err, "cannot start a thread: %s", strerror(-err));
	if (web->config_file)
		web->tls = start(web, true);
	web->plain = start(web, false);
	if (!web->plain || (web->config_file && !web->tls))
		return web_error(error, -EIO, "libmicrohttpd cannot start: %s", strerror(errno));
	return web_accept_start(web, error);
}

void vml_web_free(struct vml_web *web)
{
	if (!web)
		return;
	atomic_store(&web->stop, true);
	web_accept_stop(web);
	/* libmicrohttpd must not have suspended connections when it stops */
	web_worker_stop(&web->check);
	web_worker_stop(&web->slow);
	if (web->plain)
		MHD_stop_daemon(web->plain);
	if (web->tls)
		MHD_stop_daemon(web->tls);
	/* what its threads never took */
	while (web->connections)
		web_connection_end(web->connections);
	web_listeners_close(web);
	web_config_close(web);
	if (web->wake_fd >= 0)
		close(web->wake_fd);
	web_worker_free(&web->check);
	web_worker_free(&web->slow);
	pthread_mutex_destroy(&web->lock);
	pthread_mutex_destroy(&web->log_lock);
	pthread_mutex_destroy(&web->config_lock);
	free(web->requests);
	free(web->config_file);
	explicit_bzero(&web->passwords, sizeof(web->passwords));
	free(web);
}
