// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Faults that end in SIGSEGV: writes to memory that is read-only, where the
 * kernel finds a VMA and refuses, and to an address where nothing is mapped,
 * where it finds none.  The handler leaves by siglongjmp(3), with no system call.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "load.h"

static _Thread_local sigjmp_buf jump;
static _Thread_local volatile bool expected;
static struct sigaction before_us;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (expected)
		siglongjmp(jump, info->si_code);
	/* not ours: it happens again, and ends us */
	signal(sig, SIG_DFL);
}

/* Writes; returns SEGV_MAPERR or SEGV_ACCERR, or 0 when that was possible. */
static int poke(uint8_t *p)
{
	int code = sigsetjmp(jump, 0);

	if (!code) {
		expected = true;
		vml_load_write_pages(p, 1, 1);
	}
	expected = false;
	return code;
}

/*
 * No mmap() chooses an address below vm.mmap_min_addr.  A hole anywhere else
 * could be taken by the stack of the next thread.
 */
static uint8_t *hole(const struct vml_load *l)
{
	return (uint8_t *)l->page;
}

static void count(struct vml_load_worker *w, uint8_t *p, int code, enum vml_load_did did)
{
	if (poke(p) == code)
		w->did[did]++;
	else
		w->error = -EFAULT;
}

void vml_load_segv(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++)
		for (k = 0; !w->error && k < pages; k++) {
			count(w, vml_load_slice(w) + k * l->page, SEGV_ACCERR, VML_DID_SEGV_READONLY);
			count(w, hole(l), SEGV_MAPERR, VML_DID_SEGV_HOLE);
		}
}

void vml_load_hole(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++)
		for (k = 0; !w->error && k < pages; k++)
			count(w, hole(l), SEGV_MAPERR, VML_DID_PROVOKED);
}

int vml_load_hole_open(struct vml_load *l)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER };

	if (sigaction(SIGSEGV, &sa, &before_us))
		return vml_load_fail(l, -errno, "cannot handle SIGSEGV");
	return 0;
}

int vml_load_segv_open(struct vml_load *l)
{
	size_t len = (size_t)l->options.threads * l->options.pages * l->page;
	int err;

	err = vml_load_map(l, "readonly", len / l->page, &l->memory);
	if (!err && len && mprotect(l->memory, len, PROT_READ))
		err = vml_load_fail(l, -errno, "cannot protect memory");
	return err ? err : vml_load_hole_open(l);
}

void vml_load_segv_close(struct vml_load *l)
{
	struct sigaction now;

	if (!sigaction(SIGSEGV, NULL, &now) && now.sa_sigaction == on_segv)
		sigaction(SIGSEGV, &before_us, NULL);
	vml_load_slices_close(l);
}
