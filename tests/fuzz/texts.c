// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Texts that others write, and values of options, as any bytes.  The first one says which text it is. */
#include "fuzz/input.h"
#include "vmalock/base.h"
#include "vmalock/cgroup.h"
#include "vmalock/export.h"

static void texts_part(const char *s, size_t room)
{
	fuzz_must(memchr(s, '\0', room) != NULL);
	fuzz_must_be_clean(s, strlen(s));
}

/* Of a clean path: parts of it are clean as well. */
static void texts_cgroup(const char *text, size_t n)
{
	char *path = malloc(4 * n + 1);
	struct vml_cgroup c;

	fuzz_must(path != NULL);
	vml_text_clean(path, 4 * n + 1, text, n);
	vml_cgroup_parse(path, &c);
	fuzz_must(*c.name && *c.kind && c.runtime);
	texts_part(c.name, sizeof(c.name));
	texts_part(c.path, sizeof(c.path));
	texts_part(c.unit, sizeof(c.unit));
	texts_part(c.pod_uid, sizeof(c.pod_uid));
	texts_part(c.container_id, sizeof(c.container_id));
	free(path);
}

/* Cleaning what is clean changes nothing, but for backslashes. */
static void texts_clean(const char *text, size_t n)
{
	char *once = malloc(4 * n + 1), *again = malloc(16 * n + 1), *raw = strndup(text, n);
	size_t len, backslashes = 0;

	fuzz_must(once && again && raw);
	len = vml_text_clean(once, 4 * n + 1, text, n);
	fuzz_must(len <= 4 * n && strlen(once) == len);
	fuzz_must_be_clean(once, len);
	for (const char *at = raw; *at; at++)
		backslashes += *at == '\\';
	fuzz_must(vml_text_is_clean(raw) == (len == strlen(raw) + backslashes) && vml_text_is_clean(once));
	for (size_t i = 0; i < len; i++)
		if (once[i] == '\\')
			once[i] = '/';
	fuzz_must(vml_text_clean(again, 16 * n + 1, once, len) == len && !memcmp(once, again, len));
	free(raw);
	free(once);
	free(again);
}

/* The header Accept of a scraper. */
static void texts_accept(const char *text, size_t n)
{
	char *accept = strndup(text, n);

	fuzz_must(accept && vml_export_negotiate(accept) <= VML_EXPORT_PROTOBUF);
	free(accept);
}

/* Values of options: what is taken is in its range, what is not has a reason. */
static void texts_options(const char *text, size_t n)
{
	char *s = strndup(text, n), error[VML_WHEN_ERROR] = "";
	const uint64_t now_ns = 1772330400000000000;
	uint64_t v = 0;
	uint32_t small = 5, *pids = NULL;
	double ratio = 0;
	size_t npids = 0;

	fuzz_must(s != NULL);
	fuzz_must(vml_parse_u32(s, 5, 99, &small) || (small >= 5 && small <= 99));
	fuzz_must(vml_parse_seconds(s, &v) || (v >= 1000000 && v <= 86400000000000));
	fuzz_must(vml_parse_duration(s, &v) || (v >= 1 && v <= 86400000000000));
	fuzz_must(vml_parse_bytes(s, 4096, 1ULL << 40, &v) || (v >= 4096 && v <= 1ULL << 40));
	fuzz_must(vml_parse_percent(s, 0.5, 100, &ratio) || (ratio >= 0.5 && ratio <= 100));
	fuzz_must(vml_parse_when(s, now_ns, &v, error) ? *error : v <= INT64_MAX);
	if (!vml_parse_pids(s, &pids, &npids))
		fuzz_must(npids > 0 && npids <= n && pids[npids - 1] >= 1 && pids[npids - 1] <= 4194304);
	free(pids);
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const each[])(const char *, size_t) = { texts_cgroup, texts_accept, texts_clean, texts_options };

	if (size >= 2)
		each[data[0] % VML_ARRAY_SIZE(each)]((const char *)data + 1, size - 1);
	return 0;
}
