/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions of the kernel (src/collect/kallsyms.c, symbols.c), from invented kallsyms and from this host's. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"
#include "../../src/collect/symbols.h"

UNIT_OUT_OF_MEMORY

static const char text[] = "ffffffff81000000 T startup\n"
			   "0000000000000000 A fixed_percpu_data\n"
			   "ffffffff81002000 t local_alias\n"
			   "ffffffff81002000 T global\n"
			   "ffffffff81002000 W weak_alias\n"
			   "ffffffff81001000 t first\n"
			   "ffffffff81003000 T twice\n"
			   "ffffffff81003000 T twice_again\n"
			   "ffffffff81004000 D data\n"
			   "ffffffff81e00000 T _etext\n"
			   "ffffffffc0000000 t enter\t[ext4]\n"
			   "ffffffffc0001000 t leave\t[ext4]\n"
			   "ffffffffc0100000 t enter\t[xfs]\n"
			   "ffffffffc0200000 t bpf_prog_0123456789abcdef_f\t[bpf]\n";

static struct kallsyms *parse(const char *s, size_t len)
{
	struct kallsyms *k = NULL;
	FILE *f = fmemopen((void *)s, len, "r");

	assert_non_null(f);
	assert_int_equal(kallsyms_parse(f, &k), 0);
	fclose(f);
	return k;
}

static int parse_error(const char *s, size_t len)
{
	struct kallsyms *k = NULL;
	FILE *f = fmemopen((void *)s, len, "r");
	int err;

	assert_non_null(f);
	err = kallsyms_parse(f, &k);
	fclose(f);
	assert_null(k);
	return err;
}

static void assert_found(const struct kallsyms *k, uint64_t addr, const char *name, const char *module, uint64_t offset)
{
	const char *n, *m;
	uint64_t o;

	assert_int_equal(kallsyms_find(k, addr, &n, &m, &o), 0);
	assert_string_equal(n, name);
	assert_string_equal(m, module);
	assert_int_equal(o, offset);
}

static void assert_missing(const struct kallsyms *k, uint64_t addr)
{
	const char *n = NULL, *m = NULL;
	uint64_t o = 77;

	assert_int_equal(kallsyms_find(k, addr, &n, &m, &o), -ENOENT);
	assert_null(n);
	assert_null(m);
	assert_int_equal(o, 77);
}

static void finds_functions(void **state)
{
	struct kallsyms *k = parse(text, sizeof(text) - 1);

	(void)state;
	assert_missing(k, 0);
	assert_missing(k, 0xffffffff80ffffffULL);
	assert_found(k, 0xffffffff81000000ULL, "startup", "", 0);
	assert_found(k, 0xffffffff81000fffULL, "startup", "", 0xfff);
	assert_found(k, 0xffffffff81001001ULL, "first", "", 1);
	kallsyms_free(k);
	kallsyms_free(NULL);
}

static void several_at_one_address(void **state)
{
	struct kallsyms *k = parse(text, sizeof(text) - 1);

	(void)state;
	/* global before weak before local, then the first */
	assert_found(k, 0xffffffff81002004ULL, "global", "", 4);
	assert_found(k, 0xffffffff81003004ULL, "twice", "", 4);
	kallsyms_free(k);
}

static void modules_and_ends(void **state)
{
	struct kallsyms *k = parse(text, sizeof(text) - 1);

	(void)state;
	/* a function may be long when another one of the same follows */
	assert_found(k, 0xffffffff81dfffffULL, "twice", "", 0xdfcfff);
	assert_missing(k, 0xffffffff81e00000ULL);
	assert_missing(k, 0xffffffffbfffffffULL);
	assert_found(k, 0xffffffffc0000fffULL, "enter", "ext4", 0xfff);
	assert_found(k, 0xffffffffc0001fffULL, "leave", "ext4", 0xfff);
	/* behind the end of a module */
	assert_missing(k, 0xffffffffc0011000ULL);
	assert_missing(k, 0xffffffffc00fffffULL);
	assert_found(k, 0xffffffffc0100000ULL, "enter", "xfs", 0);
	assert_found(k, 0xffffffffc0200010ULL, "bpf_prog_0123456789abcdef_f", "bpf", 0x10);
	assert_missing(k, 0xffffffffc0300000ULL);
	assert_missing(k, UINT64_MAX);
	kallsyms_free(k);
}

static void hidden_addresses(void **state)
{
	static const char zeros[] = "0000000000000000 T startup\n0000000000000000 t f\t[ext4]\n";
	static const char data[] = "ffffffff81004000 D data\n";

	(void)state;
	assert_int_equal(parse_error(zeros, sizeof(zeros) - 1), -EACCES);
	assert_int_equal(parse_error(data, sizeof(data) - 1), -ENODATA);
	assert_int_equal(parse_error("\n", 1), -ENODATA);
}

static void hostile_lines(void **state)
{
	static const char *const line[] = {
		"",
		"x",
		"ffffffff81000000",
		"ffffffff81000000 ",
		"ffffffff81000000 T",
		"ffffffff81000000 T ",
		"ffffffff81000000 TT f",
		"ffffffff81000000  f",
		" ffffffff81000000 T f",
		"-1 T f",
		"0x T f",
		"10000000000000000 T f",
		"ffffffff81000000 T  f",
		"ffffffff81000000 T f\t[",
		"ffffffff81000000 T f\t[]",
		"ffffffff81000000 T f\t[x",
		"ffffffff81000000 T f more",
	};
	char buf[256];
	struct kallsyms *k;
	int n;

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(line); i++) {
		n = snprintf(buf, sizeof(buf), "%s\nffffffff81000010 T good\n", line[i]);
		k = parse(buf, (size_t)n);
		assert_missing(k, 0xffffffff81000000ULL);
		assert_found(k, 0xffffffff81000010ULL, "good", "", 0);
		kallsyms_free(k);
	}
	/* no newline at the end; NUL in the middle */
	k = parse("ffffffff81000000 T f", 20);
	assert_found(k, 0xffffffff81000001ULL, "f", "", 1);
	kallsyms_free(k);
	k = parse("ffff\0 T f\nffffffff81000000 T f\n", 32);
	assert_found(k, 0xffffffff81000001ULL, "f", "", 1);
	kallsyms_free(k);
}

static void overlong_lines(void **state)
{
	char *buf = malloc(100000);
	struct kallsyms *k;
	size_t n;

	(void)state;
	assert_non_null(buf);
	for (size_t len = 900; len < 5000; len += 41) {
		n = (size_t)sprintf(buf, "ffffffff81000000 T ");
		memset(buf + n, 'a', len);
		/* its tail looks like a line */
		n += len;
		n += (size_t)sprintf(buf + n, " ffffffff81000008 T tail\nffffffff81000010 T good\n");
		k = parse(buf, n);
		assert_missing(k, 0xffffffff8100000fULL);
		assert_found(k, 0xffffffff81000010ULL, "good", "", 0);
		kallsyms_free(k);
	}
	/* as long as a kernel makes it */
	n = (size_t)sprintf(buf, "ffffffff81000000 T ");
	memset(buf + n, 'a', 511);
	n += 511;
	n += (size_t)sprintf(buf + n, "\t[%055d]\n", 0);
	k = parse(buf, n);
	n = strlen("ffffffff81000000 T ");
	buf[n + 511] = '\0';
	assert_found(k, 0xffffffff81000001ULL, buf + n, "0000000000000000000000000000000000000000000000000000000", 1);
	kallsyms_free(k);
	free(buf);
}

static void random_bytes(void **state)
{
	static const char alphabet[] = "0123456789abcdef Tt[]\t\n\n\n_x";
	char buf[600];
	uint64_t seed = 3;
	struct kallsyms *k;
	const char *n, *m;
	uint64_t o;
	FILE *f;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t len = 1 + unit_below(&seed, sizeof(buf));

		for (size_t j = 0; j < len; j++)
			buf[j] = i & 1 ? alphabet[unit_below(&seed, sizeof(alphabet))] : (char)unit_random(&seed);
		f = fmemopen(buf, len, "r");
		k = NULL;
		if (!kallsyms_parse(f, &k))
			kallsyms_find(k, unit_below(&seed, 1 << 20), &n, &m, &o);
		kallsyms_free(k);
		fclose(f);
	}
}

static void build_id_of_notes(void **state)
{
	static const unsigned char notes[] = {
		/* Xen, 4 bytes */
		4,
		0,
		0,
		0,
		4,
		0,
		0,
		0,
		18,
		0,
		0,
		0,
		'X',
		'e',
		'n',
		0,
		1,
		2,
		3,
		4,
		/* 5 bytes, filled up to 8 */
		4,
		0,
		0,
		0,
		5,
		0,
		0,
		0,
		3,
		0,
		0,
		0,
		'Y',
		'N',
		'U',
		0,
		1,
		2,
		3,
		4,
		5,
		0,
		0,
		0,
		/* GNU build id */
		4,
		0,
		0,
		0,
		3,
		0,
		0,
		0,
		3,
		0,
		0,
		0,
		'G',
		'N',
		'U',
		0,
		0xab,
		0x01,
		0xff,
	};
	char hex[2 * SYMBOLS_BUILD_ID_MAX + 1] = "";
	unsigned char buf[64];
	uint64_t seed = 9;

	(void)state;
	assert_true(kallsyms_build_id(notes, sizeof(notes), hex));
	assert_string_equal(hex, "ab01ff");
	for (size_t n = 0; n < sizeof(notes); n++)
		assert_false(kallsyms_build_id(notes, n, hex));
	for (int i = 0; i < 100000; i++) {
		memcpy(buf, notes, sizeof(notes));
		buf[unit_below(&seed, sizeof(notes))] = (unsigned char)unit_random(&seed);
		kallsyms_build_id(buf, sizeof(notes), hex);
	}
}

/* ---- through the seam */

static char path[256]; /* mkstemp(3) in main() */

static void put(const char *s)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(s, f);
	fclose(f);
}

static struct vml_symbols *open_with(uint64_t refresh_ns)
{
	struct vml_symbols_options o = { .no_bcc = true, .kallsyms_path = path, .refresh_ns = refresh_ns };
	struct vml_symbols *s;

	assert_int_equal(vml_symbols_open(&o, &s), 0);
	return s;
}

static struct vml_frame kernel(struct vml_symbols *s, struct vml_arena *a, uint64_t ip, bool returns)
{
	struct vml_frame r;

	assert_int_equal(vml_symbols_kernel(s, ip, returns, a, &r), 0);
	assert_true(r.kernel);
	return r;
}

static void assert_unknown(const struct vml_frame *r)
{
	char buf[64];

	assert_int_equal(r->state, VML_FRAME_UNKNOWN);
	assert_int_equal(r->offset, 0);
	assert_string_equal(r->file, "");
	assert_string_equal(vml_frame_text(r, buf, sizeof(buf)), "[unknown]");
}

static void frames_of_the_kernel(void **state)
{
	struct vml_arena *a = vml_arena_new();
	struct vml_symbols *s = open_with(0);
	struct vml_symbols_stats st;
	struct vml_frame r;

	(void)state;
	put(text);
	r = kernel(s, a, 0xffffffff81001004ULL, false);
	assert_int_equal(r.state, VML_FRAME_FUNCTION);
	assert_string_equal(r.function, "first");
	assert_string_equal(r.file, "[kernel]");
	assert_int_equal(r.offset, 4);
	/* the call was the last instruction of the function before */
	r = kernel(s, a, 0xffffffff81002000ULL, true);
	assert_string_equal(r.function, "first");
	assert_int_equal(r.offset, 0x1000);
	r = kernel(s, a, 0xffffffffc0100004ULL, true);
	assert_string_equal(r.function, "enter");
	assert_string_equal(r.file, "xfs");
	assert_int_equal(r.offset, 4);
	r = kernel(s, a, 0xffffffffc7654321ULL, false);
	assert_unknown(&r);
	vml_symbols_stats(s, &st);
	assert_int_equal(st.kallsyms_read, 1);
	assert_int_equal(st.kernel_error, 0);
	vml_symbols_close(s);
	vml_arena_free(a);
}

static void hidden_kernel(void **state)
{
	struct vml_arena *a = vml_arena_new();
	struct vml_symbols *s = open_with(0);
	struct vml_symbols_stats st;
	struct vml_frame r;

	(void)state;
	put("0000000000000000 T startup\n");
	r = kernel(s, a, 0xffffffff81001004ULL, false);
	assert_unknown(&r);
	vml_symbols_stats(s, &st);
	assert_int_equal(st.kernel_error, -EACCES);
	assert_int_equal(st.kallsyms_read, 1);
	vml_symbols_close(s);
	vml_arena_free(a);
}

static void module_loaded_later(void **state)
{
	static const char more[] = "ffffffff81001000 t first\nffffffffc0300000 t late\t[late]\n";
	struct vml_arena *a = vml_arena_new();
	struct vml_symbols *s = open_with(1), *slow = open_with(0);
	struct vml_symbols_stats st;
	struct vml_frame r;

	(void)state;
	put(text);
	r = kernel(s, a, 0xffffffffc0300004ULL, false);
	assert_unknown(&r);
	r = kernel(slow, a, 0xffffffffc0300004ULL, false);
	assert_unknown(&r);
	put(more);
	r = kernel(s, a, 0xffffffffc0300004ULL, false);
	assert_string_equal(r.function, "late");
	/* not before a minute is over */
	r = kernel(slow, a, 0xffffffffc0300004ULL, false);
	assert_unknown(&r);
	vml_symbols_stats(slow, &st);
	assert_int_equal(st.kallsyms_read, 1);
	/* what was known is kept when it cannot be read again */
	put("");
	r = kernel(s, a, 0xffffffffc0900000ULL, false);
	assert_unknown(&r);
	r = kernel(s, a, 0xffffffffc0300004ULL, false);
	assert_string_equal(r.function, "late");
	vml_symbols_close(slow);
	vml_symbols_close(s);
	vml_arena_free(a);
}

static void out_of_memory(void **state)
{
	struct vml_arena *a = vml_arena_new();
	struct vml_symbols *s = open_with(0);
	struct vml_frame r = { .offset = 77 };

	(void)state;
	put(text);
	for (unit_allocations = 0; unit_allocations < 3;) {
		long n = unit_allocations;

		assert_int_equal(vml_symbols_kernel(s, 0xffffffff81001004ULL, false, a, &r), -ENOMEM);
		assert_int_equal(r.offset, 77);
		unit_allocations = n + 1;
	}
	unit_allocations = -1;
	vml_symbols_close(s);
	vml_arena_free(a);
}

static void this_kernel(void **state)
{
	struct vml_arena *a = vml_arena_new();
	struct vml_symbols *s;
	struct vml_symbols_stats st;
	struct vml_frame r;
	uint64_t addr = 0;
	char line[1024];
	FILE *f = fopen("/proc/kallsyms", "re");

	(void)state;
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " T vfs_read\n"))
			addr = strtoull(line, NULL, 16);
	}
	if (f)
		fclose(f);
	assert_int_equal(vml_symbols_open(NULL, &s), 0);
	assert_int_equal(vml_symbols_kernel(s, addr ? addr + 1 : 1, false, a, &r), 0);
	vml_symbols_stats(s, &st);
	if (!addr) {
		assert_unknown(&r);
		assert_true(st.kernel_error == -EACCES || st.kernel_error == -ENODATA || st.kernel_error == -ENOENT);
	} else {
		assert_string_equal(r.function, "vfs_read");
		assert_int_equal(r.offset, 1);
		assert_int_equal(st.kernel_error, 0);
	}
	vml_symbols_close(s);
	vml_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_functions),	cmocka_unit_test(several_at_one_address),
		cmocka_unit_test(modules_and_ends),	cmocka_unit_test(hidden_addresses),
		cmocka_unit_test(hostile_lines),	cmocka_unit_test(overlong_lines),
		cmocka_unit_test(random_bytes),		cmocka_unit_test(build_id_of_notes),
		cmocka_unit_test(frames_of_the_kernel), cmocka_unit_test(hidden_kernel),
		cmocka_unit_test(module_loaded_later),	cmocka_unit_test(out_of_memory),
		cmocka_unit_test(this_kernel),
	};
	int fd, failed;

	snprintf(path, sizeof(path), "%s/kallsyms-XXXXXX", unit_folder());
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
