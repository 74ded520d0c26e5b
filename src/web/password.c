// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "web/web.h"

int web_passwords_init(struct web_passwords *p)
{
	pthread_mutex_init(&p->lock, NULL);
	return gnutls_rnd(GNUTLS_RND_KEY, p->secret, sizeof(p->secret)) < 0 ? -EIO : 0;
}

void web_credentials_clear(struct web_credentials *c)
{
	if (c->password)
		explicit_bzero(c->password, strlen(c->password));
	/* both were allocated by libmicrohttpd */
	MHD_free(c->password);
	MHD_free(c->user);
	c->user = c->password = NULL;
}

/* The hash is part of it: what was right for an older configuration is not for this one. */
static int digest(const struct web_passwords *p, struct web_credentials *c)
{
	gnutls_hmac_hd_t h;

	if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA256, p->secret, sizeof(p->secret)) < 0)
		return -ENOMEM;
	/* the NULs keep the parts apart */
	gnutls_hmac(h, c->user, strlen(c->user) + 1);
	gnutls_hmac(h, c->hash, strlen(c->hash) + 1);
	gnutls_hmac(h, c->password, strlen(c->password));
	gnutls_hmac_deinit(h, c->digest);
	return 0;
}

/* A name that is not there takes as long as one that is. */
static void find_hash(const struct web_settings *s, struct web_credentials *c)
{
	c->hash = s->users.v[0].value;
	c->no_such_user = true;
	for (size_t i = 0; i < s->users.n; i++) {
		if (!strcmp(s->users.v[i].name, c->user)) {
			c->hash = s->users.v[i].value;
			c->no_such_user = false;
		}
	}
}

static bool knows(const struct web_passwords *p, bool right, const uint8_t *d)
{
	for (size_t i = 0; i < p->known[right].n; i++) {
		if (!gnutls_memcmp(p->known[right].digest[i], d, WEB_DIGEST))
			return true;
	}
	return false;
}

int web_password_known(struct web_passwords *p, const struct web_settings *s, struct web_credentials *c)
{
	int known = -EAGAIN, err;

	find_hash(s, c);
	err = digest(p, c);
	if (err)
		return err;
	pthread_mutex_lock(&p->lock);
	if (knows(p, true, c->digest))
		known = 1;
	else if (knows(p, false, c->digest))
		known = 0;
	pthread_mutex_unlock(&p->lock);
	return known;
}

/* Right ones are kept apart, so that guesses do not push them out. */
static void remember(struct web_passwords *p, bool right, const uint8_t *d)
{
	pthread_mutex_lock(&p->lock);
	memcpy(p->known[right].digest[p->known[right].next], d, WEB_DIGEST);
	p->known[right].next = (p->known[right].next + 1) % WEB_CHECKS;
	if (p->known[right].n < WEB_CHECKS)
		p->known[right].n++;
	pthread_mutex_unlock(&p->lock);
}

static bool matches(const struct web_credentials *c, struct crypt_data *data)
{
	const char *is = crypt_rn(c->password, c->hash, data, sizeof(*data));

	return is && strlen(is) == strlen(c->hash) && !gnutls_memcmp(is, c->hash, strlen(is)) && !c->no_such_user;
}

bool web_password_check(struct web_passwords *p, struct web_credentials *c)
{
	struct crypt_data *data;
	bool right;

	/* the same guess may have waited twice */
	pthread_mutex_lock(&p->lock);
	right = knows(p, true, c->digest);
	pthread_mutex_unlock(&p->lock);
	if (right)
		return true;
	data = calloc(1, sizeof(*data));
	if (!data)
		return false;
	right = matches(c, data);
	explicit_bzero(data, sizeof(*data));
	free(data);
	remember(p, right, c->digest);
	return right;
}
