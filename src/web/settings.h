/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VML_WEB_SETTINGS_H
#define VML_WEB_SETTINGS_H
/*
 * The web configuration file of the Prometheus exporters, as text; no file is opened.
 * Source: prometheus/exporter-toolkit, docs/web-configuration.md
 */
#include "vmalock/base.h"

enum web_client_auth {
	WEB_CLIENT_NONE, /* NoClientCert */
	WEB_CLIENT_REQUEST, /* RequestClientCert: asked for, not looked at */
	WEB_CLIENT_ANY, /* RequireAnyClientCert, RequireClientCert: any, not verified */
	WEB_CLIENT_VERIFY_GIVEN, /* VerifyClientCertIfGiven */
	WEB_CLIENT_VERIFY, /* RequireAndVerifyClientCert */
};

struct web_pair {
	const char *name, *value;
};

struct web_list {
	struct web_pair *v; /* a list of texts has names only */
	size_t n;
};

struct web_settings {
	struct vml_arena *arena; /* all that follows */
	bool tls;
	const char *cert_file, *key_file, *client_ca_file; /* as written; NULL */
	const char *cert, *key, *client_ca; /* PEM; NULL */
	enum web_client_auth client_auth;
	struct web_list client_sans;
	int min_version, max_version; /* 12, 13 */
	struct web_list ciphers, curves; /* Go's names, all known */
	bool client_precedence; /* prefer_server_cipher_suites: false */
	struct web_list headers;
	struct web_list users; /* name, bcrypt hash */
	double rate_per_s, burst; /* 0: no limit */
	struct web_list warnings; /* whole sentences */
};

/*
 * NULL on errors: -EINVAL, -ENOMEM, and @error says where and what.  An empty
 * text is a configuration that demands nothing.
 */
int web_settings_parse(const char *text, size_t len, struct web_settings **ret, char *error, size_t n);
/* NULL is fine. */
void web_settings_free(struct web_settings *s);

#endif
