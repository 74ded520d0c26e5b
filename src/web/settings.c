// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "web/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* bcrypt's time doubles with each: 16 takes some 3 s */
#define COST_MIN 4
#define COST_MAX 16
#define BURST 20 /* the toolkit's */

struct reader {
	yaml_document_t document;
	struct web_settings *s;
	bool http2;
	uint64_t interval_ns;
	uint32_t burst;
	const char *min_version, *max_version, *client_auth;
	char *error;
	size_t n;
};

static int bad(struct reader *r, const yaml_node_t *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int bad(struct reader *r, const yaml_node_t *at, const char *fmt, ...)
{
	size_t len = 0;
	va_list ap;

	if (at)
		len = (size_t)snprintf(r->error, r->n, "line %zu: ", at->start_mark.line + 1);
	va_start(ap, fmt);
	vsnprintf(r->error + len, r->n - len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int add(struct reader *r, struct web_list *list, const char *name, const char *value)
{
	/* power-of-two growth; what is outgrown stays in the arena */
	if (!(list->n & (list->n - 1))) {
		struct web_pair *v = vml_arena_alloc(r->s->arena, (list->n ? 2 * list->n : 1) * sizeof(*v));

		if (!v)
			return -ENOMEM;
		if (list->n)
			memcpy(v, list->v, list->n * sizeof(*v));
		list->v = v;
	}
	list->v[list->n++] = (struct web_pair){ name, value };
	return 0;
}

static int warn(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int warn(struct reader *r, const char *fmt, ...)
{
	char text[256], *kept;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kept = vml_arena_strdup(r->s->arena, text);
	return kept ? add(r, &r->s->warnings, kept, NULL) : -ENOMEM;
}

/* ---- values */

static bool is_null(const yaml_node_t *node)
{
	const char *v = (const char *)node->data.scalar.value;

	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*v || !strcmp(v, "~") || !strcasecmp(v, "null"));
}

static int read_text(struct reader *r, const yaml_node_t *node, const char **ret)
{
	if (node->type != YAML_SCALAR_NODE || strlen((char *)node->data.scalar.value) != node->data.scalar.length)
		return bad(r, node, "a text is expected here");
	*ret = vml_arena_strdup(r->s->arena, (char *)node->data.scalar.value);
	return *ret ? 0 : -ENOMEM;
}

/* "" is as good as not there, as in the toolkit */
static int read_string(struct reader *r, const yaml_node_t *node, void *out)
{
	const char *text, **ret = out;
	int err = is_null(node) ? 0 : read_text(r, node, &text);

	if (!err && !is_null(node) && *text)
		*ret = text;
	return err;
}

static int read_bool(struct reader *r, const yaml_node_t *node, void *out)
{
	static const char *const words[2][4] = { { "false", "no", "off", "n" }, { "true", "yes", "on", "y" } };

	for (size_t i = 0; node->type == YAML_SCALAR_NODE && i < 8; i++) {
		if (!strcasecmp((char *)node->data.scalar.value, words[i / 4][i % 4])) {
			*(bool *)out = i / 4;
			return 0;
		}
	}
	return is_null(node) ? 0 : bad(r, node, "true or false is expected here");
}

static int read_list(struct reader *r, const yaml_node_t *node, void *out)
{
	if (is_null(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return bad(r, node, "a list is expected here");
	for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
		const char *text;
		int err = read_text(r, yaml_document_get_node(&r->document, *i), &text);

		if (!err)
			err = add(r, out, text, NULL);
		if (err)
			return err;
	}
	return 0;
}

/* Calls @each for every pair; a key that is there twice is an error. */
static int read_pairs(struct reader *r, const yaml_node_t *node, void *out,
		      int (*each)(struct reader *r, const yaml_node_t *key, const char *name, const yaml_node_t *value,
				  void *out))
{
	if (is_null(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return bad(r, node, "keys with values are expected here");
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
		const char *name;
		int err = read_text(r, key, &name);

		for (yaml_node_pair_t *q = node->data.mapping.pairs.start; !err && q < p; q++) {
			const yaml_node_t *other = yaml_document_get_node(&r->document, q->key);

			if (!strcmp((char *)other->data.scalar.value, name))
				err = bad(r, key, "'%s' is there twice", name);
		}
		if (!err)
			err = each(r, key, name, yaml_document_get_node(&r->document, p->value), out);
		if (err)
			return err;
	}
	return 0;
}

struct key {
	const char *name;
	int (*read)(struct reader *r, const yaml_node_t *value, void *out);
	void *out;
};

static int read_known(struct reader *r, const yaml_node_t *at, const char *name, const yaml_node_t *value, void *out)
{
	for (const struct key *k = out; k->name; k++) {
		if (!strcmp(k->name, name))
			return k->read(r, value, k->out);
	}
	return bad(r, at, "unknown key '%s'", name);
}

/* ---- tls_server_config */

/* Go's names, and what GnuTLS calls their parts. */
static const struct web_pair known_ciphers[] = {
	{ "TLS_RSA_WITH_AES_128_CBC_SHA", "+RSA:+AES-128-CBC:+SHA1" },
	{ "TLS_RSA_WITH_AES_256_CBC_SHA", "+RSA:+AES-256-CBC:+SHA1" },
	{ "TLS_RSA_WITH_AES_128_GCM_SHA256", "+RSA:+AES-128-GCM:+AEAD" },
	{ "TLS_RSA_WITH_AES_256_GCM_SHA384", "+RSA:+AES-256-GCM:+AEAD" },
	{ "TLS_AES_128_GCM_SHA256", "+AES-128-GCM:+AEAD" },
	{ "TLS_AES_256_GCM_SHA384", "+AES-256-GCM:+AEAD" },
	{ "TLS_CHACHA20_POLY1305_SHA256", "+CHACHA20-POLY1305:+AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "+ECDHE-ECDSA:+AES-128-CBC:+SHA1" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "+ECDHE-ECDSA:+AES-256-CBC:+SHA1" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "+ECDHE-RSA:+AES-128-CBC:+SHA1" },
	{ "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "+ECDHE-RSA:+AES-256-CBC:+SHA1" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "+ECDHE-ECDSA:+AES-128-GCM:+AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "+ECDHE-ECDSA:+AES-256-GCM:+AEAD" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "+ECDHE-RSA:+AES-128-GCM:+AEAD" },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "+ECDHE-RSA:+AES-256-GCM:+AEAD" },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "+ECDHE-RSA:+CHACHA20-POLY1305:+AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "+ECDHE-ECDSA:+CHACHA20-POLY1305:+AEAD" },
};
static const struct web_pair known_curves[] = {
	{ "CurveP256", "+GROUP-SECP256R1" },
	{ "CurveP384", "+GROUP-SECP384R1" },
	{ "CurveP521", "+GROUP-SECP521R1" },
	{ "X25519", "+GROUP-X25519" },
};

static int know(struct reader *r, struct web_list *list, const char *what, const struct web_pair *known, size_t n)
{
	for (size_t i = 0; i < list->n; i++) {
		for (size_t k = 0; k < n && !list->v[i].value; k++) {
			if (!strcmp(list->v[i].name, known[k].name))
				list->v[i].value = known[k].value;
		}
		if (!list->v[i].value)
			return bad(r, NULL, "tls_server_config: unknown %s '%s'", what, list->v[i].name);
	}
	return 0;
}

static int version(struct reader *r, const char *key, const char *text, int *ret)
{
	static const char *const names[] = { "TLS10", "TLS11", "TLS12", "TLS13" };

	for (size_t i = 0; text && i < VML_ARRAY_SIZE(names); i++) {
		if (!strcmp(text, names[i])) {
			*ret = 10 + (int)i;
			return 0;
		}
	}
	return text ? bad(r, NULL, "tls_server_config: %s: unknown version '%s'", key, text) : 0;
}

static int check_versions(struct reader *r)
{
	struct web_settings *s = r->s;
	int err = version(r, "min_version", r->min_version, &s->min_version);

	if (!err)
		err = version(r, "max_version", r->max_version, &s->max_version);
	if (!err && s->max_version < 12)
		err = bad(r, NULL, "tls_server_config: max_version %s: only TLS12 and TLS13 are served",
			  r->max_version);
	if (!err && s->min_version < 12) {
		s->min_version = 12;
		err = warn(r, "min_version %s: TLS12 is the lowest that is served", r->min_version);
	}
	if (!err && s->min_version > s->max_version)
		err = bad(r, NULL, "tls_server_config: min_version is above max_version");
	return err;
}

static int check_client_auth(struct reader *r)
{
	static const struct {
		const char *name;
		enum web_client_auth auth;
	} known[] = {
		{ "NoClientCert", WEB_CLIENT_NONE },
		{ "RequestClientCert", WEB_CLIENT_REQUEST },
		{ "RequireClientCert", WEB_CLIENT_ANY },
		{ "RequireAnyClientCert", WEB_CLIENT_ANY },
		{ "VerifyClientCertIfGiven", WEB_CLIENT_VERIFY_GIVEN },
		{ "RequireAndVerifyClientCert", WEB_CLIENT_VERIFY },
	};
	struct web_settings *s = r->s;
	bool ca = s->client_ca || s->client_ca_file;
	size_t i = 0;

	while (r->client_auth && i < VML_ARRAY_SIZE(known) && strcmp(known[i].name, r->client_auth))
		i++;
	if (i == VML_ARRAY_SIZE(known))
		return bad(r, NULL, "tls_server_config: unknown client_auth_type '%s'", r->client_auth);
	s->client_auth = known[i].auth;
	if (ca && s->client_auth == WEB_CLIENT_NONE)
		return bad(r, NULL, "tls_server_config: client_ca_file is of no use without client_auth_type");
	if (!ca && s->client_auth >= WEB_CLIENT_VERIFY_GIVEN)
		return bad(r, NULL, "tls_server_config: %s needs client_ca_file", r->client_auth);
	if (s->client_sans.n && s->client_auth != WEB_CLIENT_VERIFY)
		return bad(r, NULL, "tls_server_config: client_allowed_sans needs RequireAndVerifyClientCert");
	return 0;
}

static int check_tls(struct reader *r)
{
	struct web_settings *s = r->s;
	int err;

	s->tls =
		s->cert || s->cert_file || s->key || s->key_file || s->client_ca || s->client_ca_file || r->client_auth;
	if (!s->tls)
		return 0;
	if (!s->cert == !s->cert_file)
		return bad(r, NULL, "tls_server_config: one of cert_file and cert is needed");
	if (!s->key == !s->key_file)
		return bad(r, NULL, "tls_server_config: one of key_file and key is needed");
	if (s->client_ca && s->client_ca_file)
		return bad(r, NULL, "tls_server_config: client_ca_file and client_ca exclude each other");
	err = check_client_auth(r);
	if (!err)
		err = check_versions(r);
	if (!err)
		err = know(r, &s->ciphers, "cipher suite", known_ciphers, VML_ARRAY_SIZE(known_ciphers));
	if (!err)
		err = know(r, &s->curves, "curve", known_curves, VML_ARRAY_SIZE(known_curves));
	if (!err && s->ciphers.n)
		err = warn(r, "cipher_suites are taken apart: every combination of their key exchanges, ciphers and "
			      "MACs is allowed, in TLS 1.3 too");
	return err;
}

static int read_tls(struct reader *r, const yaml_node_t *node, void *out)
{
	struct web_settings *s = out;
	bool prefer = true;
	const struct key keys[] = {
		{ "cert", read_string, &s->cert },
		{ "cert_file", read_string, &s->cert_file },
		{ "key", read_string, &s->key },
		{ "key_file", read_string, &s->key_file },
		{ "client_ca", read_string, &s->client_ca },
		{ "client_ca_file", read_string, &s->client_ca_file },
		{ "client_auth_type", read_string, &r->client_auth },
		{ "client_allowed_sans", read_list, &s->client_sans },
		{ "min_version", read_string, &r->min_version },
		{ "max_version", read_string, &r->max_version },
		{ "cipher_suites", read_list, &s->ciphers },
		{ "curve_preferences", read_list, &s->curves },
		{ "prefer_server_cipher_suites", read_bool, &prefer },
		{ NULL, NULL, NULL },
	};
	int err = read_pairs(r, node, (void *)keys, read_known);

	s->client_precedence = !prefer;
	return err;
}

/* ---- http_server_config, rate_limit, basic_auth_users */

static int read_header(struct reader *r, const yaml_node_t *at, const char *name, const yaml_node_t *value, void *out)
{
	static const struct {
		const char *name, *values[2];
	} known[] = {
		{ "Strict-Transport-Security", { NULL } },	 { "X-Content-Type-Options", { "nosniff" } },
		{ "X-Frame-Options", { "deny", "sameorigin" } }, { "X-XSS-Protection", { NULL } },
		{ "Content-Security-Policy", { NULL } },
	};
	size_t i = 0;
	const char *text;
	int err = read_text(r, value, &text);

	if (err)
		return err;
	while (i < VML_ARRAY_SIZE(known) && strcasecmp(known[i].name, name))
		i++;
	if (i == VML_ARRAY_SIZE(known))
		return bad(r, at, "header '%s' cannot be set", name);
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return bad(r, value, "header '%s': control characters cannot be sent", name);
	}
	if (!*text)
		return 0;
	if (known[i].values[0] && strcasecmp(text, known[i].values[0]) &&
	    (!known[i].values[1] || strcasecmp(text, known[i].values[1])))
		return bad(r, value, "header '%s' cannot have the value '%s'", name, text);
	return add(r, out, known[i].name, text);
}

static int read_headers(struct reader *r, const yaml_node_t *node, void *out)
{
	return read_pairs(r, node, out, read_header);
}

static int read_http(struct reader *r, const yaml_node_t *node, void *out)
{
	struct web_settings *s = out;
	const struct key keys[] = {
		{ "http2", read_bool, &r->http2 },
		{ "headers", read_headers, &s->headers },
		{ NULL, NULL, NULL },
	};
	int err = read_pairs(r, node, (void *)keys, read_known);

	return err || !r->http2 ? err : warn(r, "http2 is not served: HTTP/1.1 is");
}

static int read_interval(struct reader *r, const yaml_node_t *node, void *out)
{
	const char *text;
	int err = read_text(r, node, &text);

	if (err || is_null(node) || !strcmp(text, "0") || !strcmp(text, "0s"))
		return err;
	return vml_parse_duration(text, out) ? bad(r, node, "'%s' is no duration; 100ms and 1.5s are", text) : 0;
}

static int read_burst(struct reader *r, const yaml_node_t *node, void *out)
{
	const char *text;
	int err = read_text(r, node, &text);

	if (err || is_null(node))
		return err;
	return vml_parse_u32(text, 1, 1000000, out) ? bad(r, node, "'%s' is no burst; 1 to 1000000 are", text) : 0;
}

static int read_rate(struct reader *r, const yaml_node_t *node, void *out)
{
	struct web_settings *s = out;
	const struct key keys[] = {
		{ "interval", read_interval, &r->interval_ns },
		{ "burst", read_burst, &r->burst },
		{ NULL, NULL, NULL },
	};
	int err = read_pairs(r, node, (void *)keys, read_known);

	if (!err && r->interval_ns) {
		s->rate_per_s = 1e9 / (double)r->interval_ns;
		s->burst = r->burst;
	}
	return err;
}

static bool is_bcrypt(const char *hash)
{
	static const char base64[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	return strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) && hash[3] == '$' &&
	       strspn(hash + 4, "0123456789") == 2 && hash[6] == '$' && strspn(hash + 7, base64) == 53;
}

/* The hash is a secret: it is in no message. */
static int read_user(struct reader *r, const yaml_node_t *at, const char *name, const yaml_node_t *value, void *out)
{
	const char *hash;
	int err = read_text(r, value, &hash), cost;

	if (err)
		return err;
	if (!*name || strchr(name, ':'))
		return bad(r, at, "basic_auth_users: '%s' cannot be a user's name", name);
	if (!is_bcrypt(hash))
		return bad(r, value, "basic_auth_users: the hash of '%s' is none of bcrypt ($2a$, $2b$, $2y$)", name);
	cost = atoi(hash + 4);
	if (cost < COST_MIN || cost > COST_MAX)
		return bad(r, value, "basic_auth_users: the hash of '%s' has cost %d; %d to %d are possible", name,
			   cost, COST_MIN, COST_MAX);
	return add(r, out, name, hash);
}

static int read_users(struct reader *r, const yaml_node_t *node, void *out)
{
	return read_pairs(r, node, out, read_user);
}

/* ---- the file */

static int read_document(struct reader *r)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->document);
	const struct key keys[] = {
		{ "tls_server_config", read_tls, r->s },
		{ "http_server_config", read_http, r->s },
		{ "rate_limit", read_rate, r->s },
		{ "basic_auth_users", read_users, &r->s->users },
		{ NULL, NULL, NULL },
	};
	int err = root ? read_pairs(r, root, (void *)keys, read_known) : 0;

	return err ? err : check_tls(r);
}

static int parser_error(struct reader *r, const yaml_parser_t *p)
{
	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	snprintf(r->error, r->n, "line %zu: no YAML: %s", p->problem_mark.line + 1,
		 p->problem ? p->problem : "unknown problem");
	return -EINVAL;
}

/* One document and nothing behind it. */
static int load(struct reader *r, yaml_parser_t *p)
{
	yaml_document_t more;
	int err;

	if (!yaml_parser_load(p, &r->document))
		return parser_error(r, p);
	err = read_document(r);
	if (!err && yaml_document_get_root_node(&r->document)) {
		if (!yaml_parser_load(p, &more)) {
			err = parser_error(r, p);
		} else {
			if (yaml_document_get_root_node(&more))
				err = bad(r, NULL, "more than one YAML document");
			yaml_document_delete(&more);
		}
	}
	yaml_document_delete(&r->document);
	return err;
}

int web_settings_parse(const char *text, size_t len, struct web_settings **ret, char *error, size_t n)
{
	struct vml_arena *arena = vml_arena_new();
	struct reader r = { .burst = BURST, .error = error, .n = n };
	yaml_parser_t p;
	int err = -ENOMEM;

	snprintf(error, n, "out of memory");
	if (arena)
		r.s = vml_arena_alloc(arena, sizeof(*r.s));
	if (!r.s || !yaml_parser_initialize(&p)) {
		vml_arena_free(arena);
		return -ENOMEM;
	}
	*r.s = (struct web_settings){ .arena = arena, .min_version = 12, .max_version = 13 };
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	err = load(&r, &p);
	yaml_parser_delete(&p);
	if (err)
		vml_arena_free(arena);
	else
		*ret = r.s;
	return err;
}

void web_settings_free(struct web_settings *s)
{
	if (s)
		vml_arena_free(s->arena);
}
