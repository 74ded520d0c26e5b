// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: nonowner
 *
 * A load with the handshake of `vmalock load`: its threads map, unmap and give the
 * CPU up, and when they leave it nonowner.bpf.c takes their mmap_lock, which is
 * released when the next thread runs.  The report: {"pid":PID,"stacks":N}, N: how
 * often.
 */
#include <bpf/libbpf.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "load/load.h"
#include "nonowner.skel.h"

#define THREADS 4
#define ROUNDS 2000

static struct vml_load load = { .options.handshake = true };

static void must(int err)
{
	if (err)
		errx(1, "%s", *load.error ? load.error : strerror(-err));
}

static void *change(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		void *p = mmap(NULL, load.page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(p, load.page);
		usleep(10);
	}
	return NULL;
}

int main(void)
{
	struct nonowner *s = nonowner__open();
	pthread_t thread[THREADS];

	load.page = sysconf(_SC_PAGESIZE);
	if (!s)
		err(1, "cannot open the programs");
	s->rodata->of_process = getpid();
	if (nonowner__load(s))
		err(1, "cannot load the programs");
	must(vml_load_begin(&load));
	if (nonowner__attach(s))
		err(1, "cannot attach");
	for (int i = 0; i < THREADS; i++)
		must(-pthread_create(&thread[i], NULL, change, NULL));
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	nonowner__detach(s);
	/* each thread's next event puts right what the last one left; the others are gone */
	for (int i = 0; i < 10; i++)
		munmap(mmap(NULL, load.page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), load.page);
	must(vml_load_end(&load));
	printf("{\"pid\":%d,\"stacks\":%llu}\n", getpid(), (unsigned long long)s->bss->with_build_id);
	nonowner__destroy(s);
	return 0;
}
