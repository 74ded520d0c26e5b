// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Threads that fork.  `forkcow`: parent and child write to the pages both have
 * then.  `bigfork`: fork(2) holds mmap_lock for write as long as it copies the
 * page tables of a large process, while its other threads fault and map.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "culprit.h"
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

/* ---- bigfork */

int vml_load_bigfork_open(struct vml_load *l)
{
	int err;

	err = vml_load_blocking_open(l, 1);
	if (err)
		return err;
	l->blocking->culprit[0].call = "clone";
	l->blocking->culprit[0].what = "fork(2)";
	l->blocking->culprit[0].write = true;
	err = vml_load_map(l, "populated", l->options.pages, &l->memory);
	if (err)
		return err;
	vml_load_write_pages(l->memory, l->options.pages, l->page);
	return vml_load_victims_open(l);
}

void vml_load_bigfork(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	struct vml_load_culprit *c = &l->blocking->culprit[0];
	uint32_t i;
	pid_t pid;

	if (rehearsal)
		vml_load_culprit_is_me(c, true);
	for (i = 0; !w->error && (rehearsal ? vml_load_rehearse_more(l, i) : vml_load_more(l, i, false)); i++) {
		vml_load_call_begin(c);
		pid = fork();
		if (!pid)
			_exit(0);
		vml_load_call_end(c);
		w->calls.fork++;
		w->error = pid < 0 ? -errno : end_of(pid, &w->did[VML_DID_CHILD_FAULTS]);
	}
	if (!rehearsal)
		vml_load_culprit_leave(c);
}

int vml_load_bigfork_check(struct vml_load *l)
{
	return vml_load_blocking_check(l, "; more --pages make it longer");
}

void vml_load_bigfork_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, l->options.pages);
	vml_load_victims_close(l);
}
