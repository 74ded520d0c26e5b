// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where one kernel function calls another, from the text of the running kernel:
 * a kprobe goes there when the callee itself cannot have one.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "probe_hooks.skel.h"

/* Kernel text at @addr: by BPF, since /proc/kcore is not everywhere.  A few functions follow; no harm. */
static int read_text(uint64_t addr, uint8_t *buf, size_t n)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = CAPS_BTF_PATH);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct probe_hooks *skel = probe_hooks__open_opts(&opts);
	struct bpf_program *p;
	int err;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, p == skel->progs.read_text);
	err = probe_hooks__load(skel);
	if (!err) {
		skel->bss->text_addr = addr;
		err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.read_text), &run);
	}
	if (!err)
		err = (int)run.retval;
	if (!err)
		memcpy(buf, skel->bss->text, n);
	probe_hooks__destroy(skel);
	return err;
}

/* Does the instruction at @p, which is at address @pc, call @callee? */
static bool calls(const uint8_t *p, size_t left, uint64_t pc, uint64_t callee)
{
#if defined(__x86_64__)
	int32_t rel;

	/* 0xcc: a kprobe is there already, and leaves the rest as it is */
	if (left < 5 || (p[0] != 0xe8 && p[0] != 0xcc))
		return false;
	memcpy(&rel, p + 1, sizeof(rel));
	return pc + 5 + (int64_t)rel == callee;
#elif defined(__aarch64__)
	uint32_t word;

	if (left < 4 || pc % 4)
		return false;
	memcpy(&word, p, sizeof(word));
	return word >> 26 == 0x25 && pc + ((int64_t)((uint64_t)word << 38) >> 36) == callee; /* BL */
#else
	(void)p, (void)left, (void)pc, (void)callee;
	return false;
#endif
}

int callsite_find(const char *function, const char *callee, uint64_t *ret_offset)
{
	uint64_t start, end, target, unused;
	uint8_t text[sizeof(((struct probe_hooks__bss *)NULL)->text)];
	size_t found = 0;
	int err;

	err = kallsyms_range(function, &start, &end);
	if (!err)
		err = kallsyms_range(callee, &target, &unused);
	if (!err && end - start > sizeof(text))
		err = -E2BIG;
	if (!err)
		err = read_text(start, text, end - start);
	if (err)
		return err;
	for (size_t i = 0; i < end - start; i++) {
		if (!calls(text + i, end - start - i, start + i, target))
			continue;
		*ret_offset = i;
		found++;
	}
	return found == 1 ? 0 : -ENOENT;
}
