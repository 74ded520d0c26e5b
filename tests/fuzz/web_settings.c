// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The web configuration file, as any bytes. */
#include <stdlib.h>
#include <string.h>

#include "web/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct web_settings *s = NULL;
	char error[256];
	int err = web_settings_parse((const char *)data, size, &s, error, sizeof(error));

	/* what is refused has a reason, what is taken has all that is used of it */
	if (err ? s != NULL || !strlen(error) : !s)
		abort();
	for (size_t i = 0; s && i < s->users.n; i++) {
		if (strlen(s->users.v[i].value) != 60)
			abort();
	}
	for (size_t i = 0; s && s->tls && i < s->ciphers.n; i++) {
		if (!s->ciphers.v[i].value)
			abort();
	}
	web_settings_free(s);
	return 0;
}
