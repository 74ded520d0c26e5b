// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* One number of a file; false when it cannot be read. */
static bool read_number(const char *path, unsigned long long *ret)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fscanf(f, "%llu", ret) == 1;
	fclose(f);
	return ok;
}

int host_read(struct vml_arena *a, struct vml_host *h)
{
	char boot_id[64] = "";
	unsigned long long max_mappings;
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
	if (read_number("/proc/sys/vm/max_map_count", &max_mappings) && max_mappings <= UINT32_MAX)
		h->max_mappings = max_mappings;
	return h->name && h->kernel && h->machine && h->boot_id ? 0 : -ENOMEM;
}

void host_vmstat(FILE *f, struct vml_kernel_counts *ret)
{
	const struct {
		const char *name;
		uint64_t *value;
	} each[] = {
		{ "vma_lock_success ", &ret->success },
		{ "vma_lock_abort ", &ret->abort },
		{ "vma_lock_retry ", &ret->retry },
		{ "vma_lock_miss ", &ret->miss },
	};
	unsigned int found = 0;
	char line[128];

	while (fgets(line, sizeof(line), f)) {
		for (size_t i = 0; i < VML_ARRAY_SIZE(each); i++) {
			if (strncmp(line, each[i].name, strlen(each[i].name)) != 0)
				continue;
			*each[i].value = strtoull(line + strlen(each[i].name), NULL, 10);
			found |= 1U << i;
		}
	}
	ret->known = found == (1U << VML_ARRAY_SIZE(each)) - 1;
}

void host_kernel_counts(struct vml_kernel_counts *ret)
{
	FILE *f = fopen("/proc/vmstat", "re");

	if (!f)
		return;
	host_vmstat(f, ret);
	fclose(f);
}

bool host_delay_accounting(void)
{
	unsigned long long on;

	return read_number("/proc/sys/kernel/task_delayacct", &on) && on;
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
