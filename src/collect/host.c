// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "collect.h"
#include "vmalock/base.h"

static const char *clean(struct vml_arena *a, const char *s)
{
	char buf[1024];

	vml_text_clean(buf, sizeof(buf), s, strlen(s));
	return vml_arena_strdup(a, buf);
}

int host_read(struct vml_arena *a, struct vml_host *h)
{
	char boot_id[64] = "";
	struct utsname u;
	FILE *f;

	if (uname(&u))
		return -errno;
	f = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (f) {
		if (!fgets(boot_id, sizeof(boot_id), f))
			boot_id[0] = '\0';
		boot_id[strcspn(boot_id, "\n")] = '\0';
		fclose(f);
	}
	h->name = clean(a, u.nodename);
	h->kernel = clean(a, u.release);
	h->machine = clean(a, u.machine);
	h->boot_id = clean(a, boot_id);
	h->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	h->page_size = sysconf(_SC_PAGESIZE);
	return h->name && h->kernel && h->machine && h->boot_id ? 0 : -ENOMEM;
}

bool host_delay_accounting(void)
{
	FILE *f = fopen("/proc/sys/kernel/task_delayacct", "re");
	int on = 0;

	if (!f)
		return false;
	if (fscanf(f, "%d", &on) != 1)
		on = 0;
	fclose(f);
	return on;
}

static uint64_t ns(struct timeval t)
{
	return t.tv_sec * 1000000000ULL + t.tv_usec * 1000ULL;
}

void self_read(struct vml_self *s)
{
	unsigned long long size, resident;
	struct rusage u;
	FILE *f;

	if (!getrusage(RUSAGE_SELF, &u))
		s->cpu_ns = ns(u.ru_utime) + ns(u.ru_stime);
	f = fopen("/proc/self/statm", "re");
	if (!f)
		return;
	if (fscanf(f, "%llu %llu", &size, &resident) == 2)
		s->rss_bytes = resident * sysconf(_SC_PAGESIZE);
	fclose(f);
}
