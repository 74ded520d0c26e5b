// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web/web.h"

#define NS 1000000000ULL
#define GROUPS_MAX 65536
#define SMALL 65536 /* of an answer */

/*
 * libmicrohttpd copies the address it is given and never looks into it (no
 * limit per address, no digests): ours leads back to the connection.
 */
struct address {
	struct sockaddr sa;
	struct web_connection *connection;
};

/* ---- addresses */

static void key_of(const struct sockaddr *sa, uint8_t key[17])
{
	const struct in6_addr *six = &((const struct sockaddr_in6 *)sa)->sin6_addr;

	memset(key, 0, 17);
	if (sa->sa_family == AF_INET) {
		key[0] = 4;
		memcpy(key + 1, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six)) {
		key[0] = 4;
		memcpy(key + 1, six->s6_addr + 12, 4);
	} else if (sa->sa_family == AF_INET6) {
		key[0] = 6;
		memcpy(key + 1, six->s6_addr, 8);
	}
}

/* All with web->lock held. */
static struct web_address *address_get(struct vml_web *web, const uint8_t key[17])
{
	struct web_address *a = web->addresses;

	while (a && memcmp(a->key, key, 17))
		a = a->next;
	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return NULL;
		memcpy(a->key, key, 17);
		a->next = web->addresses;
		web->addresses = a;
	}
	return a;
}

static void address_put(struct vml_web *web, struct web_address *a)
{
	struct web_address **link = &web->addresses;

	if (a->connections)
		return;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	free(a);
}

/* ---- local peers */

static bool in_groups(int fd, gid_t group)
{
	socklen_t len = 0;
	gid_t *groups;
	bool found = false;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) || errno != ERANGE ||
	    len > GROUPS_MAX * sizeof(*groups))
		return false;
	groups = malloc(len);
	if (groups && !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
		for (size_t i = 0; i < len / sizeof(*groups) && !found; i++)
			found = groups[i] == group;
	}
	free(groups);
	return found;
}

/* Source: unix(7); what the peer was when it connected */
static bool may_connect(int fd, gid_t group, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len))
		return false;
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	return group != (gid_t)-1 && (peer->gid == group || in_groups(fd, group));
}

/* ---- accepting */

static struct web_connection *connection_new(struct vml_web *web, int fd, bool local, const uint8_t key[17])
{
	struct web_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->web = web;
	c->fd = fd;
	c->local = local;
	c->config = web_config_get(web);
	c->tls = !local && c->config->credentials;
	c->since_ns = vml_now_mono();
	pthread_mutex_lock(&web->lock);
	c->address = address_get(web, key);
	if (!c->address || c->address->connections >= VML_WEB_PER_ADDRESS) {
		enum vml_web_rejected cause = c->address ? VML_WEB_REJECTED_ADDRESS : VML_WEB_REJECTED_BUSY;

		pthread_mutex_unlock(&web->lock);
		web_count_rejected(web, cause);
		web_config_unref(c->config);
		free(c);
		return NULL;
	}
	c->address->connections++;
	*(local ? &web->nlocal : &web->ntcp) += 1;
	c->next = web->connections;
	c->link = &web->connections;
	if (c->next)
		c->next->link = &c->next;
	web->connections = c;
	pthread_mutex_unlock(&web->lock);
	return c;
}

void web_connection_end(struct web_connection *c)
{
	struct vml_web *web = c->web;
	bool full;

	pthread_mutex_lock(&web->lock);
	full = c->local ? web->nlocal == VML_WEB_CONNECTIONS_LOCAL : web->ntcp == VML_WEB_CONNECTIONS;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	*(c->local ? &web->nlocal : &web->ntcp) -= 1;
	c->address->connections--;
	address_put(web, c->address);
	pthread_mutex_unlock(&web->lock);
	web_config_unref(c->config);
	free(c);
	if (full)
		web_accept_wake(web);
}

struct web_connection *web_connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return ((const struct address *)info->client_addr)->connection;
}

void web_connection_add(struct vml_web *web, int fd, bool local, gid_t group)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	struct ucred peer = { 0 };
	struct web_connection *c;
	struct address address = { .sa = { .sa_family = AF_UNSPEC } };
	uint8_t key[17] = { 1 };

	if (local) {
		if (!may_connect(fd, group, &peer)) {
			web_count_rejected(web, VML_WEB_REJECTED_PEER);
			close(fd);
			return;
		}
		memcpy(key + 1, &peer.uid, sizeof(peer.uid));
	} else if (getpeername(fd, (struct sockaddr *)&from, &len)) {
		close(fd); /* gone already */
		return;
	} else {
		key_of((struct sockaddr *)&from, key);
	}
	c = connection_new(web, fd, local, key);
	if (!c) {
		close(fd);
		return;
	}
	address.connection = c;
	/* it closes what it does not take */
	if (MHD_add_connection(c->tls ? web->tls : web->plain, fd, &address.sa, sizeof(address)) != MHD_YES) {
		web_count_rejected(web, VML_WEB_REJECTED_BUSY);
		web_connection_end(c);
	}
}

/* ---- deadlines */

/* What went over a TCP connection; 0 elsewhere. */
static void traffic(const struct web_connection *c, uint64_t *ret_received, uint64_t *ret_sent)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (c->local || getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		memset(&info, 0, sizeof(info));
	*ret_received = info.tcpi_bytes_received;
	*ret_sent = info.tcpi_bytes_sent;
}

static bool peer_closed(const struct web_connection *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents;
}

/* libmicrohttpd answers most of what it cannot read, and says so to its log; it closes on the rest. */
static bool unreadable(struct web_connection *c, uint64_t received, uint64_t sent)
{
	bool expired;

	pthread_mutex_lock(&c->web->lock);
	expired = c->expired;
	pthread_mutex_unlock(&c->web->lock);
	return !c->tls && !c->asked && !expired && received && !sent && !peer_closed(c);
}

void web_connection_closed(struct web_connection *c)
{
	uint64_t received, sent;

	traffic(c, &received, &sent);
	if (c->tls && !c->shaken && received)
		web_count_rejected(c->web, VML_WEB_REJECTED_TLS);
	if (unreadable(c, received, sent))
		web_count_rejected(c->web, VML_WEB_REJECTED_MALFORMED);
	web_connection_end(c);
}

void web_connection_state(struct web_connection *c, enum web_state state)
{
	uint64_t received = 0, sent = 0;

	if (state == WEB_IDLE)
		traffic(c, &received, &sent);
	pthread_mutex_lock(&c->web->lock);
	if (state == WEB_IDLE && c->state != WEB_NEW)
		c->received = received;
	c->asked |= state == WEB_HEAD;
	c->state = state;
	c->since_ns = vml_now_mono();
	pthread_mutex_unlock(&c->web->lock);
}

/* What came and was not read waits for us, not for the client. */
static bool unread(const struct web_connection *c)
{
	int bytes = 0;

	return !ioctl(c->fd, FIONREAD, &bytes) && bytes > 0;
}

static bool overdue(const struct web_connection *c, uint64_t now)
{
	static const uint64_t limit_ns[] = {
		[WEB_NEW] = UINT64_MAX,	 [WEB_IDLE] = VML_WEB_IDLE_S * NS,     [WEB_HEAD] = VML_WEB_REQUEST_S * NS,
		[WEB_WORK] = UINT64_MAX, [WEB_ANSWER] = VML_WEB_ANSWER_S * NS,
	};

	return now - c->since_ns > limit_ns[c->state] && (c->state == WEB_ANSWER || !unread(c));
}

/*
 * The descriptor is open as long as the connection is in the list:
 * web_connection_end() takes the lock before libmicrohttpd closes it.
 */
static void expire(struct web_connection *c)
{
	uint64_t received, sent;

	traffic(c, &received, &sent);
	if (c->state == WEB_HEAD || (c->state == WEB_IDLE && received > c->received && (!c->tls || c->shaken)))
		web_count_rejected(c->web, VML_WEB_REJECTED_TIMEOUT);
	c->expired = true;
	shutdown(c->fd, SHUT_RDWR);
}

void web_connections_expire(struct vml_web *web)
{
	uint64_t now;

	pthread_mutex_lock(&web->lock);
	now = vml_now_mono();
	for (struct web_connection *c = web->connections; c; c = c->next) {
		if (!c->expired && overdue(c, now))
			expire(c);
	}
	pthread_mutex_unlock(&web->lock);
}

void web_connections_renew(struct vml_web *web)
{
	pthread_mutex_lock(&web->lock);
	for (struct web_connection *c = web->connections; c; c = c->next) {
		if (!c->local && !c->expired && c->state == WEB_IDLE && c->config != web->config) {
			c->expired = true;
			shutdown(c->fd, SHUT_RDWR);
		}
	}
	pthread_mutex_unlock(&web->lock);
}

/* ---- answers that are not taken */

/*
 * Small answers are bounded by the number of connections; a single large one is
 * always possible; what adds up is not.
 */
bool web_answer_fits(struct web_connection *c, size_t bytes)
{
	struct vml_web *web = c->web;
	bool fits = bytes <= SMALL;

	pthread_mutex_lock(&web->lock);
	fits |= (!web->answer_bytes || web->answer_bytes + bytes <= VML_WEB_ANSWERS_BYTES) &&
		(!c->address->answer_bytes || c->address->answer_bytes + bytes <= VML_WEB_ANSWERS_PER_ADDRESS_BYTES);
	if (fits) {
		web->answer_bytes += bytes;
		c->address->answer_bytes += bytes;
	}
	pthread_mutex_unlock(&web->lock);
	return fits;
}

void web_answer_taken(struct web_connection *c, size_t bytes)
{
	pthread_mutex_lock(&c->web->lock);
	c->web->answer_bytes -= bytes;
	c->address->answer_bytes -= bytes;
	pthread_mutex_unlock(&c->web->lock);
}
