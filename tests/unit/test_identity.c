// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a VMA is called, as its row in the map changes (src/collect/identity.c). */
#include <linux/bpf.h> /* struct bpf_spin_lock */
#include <linux/types.h>

#include "collect/collect.h"
#include "unit.h"

/* ---- in place of the map of paths */

static struct vml_path path;
static int lookups;

int bpf_map_lookup_elem(int fd, const void *key, void *value);
int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	(void)fd, (void)key;
	lookups++;
	if (!path.len)
		return -1;
	memcpy(value, &path, sizeof(path));
	return 0;
}

static void set_path(const char *text, size_t len)
{
	memset(&path, 0, sizeof(path));
	memcpy(path.text, text, len);
	path.len = (uint32_t)len;
	lookups = 0;
}

static void area(struct item *e, const struct vml_vma_value *v, const char *kind, const char *name)
{
	assert_int_equal(identity_area(e, -1, v), 0);
	assert_string_equal(e->area.kind, kind);
	assert_string_equal(e->area.name, name);
	assert_ptr_equal(e->area.name, e->name);
}

/* ---- */

static void name_is_that_of_the_kind(void **state)
{
	static const struct vml_vma_value unknown = { .kind = VML_VMA_UNKNOWN },
					  anon = { .kind = VML_VMA_ANON, .start = 0x1000, .end = 0x2000, .flags = 3 },
					  heap = { .kind = VML_VMA_HEAP, .start = 0x1000, .end = 0x3000, .flags = 3 },
					  later = { .kind = VML_NVMA_KINDS };
	struct item e = { 0 };

	(void)state;
	area(&e, &unknown, "unknown", "[unknown]");
	assert_string_equal(e.area.perms, "");
	area(&e, &anon, "anon", "[anon]");
	assert_string_equal(e.area.perms, "rw-p");
	area(&e, &heap, "heap", "[heap]");
	assert_int_equal(e.area.end, 0x3000);
	area(&e, &later, "unknown", "[unknown]");
	free(e.name);
}

static void name_is_that_of_the_file(void **state)
{
	static const struct vml_vma_value anon = { .kind = VML_VMA_ANON, .start = 0x1000, .end = 0x2000 };
	struct vml_vma_value file = { .kind = VML_VMA_FILE, .start = 0x1000, .end = 0x2000, .file_cookie = 7 };
	struct item e = { 0 };

	(void)state;
	set_path("", 0);
	area(&e, &file, "file", "");
	set_path("a\n\0lib", 7); /* learnt meanwhile */
	area(&e, &file, "file", "/lib/a\\x0a");
	area(&e, &file, "file", "/lib/a\\x0a");
	assert_int_equal(lookups, 1);
	set_path("b", 2);
	file.file_cookie = 8;
	area(&e, &file, "file", "/b");
	area(&e, &anon, "anon", "[anon]");
	area(&e, &file, "file", "/b");
	assert_int_equal(lookups, 2);
	free(e.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_that_of_the_kind),
		cmocka_unit_test(name_is_that_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
