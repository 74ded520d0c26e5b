// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "web/web.h"

#define TICK_MS 500
#define AT_ONCE 64 /* connections of one listener, before the others have their turn */

/*
 * libmicrohttpd could accept by itself, but it does not say whom it refuses, shows
 * no peer before the connection is made, and cannot change between plain and TLS.
 */

/* Returns false when the system has no more descriptors or memory. */
static bool accept_some(struct vml_web *web, const struct web_listener *l)
{
	for (int i = 0; i < AT_ONCE; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS;
		web_connection_add(web, fd, l->local, l->group);
	}
	return true;
}

/* What there is no room for waits in the kernel's queue. */
static void wanted(struct vml_web *web, bool room, struct pollfd *p)
{
	bool tcp, local;

	pthread_mutex_lock(&web->lock);
	tcp = room && web->ntcp < VML_WEB_CONNECTIONS;
	local = room && web->nlocal < VML_WEB_CONNECTIONS_LOCAL;
	pthread_mutex_unlock(&web->lock);
	for (size_t i = 0; i < web->nlisteners; i++) {
		const struct web_listener *l = &web->listeners[i];

		p[i] = (struct pollfd){ .fd = (l->local ? local : tcp) ? l->fd : -1, .events = POLLIN };
	}
	p[web->nlisteners] = (struct pollfd){ .fd = web->wake_fd, .events = POLLIN };
}

static void take_wake(struct vml_web *web)
{
	uint64_t n;

	/* nothing to read is as well */
	if (read(web->wake_fd, &n, sizeof(n)) < 0)
		return;
}

static void *accept_main(void *arg)
{
	struct vml_web *web = arg;
	struct pollfd p[WEB_LISTENERS + 1];
	bool room = true;

	while (!atomic_load(&web->stop)) {
		/* without room a tick passes in which connections may end */
		wanted(web, room, p);
		if (poll(p, web->nlisteners + 1, TICK_MS) < 0)
			continue;
		take_wake(web);
		/* before anybody is let in by what is no longer on disk */
		web_config_look(web);
		room = true;
		for (size_t i = 0; i < web->nlisteners; i++) {
			if (p[i].revents)
				room &= accept_some(web, &web->listeners[i]);
		}
		web_connections_expire(web);
	}
	return NULL;
}

void web_accept_wake(struct vml_web *web)
{
	uint64_t one = 1;

	/* full: it is awake */
	if (write(web->wake_fd, &one, sizeof(one)) < 0)
		return;
}

int web_accept_start(struct vml_web *web, char error[VML_WEB_ERROR_MAX])
{
	int rc = pthread_create(&web->accept_thread, NULL, accept_main, web);

	if (rc)
		return web_error(error, -rc, "cannot start a thread: %s", strerror(rc));
	pthread_setname_np(web->accept_thread, "web-accept");
	web->accepting = true;
	return 0;
}

void web_accept_stop(struct vml_web *web)
{
	if (!web->accepting)
		return;
	web_accept_wake(web);
	pthread_join(web->accept_thread, NULL);
	web->accepting = false;
}
