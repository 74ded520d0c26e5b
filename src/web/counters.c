// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "web/web.h"

void web_count_request(struct vml_web *web, const struct vml_web_page *page, unsigned int code)
{
	size_t row = page ? (size_t)(page - web->pages) : web->npages;

	atomic_fetch_add(&web->requests[row * WEB_CODES + (code < WEB_CODES ? code : 500)], 1);
}

void web_count_rejected(struct vml_web *web, enum vml_web_rejected cause)
{
	atomic_fetch_add(&web->rejected[cause], 1);
}

void vml_web_requests(const struct vml_web *web,
		      void (*f)(void *context, const char *handler, unsigned int code, uint64_t count), void *context)
{
	for (size_t row = 0; row <= web->npages; row++) {
		const char *handler = row < web->npages ? web->pages[row].path : "other";

		for (unsigned int code = 0; code < WEB_CODES; code++) {
			uint64_t count = atomic_load(&web->requests[row * WEB_CODES + code]);

			if (count)
				f(context, handler, code, count);
		}
	}
}

const char *vml_web_rejected_name(enum vml_web_rejected cause)
{
	static const char *const names[VML_WEB_REJECTED_COUNT] = {
		[VML_WEB_REJECTED_ADDRESS] = "address_limit",
		[VML_WEB_REJECTED_PEER] = "peer",
		[VML_WEB_REJECTED_TLS] = "tls",
		[VML_WEB_REJECTED_CERTIFICATE] = "client_certificate",
		[VML_WEB_REJECTED_AUTHENTICATION] = "authentication",
		[VML_WEB_REJECTED_METHOD] = "method",
		[VML_WEB_REJECTED_MALFORMED] = "malformed",
		[VML_WEB_REJECTED_RATE] = "rate_limit",
		[VML_WEB_REJECTED_BUSY] = "busy",
		[VML_WEB_REJECTED_TIMEOUT] = "timeout",
	};

	return names[cause];
}

uint64_t vml_web_rejected_count(const struct vml_web *web, enum vml_web_rejected cause)
{
	return atomic_load(&web->rejected[cause]);
}
