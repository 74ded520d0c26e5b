// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What kprobes skipped by themselves, before any program of ours was asked: a kprobe
 * inside another one on that processor, and returns for which a kretprobe had no
 * instance left, because too many threads were in its function.
 */
#include <errno.h>
#include <stddef.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"

/*
 * The start of struct bpf_link_info, include/uapi/linux/bpf.h, as of Linux 6.7, which
 * added both "missed"; headers of build hosts may be older.  The kernel says how much
 * it filled in: before 6.7 it has no more than 48 bytes.
 */
struct link_info {
	__u32 type, id, prog_id, pad;
	union {
		struct {
			__u64 addrs;
			__u32 count, flags;
			__u64 missed;
		} kprobe_multi;
		struct {
			__u32 type, pad; /* enum bpf_perf_event_type, 6.6 */
			__u64 func_name;
			__u32 name_len, offset;
			__u64 addr;
			__u64 missed;
		} perf_event;
	};
};
#define PERF_EVENT_KPROBE 3 /* BPF_PERF_EVENT_KPROBE */
#define PERF_EVENT_KRETPROBE 4
_Static_assert(offsetof(struct link_info, kprobe_multi.missed) == 32, "as the kernel has it");
_Static_assert(offsetof(struct link_info, perf_event.missed) == 48, "as the kernel has it");

int link_missed(const struct bpf_link *link, uint64_t *ret)
{
	struct link_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &len))
		return -errno;
	if (len < sizeof(info))
		return -EOPNOTSUPP;
	if (info.type == BPF_LINK_TYPE_KPROBE_MULTI)
		*ret = info.kprobe_multi.missed;
	else if (info.type == BPF_LINK_TYPE_PERF_EVENT &&
		 (info.perf_event.type == PERF_EVENT_KPROBE || info.perf_event.type == PERF_EVENT_KRETPROBE))
		*ret = info.perf_event.missed;
	else
		return -EOPNOTSUPP;
	return 0;
}
