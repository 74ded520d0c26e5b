// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "web/web.h"

static int gnutls_failed(char error[VML_WEB_ERROR_MAX], const char *what, int rc)
{
	return web_error(error, rc == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL, "%s: %s", what, gnutls_strerror(rc));
}

/* GnuTLS takes the parts of a list one by one and ignores what it has already. */
static void add_list(FILE *out, const struct web_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		fprintf(out, ":%s", list->v[i].value);
}

static char *priority_text(const struct web_settings *s)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return NULL;
	fputs("NORMAL:-VERS-ALL", out);
	if (s->max_version >= 13)
		fputs(":+VERS-TLS1.3", out);
	if (s->min_version <= 12)
		fputs(":+VERS-TLS1.2", out);
	if (!s->client_precedence)
		fputs(":%SERVER_PRECEDENCE", out);
	if (s->ciphers.n) {
		fputs(":-KX-ALL:-CIPHER-ALL:-MAC-ALL", out);
		add_list(out, &s->ciphers);
	}
	if (s->curves.n) {
		fputs(":-GROUP-ALL", out);
		add_list(out, &s->curves);
	}
	vml_text_close(out, &text);
	return text;
}

static int load_priority(struct web_config *c, char error[VML_WEB_ERROR_MAX])
{
	char *text = priority_text(c->settings);
	int rc;

	if (!text)
		return web_error(error, -ENOMEM, "out of memory");
	rc = gnutls_priority_init(&c->priority, text, NULL);
	free(text);
	if (rc == GNUTLS_E_NO_PRIORITIES_WERE_SET)
		return web_error(error, -EINVAL,
				 "tls_server_config: no cipher suite is left between min_version, max_version and "
				 "cipher_suites");
	return rc < 0 ? gnutls_failed(error, "tls_server_config", rc) : 0;
}

int web_tls_load(struct web_config *c, const struct web_pem *pem, char error[VML_WEB_ERROR_MAX])
{
	int rc = gnutls_certificate_allocate_credentials(&c->credentials);

	if (rc < 0)
		return gnutls_failed(error, "TLS", rc);
	/* also says when the key is that of another certificate */
	rc = gnutls_certificate_set_x509_key_mem2(c->credentials, &pem->cert, &pem->key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0)
		return gnutls_failed(error, "certificate and key", rc);
	if (pem->client_ca.size) {
		rc = gnutls_certificate_set_x509_trust_mem(c->credentials, &pem->client_ca, GNUTLS_X509_FMT_PEM);
		if (rc <= 0)
			return gnutls_failed(error, "client_ca_file", rc ? rc : GNUTLS_E_NO_CERTIFICATE_FOUND);
	}
	return load_priority(c, error);
}

void web_tls_unload(struct web_config *c)
{
	if (c->priority)
		gnutls_priority_deinit(c->priority);
	if (c->credentials)
		gnutls_certificate_free_credentials(c->credentials);
}

/* ---- sessions */

/* libmicrohttpd keeps its connection in the session's pointer */
static int shaken(gnutls_session_t session, unsigned int type, unsigned int when, unsigned int incoming,
		  const gnutls_datum_t *message)
{
	(void)type, (void)when, (void)message;
	if (incoming)
		web_connection_of(gnutls_session_get_ptr(session))->shaken = true;
	return 0;
}

int web_tls_session(gnutls_session_t session, const struct web_config *c)
{
	int rc = gnutls_priority_set(session, c->priority);

	if (rc >= 0)
		rc = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->credentials);
	if (rc < 0)
		return rc == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	/* Not required here: libmicrohttpd would close the connection without a word. web_tls_client() insists. */
	gnutls_certificate_server_set_request(
		session, c->settings->client_auth == WEB_CLIENT_NONE ? GNUTLS_CERT_IGNORE : GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, shaken);
	return 0;
}

/* An alternative name as Go prints it; NULL when there is no such text. */
static const char *name_text(int type, char *name, size_t n, char *buf, size_t size)
{
	if (type == GNUTLS_SAN_IPADDRESS)
		return n == 4 || n == 16 ? inet_ntop(n == 4 ? AF_INET : AF_INET6, name, buf, (socklen_t)size) : NULL;
	/* a NUL in it would hide the rest */
	return strnlen(name, n) == n ? name : NULL;
}

/* One of the certificate's alternative names is one of the list, to the letter, as in the toolkit. */
static bool has_name(const gnutls_datum_t *der, const struct web_list *names)
{
	char name[512], address[INET6_ADDRSTRLEN];
	gnutls_x509_crt_t crt;
	bool found = false;
	int rc = 0;

	if (gnutls_x509_crt_init(&crt) < 0)
		return false;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) < 0)
		rc = GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	for (unsigned int i = 0; rc != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE && !found; i++) {
		size_t n = sizeof(name) - 1;
		const char *text = NULL;

		memset(name, 0, sizeof(name));
		rc = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &n, NULL);
		/* too long for the buffer: none of ours */
		if (rc >= 0 && n < sizeof(name))
			text = name_text(rc, name, n, address, sizeof(address));
		for (size_t k = 0; text && k < names->n; k++)
			found |= !strcmp(text, names->v[k].name);
	}
	gnutls_x509_crt_deinit(crt);
	return found;
}

int web_tls_client(gnutls_session_t session, const struct web_config *c, const char **ret_why)
{
	const struct web_settings *s = c->settings;
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (void *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	const gnutls_datum_t *peer;
	unsigned int n = 0, status = 0;

	if (s->client_auth <= WEB_CLIENT_REQUEST)
		return 0;
	peer = gnutls_certificate_get_peers(session, &n);
	if (!peer || !n) {
		*ret_why = "a client certificate is required";
		return s->client_auth == WEB_CLIENT_VERIFY_GIVEN ? 0 : -EACCES;
	}
	if (s->client_auth == WEB_CLIENT_ANY)
		return 0;
	*ret_why = "the client certificate could not be verified";
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status)
		return -EACCES;
	*ret_why = "the client certificate has none of the allowed names";
	return !s->client_sans.n || has_name(&peer[0], &s->client_sans) ? 0 : -EACCES;
}
