// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a holder of mmap_lock does, in words: from how it entered the kernel, and whose lock it is. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seccomp.h>

#include "collect.h"

static uint32_t arch_32bit(void)
{
	return seccomp_arch_native() == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM : SCMP_ARCH_X86;
}

static void call_name(uint32_t arch, uint32_t number, char *buf, size_t n)
{
	char *name = seccomp_syscall_resolve_num_arch(arch, number);

	if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, "system call %u", number);
	free(name);
}

static bool is_foreign(const struct vml_id *id)
{
	return id->pid != id->target.pid || id->start_ns != id->target.start_ns;
}

/* Who writes another's mappings in these calls puts a breakpoint there. */
static bool is_uprobe(const struct vml_id *id, const char *call)
{
	return id->write && is_foreign(id) && (!strcmp(call, "perf_event_open") || !strcmp(call, "bpf"));
}

/* "kworker/3:1H" to "kworker": what comes after differs from one to the next. */
static void family(const char *comm, char *buf, size_t n)
{
	snprintf(buf, n, "%.*s", (int)strcspn(comm, "/:0123456789"), comm);
	if (!*buf)
		snprintf(buf, n, "kernel thread");
}

char *doing_text(const struct vml_id *id, const char *comm, char buf[DOING_MAX])
{
	char call[DOING_MAX - 16];

	call_name(VML_DOING_WHAT(id->doing) == VML_DOING_SYSCALL32 ? arch_32bit() : seccomp_arch_native(),
		  VML_DOING_NUMBER(id->doing), call, sizeof(call));
	switch (VML_DOING_WHAT(id->doing)) {
	case VML_DOING_SYSCALL:
		snprintf(buf, DOING_MAX, "%s", is_uprobe(id, call) ? "uprobe" : call);
		break;
	case VML_DOING_SYSCALL32:
		snprintf(buf, DOING_MAX, "%s (32-bit)", call);
		break;
	case VML_DOING_FAULT:
		snprintf(buf, DOING_MAX, "page fault");
		break;
	case VML_DOING_KERNEL_FAULT:
		snprintf(buf, DOING_MAX, "%s: page fault", call);
		break;
	case VML_DOING_EXCEPTION:
		snprintf(buf, DOING_MAX, "task work");
		break;
	case VML_DOING_EXIT:
		snprintf(buf, DOING_MAX, "exit");
		break;
	case VML_DOING_KTHREAD:
		family(comm, buf, DOING_MAX);
		break;
	case VML_DOING_IO_WORKER:
		snprintf(buf, DOING_MAX, "io worker");
		break;
	case VML_DOING_VMA_READ:
		snprintf(buf, DOING_MAX, "vma readers");
		break;
	default:
		snprintf(buf, DOING_MAX, "unknown");
	}
	return buf;
}
