// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "web/web.h"

#define BACKLOG 512
#define SYSTEMD_FIRST 3 /* SD_LISTEN_FDS_START */

static int listener_add(struct vml_web *web, const struct web_listener *l, char error[VML_WEB_ERROR_MAX])
{
	if (web->nlisteners == WEB_LISTENERS)
		return web_error(error, -E2BIG, "cannot listen on %s: there are %d listeners already", l->name,
				 WEB_LISTENERS);
	web->listeners[web->nlisteners++] = *l;
	return 0;
}

/* ---- TCP */

/* "host:port" in its parts; brackets are for IPv6 only. */
static int split(const char *address, char *host, size_t n, const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (!colon || !colon[1])
		return -EINVAL;
	*ret_port = colon + 1;
	if (*address == '[') {
		if (len < 3 || address[len - 1] != ']')
			return -EINVAL;
		address++;
		len -= 2;
		if (!memchr(address, ':', len))
			return -EINVAL;
	} else if (memchr(address, ':', len)) {
		return -EINVAL;
	}
	if (len >= n)
		return -EINVAL;
	memcpy(host, address, len);
	host[len] = '\0';
	return 0;
}

static int bind_one(const struct addrinfo *a, bool both)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1, only = !both, err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    (a->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only))) ||
	    bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/*
 * As Go's net.Listen(): the address that is no address listens on both families
 * where IPv6 is there; a name on its first address, IPv4 before IPv6.
 */
static int bind_tcp(const char *host, const char *port, const char **ret_why)
{
	bool any = !*host || !strcmp(host, "::");
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found, *a;
	int rc, fd;

	if (any) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
		struct addrinfo six = { .ai_family = AF_INET6,
					.ai_addr = (struct sockaddr *)&in6,
					.ai_addrlen = sizeof(in6) };

		fd = bind_one(&six, true);
		if (*host || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
			return fd;
		hints.ai_family = AF_INET;
	}
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (rc) {
		*ret_why = gai_strerror(rc);
		return -EINVAL;
	}
	for (a = found; a->ai_family != AF_INET && a->ai_next; a = a->ai_next)
		;
	fd = bind_one(a->ai_family == AF_INET ? a : found, false);
	freeaddrinfo(found);
	return fd;
}

/* Where it came to listen, with the port that the kernel chose for 0. */
static void name_tcp(struct web_listener *l)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[INET6_ADDRSTRLEN + 20], port[8];

	if (getsockname(l->fd, (struct sockaddr *)&addr, &len) ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV)) {
		snprintf(l->name, sizeof(l->name), "?");
		return;
	}
	snprintf(l->name, sizeof(l->name), addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int vml_web_listen_tcp(struct vml_web *web, const char *address, char error[VML_WEB_ERROR_MAX])
{
	struct web_listener l = { .group = (gid_t)-1 };
	char host[256];
	const char *port, *why = NULL;
	uint32_t number;
	int err;

	if (split(address, host, sizeof(host), &port) || vml_parse_u32(port, 0, 65535, &number))
		return web_error(error, -EINVAL,
				 "'%s' is no address to listen on: HOST:PORT, :PORT or [IPV6]:PORT is expected",
				 address);
	l.fd = bind_tcp(host, port, &why);
	if (l.fd == -EADDRINUSE)
		return web_error(error, l.fd,
				 "cannot listen on %s: the port is in use; --web.listen-address takes another one",
				 address);
	if (l.fd == -EACCES)
		return web_error(error, l.fd, "cannot listen on %s: ports below 1024 need CAP_NET_BIND_SERVICE",
				 address);
	if (l.fd < 0)
		return web_error(error, l.fd, "cannot listen on %s: %s", address, why ? why : strerror(-l.fd));
	name_tcp(&l);
	err = listener_add(web, &l, error);
	if (err)
		close(l.fd);
	return err;
}

/* ---- local */

/* (gid_t)-1 when there is none of this name */
static int find_group(struct vml_web *web, const char *name, gid_t *ret)
{
	struct group grp, *found = NULL;
	char buf[16384];
	int rc;

	*ret = (gid_t)-1;
	if (!name)
		return 0;
	rc = getgrnam_r(name, &grp, buf, sizeof(buf), &found);
	if (found)
		*ret = found->gr_gid;
	else
		web_log(web, LOG_WARNING,
			"group %s is not known here%s%s: only root and the user of this process may connect", name,
			rc ? ": " : "", rc ? strerror(rc) : "");
	return found ? 1 : 0;
}

/* A socket file that is left over refuses connections. */
static bool left_over(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	bool dead = fd >= 0 && !lstat(addr->sun_path, &st) && S_ISSOCK(st.st_mode) &&
		    connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

/* Nobody may connect before the group is set: the file begins with mode 0600, and listen() comes last. */
static int bind_local(const struct sockaddr_un *addr, gid_t group)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc, err;
	const char *path = addr->sun_path;

	if (fd < 0)
		return -errno;
	rc = fchmod(fd, 0600) ? -1 : bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	if (rc && errno == EADDRINUSE && left_over(addr) && !unlink(path))
		rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	if (rc) {
		err = -errno;
		close(fd);
		return err;
	}
	if ((group != (gid_t)-1 && (chown(path, (uid_t)-1, group) || chmod(path, 0660))) || listen(fd, BACKLOG)) {
		err = -errno;
		unlink(path);
		close(fd);
		return err;
	}
	return fd;
}

int vml_web_listen_local(struct vml_web *web, const char *path, const char *group, char error[VML_WEB_ERROR_MAX])
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct web_listener l = { .local = true };
	struct stat st;
	int err;

	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return web_error(error, -EINVAL, "cannot listen on '%s': the path must have 1 to %zu characters", path,
				 sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	find_group(web, group, &l.group);
	l.fd = bind_local(&addr, l.group);
	if (l.fd == -EADDRINUSE)
		return web_error(error, l.fd,
				 "cannot listen on %s: it is in use; another vmalockd runs, or it is no socket", path);
	if (l.fd == -EPERM && l.group != (gid_t)-1)
		return web_error(error, l.fd, "cannot give %s to group %s: this process is not in it", path, group);
	if (l.fd < 0)
		return web_error(error, l.fd, "cannot listen on %s: %s", path, strerror(-l.fd));
	snprintf(l.name, sizeof(l.name), "%s", path);
	if (!lstat(path, &st)) {
		l.ino = st.st_ino;
		l.dev = st.st_dev;
		l.path = strdup(path);
	}
	err = l.path ? listener_add(web, &l, error) : web_error(error, -ENOMEM, "out of memory");
	if (err) {
		unlink(path);
		close(l.fd);
		free(l.path);
	}
	return err;
}

/* ---- systemd */

static int getsock(int fd, int option)
{
	int value;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -errno : value;
}

static int adopt(struct vml_web *web, int fd, gid_t group, bool *ret_local, char error[VML_WEB_ERROR_MAX])
{
	int domain = getsock(fd, SO_DOMAIN), flags = fcntl(fd, F_GETFL);
	struct web_listener l = { .fd = fd, .local = domain == AF_UNIX, .group = group };
	struct sockaddr_un addr = { 0 };
	socklen_t len = sizeof(addr) - 1;

	if (domain == -ENOTSOCK || domain == -EBADF)
		return web_error(error, -ENOTSOCK, "descriptor %d from systemd is no socket", fd);
	if ((domain != AF_UNIX && domain != AF_INET && domain != AF_INET6) || getsock(fd, SO_TYPE) != SOCK_STREAM ||
	    getsock(fd, SO_ACCEPTCONN) != 1)
		return web_error(error, -EINVAL,
				 "descriptor %d from systemd is no listening stream socket; Accept=no is needed", fd);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return web_error(error, -errno, "descriptor %d from systemd: %s", fd, strerror(errno));
	if (!l.local)
		name_tcp(&l);
	else if (!getsockname(fd, (struct sockaddr *)&addr, &len))
		snprintf(l.name, sizeof(l.name), "%s", addr.sun_path[0] ? addr.sun_path : "(abstract)");
	*ret_local = l.local;
	return listener_add(web, &l, error);
}

/* Source: sd_listen_fds(3) */
int vml_web_listen_systemd(struct vml_web *web, const char *group, unsigned int *ret_tcp, unsigned int *ret_local,
			   char error[VML_WEB_ERROR_MAX])
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned int tcp = 0, local = 0;
	uint32_t p = 0, n = 0;
	gid_t gid;
	int err = 0;

	if (!pid || !fds || vml_parse_u32(pid, 1, UINT32_MAX, &p) || p != (uint32_t)getpid() ||
	    vml_parse_u32(fds, 1, 1024, &n))
		return web_error(error, -ENOENT,
				 "systemd has handed over no socket: --web.systemd-socket needs vmalockd.socket");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	find_group(web, group, &gid);
	for (uint32_t i = 0; i < n && !err; i++) {
		bool is_local;

		err = adopt(web, SYSTEMD_FIRST + (int)i, gid, &is_local, error);
		tcp += !err && !is_local;
		local += !err && is_local;
	}
	if (!err) {
		*ret_tcp = tcp;
		*ret_local = local;
	}
	return err;
}

/* ---- both */

int vml_web_listener(const struct vml_web *web, size_t i, char *buf, size_t n, bool *ret_local, bool *ret_tls)
{
	struct web_config *c;

	if (i >= web->nlisteners)
		return -ENOENT;
	c = web_config_get((struct vml_web *)web);
	vml_text_clean(buf, n, web->listeners[i].name, sizeof(web->listeners[i].name));
	*ret_local = web->listeners[i].local;
	*ret_tls = !web->listeners[i].local && c->credentials;
	web_config_unref(c);
	return 0;
}

/* Only the file that is still ours is removed. */
void web_listeners_close(struct vml_web *web)
{
	for (size_t i = 0; i < web->nlisteners; i++) {
		struct web_listener *l = &web->listeners[i];
		struct stat st;

		if (l->path && !lstat(l->path, &st) && st.st_ino == l->ino && st.st_dev == l->dev)
			unlink(l->path);
		free(l->path);
		close(l->fd);
	}
	web->nlisteners = 0;
}
