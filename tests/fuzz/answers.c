// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a program that is no vmalockd may answer vmalocktop --connect: in place of libcurl (src/connect/http.c).
 * Each answer is made of the input: status, type, and a good recording, that with bytes changed or cut off, or
 * any bytes.  When the input is over, nobody answers any more.
 */
#include <errno.h>

#include "connect/http.h"
#include "fixtures/world.h"
#include "fuzz/input.h"
#include "vmalock/base.h"
#include "vmalock/connect.h"
#include "vmalock/sink.h"
#include "vmalock/store.h"

#define ANSWERS_MAX 16
#define ANSWERS_GOOD 3 /* recordings: from the first second to each of the next */

static struct {
	char *good[ANSWERS_GOOD];
	size_t size[ANSWERS_GOOD];
	struct fuzz_input in;
	char *body, type[128];
} answers;

static void answers_make(void)
{
	const struct world_options wo = { .seed = 6, .processes = 2, .threads = 2, .busy = 80, .stacks = 4 };
	struct world *w = world_new(&wo);
	struct vml_snapshot *begin = w ? world_snapshot(w) : NULL;

	fuzz_must(begin != NULL);
	for (int i = 0; i < ANSWERS_GOOD; i++) {
		struct vml_snapshot *s, *d = NULL;
		FILE *f = open_memstream(&answers.good[i], &answers.size[i]);

		world_step(w, 1000000000);
		s = world_snapshot(w);
		fuzz_must(f && s && !vml_delta(begin, s, &d) && !vml_recording_write(f, d) && !fclose(f));
		vml_snapshot_free(s);
		vml_snapshot_free(d);
	}
	vml_snapshot_free(begin);
	world_free(w);
}

/* ---- in place of libcurl */

int http_new(const char *path, bool (*stop)(uint64_t waited_ns), struct http **ret)
{
	(void)path, (void)stop;
	*ret = NULL;
	return 0;
}

void http_free(struct http *h)
{
	(void)h;
}

/* One after the other, or what only begins as one does. */
static const char *answers_type(void)
{
	uint64_t kind = fuzz_take(&answers.in, 1), number = fuzz_take(&answers.in, 1),
		 interval = fuzz_take(&answers.in, 4);
	size_t i;

	memset(answers.type, 0, sizeof(answers.type));
	if (kind % 4 < 2)
		snprintf(answers.type, sizeof(answers.type), VML_RECORDING_TYPE, number, interval);
	else if (kind % 4 == 2)
		snprintf(answers.type, sizeof(answers.type), VML_RECORDING_TYPE, UINT64_MAX - number, UINT64_MAX);
	else
		for (i = 0; i < number % (sizeof(answers.type) - 1); i++)
			answers.type[i] = (char)fuzz_take(&answers.in, 1);
	return answers.type;
}

static void answers_body(struct http_answer *a)
{
	uint64_t kind = fuzz_take(&answers.in, 1), which = fuzz_take(&answers.in, 1) % ANSWERS_GOOD,
		 n = fuzz_take(&answers.in, 1);

	free(answers.body);
	a->size = kind % 4 == 3 ? n : answers.size[which];
	answers.body = malloc(a->size + 1);
	fuzz_must(answers.body != NULL);
	memset(answers.body, 0, a->size + 1);
	if (kind % 4 != 3)
		memcpy(answers.body, answers.good[which], a->size);
	for (; n && kind % 4 == 1; n--)
		answers.body[fuzz_take(&answers.in, 3) % a->size] = (char)fuzz_take(&answers.in, 1);
	if (kind % 4 == 2)
		a->size = fuzz_take(&answers.in, 3) % a->size;
	for (size_t i = 0; i < a->size && kind % 4 == 3; i++)
		answers.body[i] = (char)fuzz_take(&answers.in, 1);
	a->body = answers.body;
}

int http_get(struct http *h, const char *target, struct http_answer *ret)
{
	static const long status[] = { 200, 200, 200, 200, 204, 404, 503, 302, 0 };
	static const int failed[] = { 0, 0, 0, 0, 0, -EPIPE, -ETIMEDOUT, -EBADMSG, -EFBIG, -ENOMEM };
	int err = failed[fuzz_take(&answers.in, 1) % VML_ARRAY_SIZE(failed)];

	(void)h;
	fuzz_must(!strncmp(target, VML_RECORDING_PATH "?after=", strlen(VML_RECORDING_PATH "?after=")));
	if (answers.in.at >= answers.in.end)
		return -ECONNREFUSED;
	if (err)
		return err;
	*ret = (struct http_answer){ .status = status[fuzz_take(&answers.in, 1) % VML_ARRAY_SIZE(status)] };
	ret->type = answers_type();
	answers_body(ret);
	return 0;
}

/* ---- the source */

/* As a program takes them: deltas of one after the other, printed. */
static void answers_use(struct vml_snapshot **before, struct vml_snapshot *s)
{
	const struct vml_view view = { .limit = UINT32_MAX };
	struct vml_snapshot *d = NULL;
	char *text = NULL;
	size_t n;
	FILE *f;

	fuzz_must(s->interval_ns == 0 && s->nloss > 0);
	fuzz_must(!strcmp(s->loss[s->nloss - 1].cause, "missed_snapshots"));
	if (*before && !vml_delta(*before, s, &d)) {
		f = open_memstream(&text, &n);
		fuzz_must(f && !vml_json_write(f, d, &view) && !fclose(f));
		free(text);
		vml_snapshot_free(d);
	}
	vml_snapshot_free(*before);
	*before = s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vml_snapshot *before = NULL, *s;
	char error[VML_ERROR_MAX] = "";
	struct vml_source *src = NULL;

	if (!answers.good[0])
		answers_make();
	answers.in = (struct fuzz_input){ data, data + size };
	if (vml_connect_open("fuzz", NULL, &src, error)) {
		fuzz_must(!src && !strncmp(error, "cannot connect to fuzz: ", 24));
		return 0;
	}
	for (int i = 0; i < ANSWERS_MAX; i++) {
		int err = vml_source_next(src, &s);

		if (!err)
			answers_use(&before, s);
		fuzz_must(!err || err == -EAGAIN || err == -ESTALE || err == -ENOMEM || err == -ENOTCONN);
		fuzz_must(err != -ENOTCONN || *src->ops->why(src));
	}
	vml_snapshot_free(before);
	vml_source_close(src);
	return 0;
}
