// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the kernel says, as any bytes: kallsyms, ELF notes, and what processes have a say in: their maps, stat and
 * status, as their names are, and what BPF saw of their memory and of what they do.  Byte 0 says which.
 */
#include <inttypes.h>

#include "collect/collect.h"
#include "collect/symbols.h"
#include "fuzz/input.h"
#include "fuzz/delta.h"
#include "vmalock/base.h"

static FILE *proc_open(const char *text, size_t n)
{
	FILE *f = fmemopen((void *)text, n, "r");

	fuzz_must(f != NULL);
	return f;
}

/* ---- the kernel's */

static void proc_kallsyms(FILE *f)
{
	const char *name, *module;
	struct kallsyms *k = NULL;
	uint64_t offset;
	int err = kallsyms_parse(f, &k);

	fuzz_must(!k == !!err);
	for (unsigned int shift = 0; k && shift < 64; shift++)
		if (!kallsyms_find(k, 1ULL << shift, &name, &module, &offset))
			fuzz_must(*name && module && offset <= 1ULL << shift);
	kallsyms_free(k);
}

/* In a room that is as large as promised. */
static void proc_notes(const uint8_t *notes, size_t n)
{
	char *hex = malloc(2 * SYMBOLS_BUILD_ID_MAX + 1);

	fuzz_must(hex != NULL);
	if (kallsyms_build_id(notes, n, hex))
		fuzz_must(*hex && strspn(hex, "0123456789abcdef") == strlen(hex) && strlen(hex) % 2 == 0);
	free(hex);
}

static void proc_vmstat(FILE *f)
{
	struct vml_kernel_counts c = { 0 };

	host_vmstat(f, &c);
	if (!c.known)
		return;
	rewind(f);
	for (char line[128], *found = NULL; !found; found = strstr(line, "vma_lock_miss"))
		fuzz_must(fgets(line, sizeof(line), f) != NULL);
}

/* ---- of processes */

/* What is found holds the address; the mappings are in order. */
static void proc_maps(FILE *f)
{
	struct symbols_maps maps = { 0 };

	fuzz_must(!symbols_maps_parse(f, &maps));
	for (size_t i = 0; i < maps.n; i++) {
		const struct symbols_mapping *m = &maps.map[i];

		fuzz_must(m->start < m->end && (!i || maps.map[i - 1].end <= m->start) && m->name);
		fuzz_must(symbols_maps_find(&maps, m->start) == m && symbols_maps_find(&maps, m->end - 1) == m);
	}
	symbols_maps_free(&maps);
}

/* One file that is mapped executable by a name that is anything but a line's end, which the kernel escapes. */
static void proc_mapping(const char *name)
{
	struct symbols_maps maps = { 0 };
	size_t len = strcspn(name, "\n");
	char *text;
	int n = asprintf(&text, "1000-2000 r-xp 00003000 08:11 42 \t\n55d0-66e0 r-xp 00004000 fd:0a 77    /%.*s\n",
			 (int)len, name);
	FILE *f;

	fuzz_must(n > 0);
	f = proc_open(text, (size_t)n);
	fuzz_must(!symbols_maps_parse(f, &maps) && maps.n == 2);
	fuzz_must(maps.map[1].start == 0x55d0 && maps.map[1].end == 0x66e0 && maps.map[1].offset == 0x4000);
	fuzz_must(maps.map[1].dev_major == 0xfd && maps.map[1].dev_minor == 10 && maps.map[1].inode == 77);
	fuzz_must(maps.map[1].name[0] == '/' && strlen(maps.map[1].name) == len + 1);
	fuzz_must(!strncmp(maps.map[1].name + 1, name, len));
	symbols_maps_free(&maps);
	fclose(f);
	free(text);
}

/* Any text, and that of a process whose name it is. */
static void proc_stat(const char *text)
{
	uint64_t ticks = 0;
	char *stat;

	vml_proc_start_ticks(text, &ticks);
	fuzz_must(asprintf(&stat, "7 (%.15s) S 1 7 7 0 -1 4194560 107 0 0 0 1 2 3 4 20 0 1 0 987654321 8 9\n", text) >
		  0);
	fuzz_must(!vml_proc_start_ticks(stat, &ticks) && ticks == 987654321);
	free(stat);
}

/* Of a process whose name it is, as the kernel writes it: without line ends. */
static void proc_status(FILE *any, const char *text)
{
	char *status;
	int n = asprintf(&status, "Name:\t%.*s\nTgid:\t7\nNSpid:\t7\t4194304\t31\n", (int)strcspn(text, "\n") % 64,
			 text);
	FILE *f;

	fuzz_must(n > 0);
	symbols_status_pid(any);
	f = proc_open(status, (size_t)n);
	fuzz_must(symbols_status_pid(f) == 31);
	fclose(f);
	free(status);
}

/* ---- what BPF saw */

/* The row of a VMA that becomes another one and another. */
static void proc_area(struct fuzz_input *in)
{
	struct vml_arena *a = vml_arena_new();
	struct item e = { 0 };
	const char *path = NULL;
	uint64_t cookie = 0;
	char kind[32];

	fuzz_must(a != NULL);
	for (int i = 0; i < 4; i++) {
		struct vml_vma_value v = { .kind = (uint32_t)fuzz_take(in, 1) % (VML_NVMA_KINDS + 1) };

		v.flags = fuzz_take(in, 2);
		v.end = fuzz_take(in, 8);
		v.file_cookie = v.kind == VML_VMA_FILE ? 1 + fuzz_take(in, 1) % 2 : 0;
		if (v.file_cookie && v.file_cookie != cookie)
			path = names_read_path(in, a);
		cookie = v.file_cookie;
		fuzz_must(!identity_area(&e, -1, &v) && e.area.name == e.name);
		fuzz_must(strlen(e.area.perms) == (v.end ? 4 : 0));
		snprintf(kind, sizeof(kind), "[%s]", v.kind == VML_VMA_NONE ? "no mapping" : e.area.kind);
		fuzz_must(!strcmp(e.name, cookie ? path : kind));
	}
	free(e.name);
	vml_arena_free(a);
}

/* What a thread of any name does. */
static void proc_doing(struct fuzz_input *in)
{
	struct vml_id id = { .pid = 1, .doing = (uint32_t)fuzz_take(in, 4), .write = true };
	struct vml_arena *a = vml_arena_new();
	char doing[DOING_MAX];
	const char *comm;

	fuzz_must(a != NULL);
	id.target.pid = (uint32_t)fuzz_take(in, 1);
	comm = names_read_comm(in, a);
	fuzz_must(doing_text(&id, comm, doing) == doing && *doing && strlen(doing) < DOING_MAX);
	fuzz_must_be_clean(doing, strlen(doing));
	if (VML_DOING_WHAT(id.doing) == VML_DOING_KTHREAD && strcmp(doing, "kernel thread") != 0)
		fuzz_must(!strncmp(doing, comm, strlen(doing)));
	vml_arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data + 1, data + size };
	char *text;
	FILE *f;

	if (size < 2)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	fuzz_must(text != NULL);
	f = proc_open((const char *)data + 1, size - 1);
	switch (data[0] % 8) {
	case 0:
		proc_maps(f);
		proc_mapping(text);
		break;
	case 1:
		proc_kallsyms(f);
		break;
	case 2:
		proc_notes(data + 1, size - 1);
		break;
	case 3:
		proc_vmstat(f);
		break;
	case 4:
		proc_stat(text);
		break;
	case 5:
		proc_status(f, text);
		break;
	case 6:
		proc_area(&in);
		break;
	case 7:
		proc_doing(&in);
		break;
	}
	fclose(f);
	free(text);
	return 0;
}
