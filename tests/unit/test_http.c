// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A daemon that does not answer (src/connect/http.c). */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/connect/http.h"
#include "unit.h"

static unsigned int asked;

static bool enough(uint64_t waited_ns)
{
	(void)waited_ns;
	return ++asked > 1;
}

/* A socket that nobody accepts from. */
static int listen_at(struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	assert_int_equal(chdir(unit_folder()), 0); /* which may be too long for an address */
	snprintf(at->sun_path, sizeof(at->sun_path), "http-%d", getpid());
	unlink(at->sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static struct http *connection(const char *path)
{
	struct http *h = NULL;
	int err = http_new(path, enough, &h);

	if (err == -ELIBACC)
		skip(); /* no libcurl here */
	assert_int_equal(err, 0);
	return h;
}

static void a_stop_ends_the_wait(void **state)
{
	struct http_answer a;
	struct sockaddr_un at;
	int fd = listen_at(&at);
	struct http *h = connection(at.sun_path);

	(void)state;
	assert_int_equal(http_get(h, "/", &a), -EINTR);
	assert_true(asked > 1);
	http_free(h);
	close(fd);
	unlink(at.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
