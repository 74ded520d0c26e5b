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
#include "probe_text.skel.h"

/*
 * Runs one program of the skeleton, which reads @n bytes for @addr.  By BPF, since
 * /proc/kcore is not everywhere.
 */
static int read_kernel(const char *program, uint64_t addr, uint64_t bucket, void *buf, size_t n)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = CAPS_BTF_PATH);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct probe_text *skel = probe_text__open_opts(&opts);
	struct bpf_program *p, *mine = NULL;
	int err;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(p, skel->obj) {
		if (!strcmp(bpf_program__name(p), program))
			mine = p;
		bpf_program__set_autoload(p, p == mine);
	}
	err = probe_text__load(skel);
	if (!err) {
		skel->bss->text_addr = addr;
		skel->bss->kprobe_bucket = bucket;
		err = bpf_prog_test_run_opts(bpf_program__fd(mine), &run);
	}
	if (!err)
		err = (int)run.retval;
	if (!err)
		memcpy(buf, skel->bss->text, n);
	probe_text__destroy(skel);
	return err;
}

#if defined(__aarch64__)
#define BRK_KPROBE 0xd4200080 /* arch/arm64/include/asm/brk-imm.h, KPROBES_BRK_IMM */

/* Source: kernel/kprobes.c get_kprobe(), KPROBE_HASH_BITS; include/linux/hash.h hash_64() */
static uint64_t bucket_of(uint64_t table, uint64_t addr)
{
	return table + (addr * 0x61c8864680b583ebULL >> (64 - 6)) * sizeof(void *);
}

/* A kprobe leaves nothing of the instruction it replaces: from the kernel's table of kprobes. */
static void restore(uint8_t *text, size_t n, uint64_t start)
{
	uint64_t table = 0;
	uint32_t word;

	for (size_t i = 0; i + sizeof(word) <= n; i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		if (word != BRK_KPROBE || (!table && kallsyms_data("kprobe_table", &table)))
			continue;
		if (!read_kernel("read_replaced", start + i, bucket_of(table, start + i), &word, sizeof(word)))
			memcpy(text + i, &word, sizeof(word));
	}
}
#else
static void restore(uint8_t *text, size_t n, uint64_t start)
{
	(void)text, (void)n, (void)start;
}
#endif

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
	uint8_t text[sizeof(((struct probe_text__bss *)NULL)->text)];
	size_t found = 0;
	int err;

	err = kallsyms_range(function, &start, &end);
	if (!err)
		err = kallsyms_range(callee, &target, &unused);
	if (!err && end - start > sizeof(text))
		err = -E2BIG;
	if (!err)
		err = read_kernel("read_text", start, 0, text, end - start); /* and what follows; no harm */
	if (err)
		return err;
	restore(text, end - start, start);
	for (size_t i = 0; i < end - start; i++) {
		if (!calls(text + i, end - start - i, start + i, target))
			continue;
		*ret_offset = i;
		found++;
	}
	return found == 1 ? 0 : -ENOENT;
}
