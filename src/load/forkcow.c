// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Threads that fork; parent and child write to the pages both have then. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

static int end_of(pid_t pid, uint64_t *ret_faults)
{
	struct rusage ru;
	int status;

	while (wait4(pid, &status, 0, &ru) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return -ECHILD;
	*ret_faults += ru.ru_minflt + ru.ru_majflt;
	return 0;
}

int vml_load_forkcow_open(struct vml_load *l)
{
	int err;

	err = vml_load_slices_open(l);
	/* what is not there is not copied */
	if (!err)
		vml_load_write_pages(l->memory, (uint64_t)l->options.threads * l->options.pages, l->page);
	return err;
}

void vml_load_forkcow(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	uint8_t *slice = vml_load_slice(w);
	uint32_t i;
	pid_t pid;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		pid = fork();
		if (pid < 0) {
			w->error = -errno;
			return;
		}
		vml_load_write_pages(slice, pages, l->page);
		if (!pid)
			_exit(0);
		w->calls.fork++;
		w->bytes += pages * l->page;
		w->error = end_of(pid, &w->did[VML_DID_CHILD_FAULTS]);
	}
}
