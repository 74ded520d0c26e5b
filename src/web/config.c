// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "web/web.h"

#define FILE_MAX (1 << 20)

void web_config_unref(struct web_config *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	web_tls_unload(c);
	web_settings_free(c->settings);
	free(c);
}

struct web_config *web_config_get(struct vml_web *web)
{
	struct web_config *c;

	pthread_mutex_lock(&web->lock);
	c = web->config;
	atomic_fetch_add(&c->refs, 1);
	pthread_mutex_unlock(&web->lock);
	return c;
}

/* ---- files, and what they were when they were read */

static void stamps_clear(struct web_stamps *stamps)
{
	for (size_t i = 0; i < stamps->n; i++)
		free(stamps->s[i].path);
	free(stamps->s);
	*stamps = (struct web_stamps){ 0 };
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool changed(const struct web_stamps *stamps)
{
	struct stat now;

	for (size_t i = 0; i < stamps->n; i++) {
		if (stat(stamps->s[i].path, &now))
			memset(&now, 0, sizeof(now));
		if (!same(&now, &stamps->s[i].st))
			return true;
	}
	return false;
}

static struct web_stamp *stamp_add(struct web_stamps *stamps, char *path)
{
	struct web_stamp *s = path ? realloc(stamps->s, (stamps->n + 1) * sizeof(*s)) : NULL;

	if (!s) {
		free(path);
		return NULL;
	}
	stamps->s = s;
	s[stamps->n] = (struct web_stamp){ .path = path };
	return &s[stamps->n++];
}

static int read_all(int fd, const struct stat *st, gnutls_datum_t *ret)
{
	size_t len = 0, size = (size_t)st->st_size + 1;
	unsigned char *data;
	ssize_t n = 1;

	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	if (st->st_size > FILE_MAX)
		return -EFBIG;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	while (len < size && (n = read(fd, data + len, size - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		int err = -errno;

		free(data);
		return err;
	}
	*ret = (gnutls_datum_t){ data, (unsigned int)len };
	return 0;
}

/* The stamp is that of what was opened.  A file that cannot be read is looked at again when it changes, too. */
static int read_file(struct web_stamps *stamps, char *path, gnutls_datum_t *ret, char error[VML_WEB_ERROR_MAX])
{
	struct web_stamp *stamp = stamp_add(stamps, path);
	int fd, err = 0;

	if (!stamp)
		return web_error(error, -ENOMEM, "out of memory");
	/* not to hang on a FIFO */
	fd = open(stamp->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &stamp->st))
		err = -errno;
	if (fd < 0 && stat(stamp->path, &stamp->st))
		memset(&stamp->st, 0, sizeof(stamp->st));
	if (!err)
		err = read_all(fd, &stamp->st, ret);
	if (fd >= 0)
		close(fd);
	return err ? web_error(error, err, "cannot read %s: %s", stamp->path,
			       err == -EINVAL ? "no regular file" : strerror(-err))
		   : 0;
}

/* Paths in the file are relative to its folder. */
static char *beside(const char *config_file, const char *path)
{
	const char *slash = strrchr(config_file, '/');
	char *joined = NULL;

	if (*path == '/' || !slash)
		return strdup(path);
	return asprintf(&joined, "%.*s%s", (int)(slash + 1 - config_file), config_file, path) < 0 ? NULL : joined;
}

/* ---- loading */

static int pem_load(struct web_stamps *stamps, const char *config_file, const char *path, const char *text,
		    gnutls_datum_t *ret, char error[VML_WEB_ERROR_MAX])
{
	if (path)
		return read_file(stamps, beside(config_file, path), ret, error);
	if (!text)
		return 0;
	ret->data = (unsigned char *)strdup(text);
	if (!ret->data)
		return web_error(error, -ENOMEM, "out of memory");
	ret->size = (unsigned int)strlen(text);
	return 0;
}

static void pem_free(gnutls_datum_t *d)
{
	if (d->data)
		explicit_bzero(d->data, d->size);
	free(d->data);
}

static int tls_load(struct web_config *c, struct web_stamps *stamps, const char *file, char error[VML_WEB_ERROR_MAX])
{
	const struct web_settings *s = c->settings;
	struct web_pem pem = { 0 };
	int err = pem_load(stamps, file, s->cert_file, s->cert, &pem.cert, error);

	if (!err)
		err = pem_load(stamps, file, s->key_file, s->key, &pem.key, error);
	if (!err)
		err = pem_load(stamps, file, s->client_ca_file, s->client_ca, &pem.client_ca, error);
	if (!err)
		err = web_tls_load(c, &pem, error);
	pem_free(&pem.cert);
	pem_free(&pem.key);
	pem_free(&pem.client_ca);
	return err;
}

static int parse(const char *file, const gnutls_datum_t *text, struct web_config *c, char error[VML_WEB_ERROR_MAX])
{
	char why[VML_WEB_ERROR_MAX / 2];
	int err = web_settings_parse(text->data ? (char *)text->data : "", text->size, &c->settings, why, sizeof(why));

	return err ? web_error(error, err, "%s: %s", file, why) : 0;
}

/* Without a file: a configuration that demands nothing. */
static int load(const char *file, struct web_stamps *stamps, struct web_config **ret, char error[VML_WEB_ERROR_MAX])
{
	struct web_config *c = calloc(1, sizeof(*c));
	gnutls_datum_t text = { 0 };
	char why[VML_WEB_ERROR_MAX];
	int err;

	if (!c)
		return web_error(error, -ENOMEM, "out of memory");
	c->refs = 1;
	err = file ? read_file(stamps, strdup(file), &text, error) : 0;
	if (!err)
		err = parse(file, &text, c, error);
	pem_free(&text);
	if (!err && c->settings->tls) {
		err = tls_load(c, stamps, file, why);
		if (err)
			web_error(error, err, "%s: %s", file, why);
	}
	if (err)
		web_config_unref(c);
	else
		*ret = c;
	return err;
}

static void warn(struct vml_web *web, const struct web_config *c)
{
	for (size_t i = 0; i < c->settings->warnings.n; i++)
		web_log(web, LOG_WARNING, "%s: %s", web->config_file, c->settings->warnings.v[i].name);
}

int web_config_first(struct vml_web *web, char error[VML_WEB_ERROR_MAX])
{
	int err = load(web->config_file, &web->stamps, &web->config, error);

	if (err)
		return err;
	web->tokens = web->config->settings->burst;
	atomic_store(&web->config_ok, true);
	warn(web, web->config);
	return 0;
}

static void put_in_force(struct vml_web *web, struct web_config *c)
{
	struct web_config *old;

	pthread_mutex_lock(&web->lock);
	old = web->config;
	web->config = c;
	web->tokens = c->settings->burst;
	pthread_mutex_unlock(&web->lock);
	web_config_unref(old);
	web_connections_renew(web);
}

void web_config_look(struct vml_web *web)
{
	struct web_stamps stamps = { 0 };
	struct web_config *c = NULL;
	char error[VML_WEB_ERROR_MAX];

	if (!web->config_file)
		return;
	pthread_mutex_lock(&web->config_lock);
	if (changed(&web->stamps)) {
		int err = load(web->config_file, &stamps, &c, error);

		if (err == -ENOMEM) {
			/* nobody's mistake: the next look tries again */
			stamps_clear(&stamps);
		} else {
			stamps_clear(&web->stamps);
			web->stamps = stamps;
		}
		atomic_store(&web->config_ok, !err);
		if (err) {
			web_log(web, LOG_ERR, "%s; the configuration read before stays in force", error);
		} else {
			put_in_force(web, c);
			web_log(web, LOG_INFO, "%s was read again", web->config_file);
			warn(web, c);
		}
	}
	pthread_mutex_unlock(&web->config_lock);
}

void web_config_close(struct vml_web *web)
{
	web_config_unref(web->config);
	stamps_clear(&web->stamps);
}

void vml_web_reload(struct vml_web *web)
{
	web_config_look(web);
}

bool vml_web_config_ok(const struct vml_web *web)
{
	return atomic_load(&web->config_ok);
}

bool web_config_authenticates(const struct web_config *c)
{
	return c->settings->users.n || c->settings->client_auth == WEB_CLIENT_VERIFY;
}

bool vml_web_authenticates(const struct vml_web *web)
{
	struct web_config *c = web_config_get((struct vml_web *)web);
	bool yes = web_config_authenticates(c);

	web_config_unref(c);
	return yes;
}
