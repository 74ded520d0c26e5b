/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Frames as text (src/model/frame.c) and folded stacks (src/sinks/folded.c). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "unit.h"
#include "vmalock/sink.h"

static struct vml_frame function(const char *name)
{
	return (struct vml_frame){
		.state = VML_FRAME_FUNCTION, .function = name, .file = "/usr/bin/x", .build_id = "", .offset = 16
	};
}

static struct vml_frame file(const char *name, uint64_t offset)
{
	return (struct vml_frame){
		.state = VML_FRAME_FILE, .function = "", .file = name, .build_id = "", .offset = offset
	};
}

static struct vml_frame nothing(enum vml_frame_state state)
{
	return (struct vml_frame){ .state = state, .function = "", .file = "", .build_id = "" };
}

static void assert_folded(const char *comm, const struct vml_frame *user, size_t nuser, const struct vml_frame *kernel,
			  size_t nkernel, const char *expected)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(vml_folded_write(f, comm, user, nuser, kernel, nkernel, 1234), 0);
	fclose(f);
	assert_string_equal(text, expected);
	free(text);
}

static void root_first(void **state)
{
	const struct vml_frame user[] = { function("mmap"), function("work"), function("main") };
	const struct vml_frame kernel[] = { function("down_write"), function("do_syscall_64") };

	(void)state;
	assert_folded("app", user, 3, kernel, 2, "app;main;work;mmap;do_syscall_64_[k];down_write_[k] 1234\n");
	assert_folded("app", user, 3, NULL, 0, "app;main;work;mmap 1234\n");
	assert_folded("app", NULL, 0, kernel, 2, "app;do_syscall_64_[k];down_write_[k] 1234\n");
	assert_folded("app", NULL, 0, NULL, 0, "app 1234\n");
	assert_folded("", NULL, 0, NULL, 0, "[unknown] 1234\n");
}

static void without_names(void **state)
{
	const struct vml_frame user[] = {
		file("/usr/lib/libc.so.6", 0x2a1b), file("[vdso]", 16),	       file("[anon:v8]", 1),
		nothing(VML_FRAME_UNKNOWN),	    nothing(VML_FRAME_EXITED), file("/a b (deleted)", 2)
	};
	const struct vml_frame kernel[] = { nothing(VML_FRAME_UNKNOWN) };

	(void)state;
	assert_folded("app", user, 6, kernel, 1,
		      "app;a_b_(deleted)+0x2;[exited];[unknown];[anon:v8]+0x1;[vdso]+0x10;libc.so.6+0x2a1b;"
		      "[unknown]_[k] 1234\n");
}

static void hostile_text(void **state)
{
	const struct vml_frame user[] = { function("a;b\n 99\nc d\te\x7f"),
					  function("std::map<int, char>::at(int const&)"),
					  function("fake_[k]"),
					  function("_[j]"),
					  function("[k]"),
					  function("x[1]") };

	(void)state;
	assert_folded("x;y 5\n\r\x1b", user, 6, NULL, 0,
		      "x:y_5???;x[1];[k];_(j);fake_(k);std::map<int,_char>::at(int_const&);a:b?_99?c_d?e? 1234\n");
	assert_folded("日本 x", NULL, 0, NULL, 0, "日本_x 1234\n");
	assert_folded("bash_[k]", NULL, 0, NULL, 0, "bash_(k) 1234\n");
}

/* Whatever the text: one line, as many frames as there are, and the value behind the last space. */
static void any_bytes(void **state)
{
	char name[4][40], *text = NULL;
	struct vml_frame frame[3];
	uint64_t seed = 11;
	size_t n, frames, spaces;
	FILE *f;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		for (int j = 0; j < 4; j++) {
			for (size_t k = 0; k < sizeof(name[0]); k++)
				name[j][k] = (char)unit_random(&seed);
			name[j][sizeof(name[0]) - 1] = '\0';
			if (j)
				frame[j - 1] = i & 1 ? function(name[j]) : file(name[j], 1);
		}
		f = open_memstream(&text, &n);
		assert_int_equal(vml_folded_write(f, name[0], frame, 2, frame + 2, 1, UINT64_MAX), 0);
		fclose(f);
		frames = 1;
		spaces = 0;
		for (size_t k = 0; k < n; k++) {
			frames += text[k] == ';';
			spaces += text[k] == ' ';
			assert_true((unsigned char)text[k] >= 0x20 || k == n - 1);
		}
		assert_int_equal(frames, 4);
		assert_int_equal(spaces, 1);
		assert_string_equal(strchr(text, ' '), " 18446744073709551615\n");
		free(text);
	}
}

static void long_names(void **state)
{
	char name[6000], buf[16];
	struct vml_frame f = function(name);

	(void)state;
	/* cut between characters */
	for (size_t i = 0; i + 3 < sizeof(name); i += 3)
		memcpy(name + i, "日", 3);
	name[sizeof(name) - 3] = '\0';
	assert_string_equal(vml_frame_text(&f, buf, sizeof(buf)), "日日日日日");
	assert_string_equal(vml_frame_text(&f, buf, sizeof(buf) - 1), "日日日日");
	f = function("0123456789abcdef");
	assert_string_equal(vml_frame_text(&f, buf, sizeof(buf)), "0123456789abcde");
	f = file("/x/0123456789abcdef", 1);
	assert_string_equal(vml_frame_text(&f, buf, sizeof(buf)), "0123456789abcde");
	f = nothing(VML_FRAME_EXITED);
	assert_string_equal(vml_frame_text(&f, buf, 1), "");
}

static void stream_that_fails(void **state)
{
	FILE *f = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(vml_folded_write(f, "x", NULL, 0, NULL, 0, 1), -EIO);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_first), cmocka_unit_test(without_names), cmocka_unit_test(hostile_text),
		cmocka_unit_test(any_bytes),  cmocka_unit_test(long_names),    cmocka_unit_test(stream_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
