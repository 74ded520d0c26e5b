/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a process says of its mappings, and what is behind them (src/collect/symbols_maps.c, symbols_elf.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gelf.h>

#include "unit.h"
#include "../../src/collect/symbols.h"

static char path[256]; /* in a folder of ours: nobody else can be there first */

static void mappings(void **state)
{
	static const char text[] = "1000-2000 r--p 00000000 fd:01 7 /usr/lib/a\n"
				   "2000-3000 r-xp 00001000 fd:01 7                          /usr/lib/a\n"
				   "3000-2000 r-xp 00001000 fd:01 7 /backwards\n"
				   "nonsense\n\n-\n5000-6000\n5000-6000 r-xp\n"
				   "5000-6000 --xp 00000000 00:00 0 \n"
				   "2800-5800 r-xp 00000000 00:00 0 /overlaps\n"
				   "7000-8000 rwxs 00000000 00:1a 99 /a b\\012c (deleted)";
	FILE *f = fmemopen((void *)text, sizeof(text) - 1, "r");
	struct symbols_maps m;

	(void)state;
	assert_int_equal(symbols_maps_parse(f, &m), 0);
	fclose(f);
	assert_int_equal(m.n, 3);
	assert_null(symbols_maps_find(&m, 0x1fff));
	assert_ptr_equal(symbols_maps_find(&m, 0x2000), &m.map[0]);
	assert_ptr_equal(symbols_maps_find(&m, 0x2fff), &m.map[0]);
	assert_null(symbols_maps_find(&m, 0x3000));
	assert_ptr_equal(symbols_maps_find(&m, 0x5000), &m.map[1]);
	assert_ptr_equal(symbols_maps_find(&m, 0x7fff), &m.map[2]);
	assert_null(symbols_maps_find(&m, 0x8000));
	assert_null(symbols_maps_find(&m, UINT64_MAX));
	assert_string_equal(m.map[0].name, "/usr/lib/a");
	assert_int_equal(m.map[0].offset, 0x1000);
	assert_int_equal(m.map[0].dev_major, 0xfd);
	assert_int_equal(m.map[0].inode, 7);
	assert_string_equal(m.map[1].name, "");
	assert_string_equal(m.map[2].name, "/a b\\012c (deleted)");
	symbols_maps_free(&m);
}

static void no_mappings(void **state)
{
	FILE *f = fopen("/dev/null", "re");
	struct symbols_maps m;

	(void)state;
	assert_int_equal(symbols_maps_parse(f, &m), 0);
	fclose(f);
	assert_int_equal(m.n, 0);
	assert_null(symbols_maps_find(&m, 0));
	symbols_maps_free(&m);
}

static void fifo_in_place_of_a_file(void **state)
{
	struct symbols_mapping m = { .name = path };
	int dir = open("/proc/self", O_PATH | O_CLOEXEC);
	struct stat st;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(stat(path, &st), 0);
	m.inode = st.st_ino;
	alarm(10);
	assert_int_equal(symbols_mapping_open(dir, &m), -ESTALE);
	alarm(0);
	close(dir);
	unlink(path);
}

/* The link is resolved in the root that was given, where it leads nowhere. */
static void link_that_leads_out(void **state)
{
	struct symbols_mapping m = { .name = path };
	int dir = open("/proc/self", O_PATH | O_CLOEXEC);
	struct stat st;

	(void)state;
	assert_int_equal(symlink("/proc/self/exe", path), 0);
	assert_int_equal(stat("/bin/true", &st), 0);
	m.inode = st.st_ino;
	/* a magic link is not followed, and the program is another */
	assert_int_equal(symbols_mapping_open(dir, &m), -ESTALE);
	close(dir);
	unlink(path);
}

static void files_that_are_no_elf(void **state)
{
	static const char *const file[] = { "/etc/passwd", "/dev/null", "/proc/self/exe" };
	struct symbols_elf *e = NULL;
	uint64_t offset, seed = 5;
	const char *name;
	char buf[4096];
	int fd;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(symbols_elf_open(open(file[i], O_RDONLY | O_CLOEXEC), &e), -ENOEXEC);
	/* ourselves, damaged */
	for (int i = 0; i < 200; i++) {
		ssize_t n;

		fd = open(file[2], O_RDONLY | O_CLOEXEC);
		n = read(fd, buf, sizeof(buf));
		close(fd);
		assert_int_equal(n, sizeof(buf));
		for (int k = 0; k < 8; k++)
			buf[4 + unit_below(&seed, 600)] = (char)unit_random(&seed);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, buf, sizeof(buf)), sizeof(buf));
		if (i & 1)
			assert_int_equal(ftruncate(fd, 4 << 20), 0);
		if (!symbols_elf_open(fd, &e)) {
			symbols_elf_function(e, unit_below(&seed, 8192), &name, &offset);
			symbols_elf_close(e);
		}
	}
	unlink(path);
}

/* Opens the first @n bytes of @file. */
static int open_bytes(const void *file, size_t n, struct symbols_elf **ret)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, file, n), n);
	return symbols_elf_open(fd, ret);
}

/* A name that does not end would be read on behind the table. */
static void names_without_an_end(void **state)
{
	static const char last[] = "work@@V1";
	Elf64_Phdr dynamic = { .p_type = PT_DYNAMIC };
	struct symbols_elf *e = NULL;
	uint64_t offset;
	const char *name;
	char buf[4096], *at;
	FILE *f = fopen("tests/fuzz/elf/two_functions", "re");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	assert_int_equal(open_bytes(buf, n, &e), 0);
	assert_int_equal(symbols_elf_function(e, 0x408, &name, &offset), 0);
	assert_string_equal(name, "main");
	assert_int_equal(offset, 8);
	assert_int_equal(symbols_elf_function(e, 0x441, &name, &offset), 0);
	assert_string_equal(name, "work");
	symbols_elf_close(e);

	at = memmem(buf, n, last, sizeof(last));
	assert_non_null(at);
	at[sizeof(last) - 1] = 'x';
	assert_int_equal(open_bytes(buf, n, &e), -ENOEXEC);
	at[sizeof(last) - 1] = '\0';

	/* without sections the names may be anywhere, if there are any */
	memset(buf + offsetof(Elf64_Ehdr, e_shoff), 0, sizeof(Elf64_Off));
	memset(buf + offsetof(Elf64_Ehdr, e_shentsize), 0, 3 * sizeof(Elf64_Half));
	assert_int_equal(open_bytes(buf, n, &e), 0);
	assert_int_equal(symbols_elf_function(e, 0x408, &name, &offset), -ENOENT);
	symbols_elf_close(e);
	memcpy(buf + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), &dynamic, sizeof(dynamic));
	assert_int_equal(open_bytes(buf, n, &e), -ENOEXEC);
	unlink(path);
}

/* As libelf reads it. */
static void build_id(const char *path, char *hex, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0, name, desc;
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Nhdr nh;
	Elf *elf;

	hex[0] = '\0';
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_non_null(elf);
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_NOTE)
			continue;
		for (at = 0; (at = gelf_getnote(elf_getdata(scn, NULL), at, &nh, &name, &desc));) {
			const unsigned char *d = elf_getdata(scn, NULL)->d_buf;

			for (size_t i = 0; nh.n_type == NT_GNU_BUILD_ID && i < nh.n_descsz && 2 * i + 3 < n; i++)
				snprintf(hex + 2 * i, 3, "%02x", d[desc + i]);
		}
	}
	elf_end(elf);
	close(fd);
}

static void build_ids(void **state)
{
	struct symbols_elf *e;
	char hex[200];

	(void)state;
	build_id("/proc/self/exe", hex, sizeof(hex));
	assert_true(strlen(hex) >= 16);
	assert_int_equal(symbols_elf_open(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), &e), 0);
	assert_string_equal(symbols_elf_build_id(e), hex);
	symbols_elf_close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings),
		cmocka_unit_test(no_mappings),
		cmocka_unit_test(fifo_in_place_of_a_file),
		cmocka_unit_test(link_that_leads_out),
		cmocka_unit_test(files_that_are_no_elf),
		cmocka_unit_test(names_without_an_end),
		cmocka_unit_test(build_ids),
	};

	char folder[sizeof(path) - 8];
	int failed;

	snprintf(folder, sizeof(folder), "%s/files-XXXXXX", unit_folder());
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/file", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
