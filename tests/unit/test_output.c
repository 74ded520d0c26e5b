// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Standard output that a signal ends, and only when nobody reads (src/run/output.c). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/run/output.h"
#include "../../src/run/stop.h"
#include "unit.h"

#define BYTES (1 << 17) /* more than the pipe holds */

struct pipe_out {
	int stdout_before, in;
	FILE *out;
	struct vml_output output;
};

static void begin(struct pipe_out *p)
{
	int fd[2];

	vml_stop_install();
	vml_stop_forget();
	fflush(stdout);
	p->stdout_before = dup(STDOUT_FILENO);
	assert_int_equal(pipe(fd), 0);
	fcntl(fd[1], F_SETPIPE_SZ, 4096);
	dup2(fd[1], STDOUT_FILENO);
	close(fd[1]);
	p->in = fd[0];
	p->out = vml_output_open(&p->output);
}

static void end(struct pipe_out *p)
{
	dup2(p->stdout_before, STDOUT_FILENO);
	close(p->stdout_before);
	close(p->in);
	vml_stop_forget();
	assert_non_null(p->out);
}

/* Reads all of it in a process of its own; its status: whether it was whole. */
static pid_t read_all(const struct pipe_out *p)
{
	pid_t child = fork();
	char buf[4096];
	size_t got = 0;
	ssize_t n;

	if (child)
		return child;
	close(STDOUT_FILENO);
	while ((n = read(p->in, buf, sizeof(buf))) > 0)
		got += (size_t)n;
	_exit(got != BYTES);
}

static void somebody_reads(void **state)
{
	static char text[BYTES];
	struct pipe_out p;
	pid_t child;
	int status, wrote, closed;

	(void)state;
	begin(&p);
	child = read_all(&p);
	raise(SIGTERM);
	wrote = fwrite(text, 1, BYTES, p.out) == BYTES && !fflush(p.out);
	vml_stop_forget();
	closed = fclose(p.out);
	end(&p);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(wrote);
	assert_int_equal(closed, 0);
	assert_int_equal(p.output.error, 0);
}

static void nobody_reads(void **state)
{
	static char text[BYTES];
	struct pipe_out p;
	int failed;

	(void)state;
	begin(&p);
	raise(SIGTERM);
	failed = fwrite(text, 1, BYTES, p.out) != BYTES || fflush(p.out);
	fclose(p.out);
	end(&p);
	assert_true(failed);
	assert_int_equal(p.output.error, -EINTR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(somebody_reads),
		cmocka_unit_test(nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
