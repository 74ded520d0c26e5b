/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the fuzzers of tests/fuzz have found, and what they begin with: each file of tests/fuzz/NAME goes
 * through tests/fuzz/NAME.c again.  They abort when something is wrong.
 */
#include <dirent.h>

#include "unit.h"

#define LLVMFuzzerTestOneInput fuzz_answers
#include "fuzz/answers.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_elf
#include "fuzz/elf.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_json
#include "fuzz/json.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_log
#include "fuzz/log.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_metrics
#include "fuzz/metrics.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_proc
#include "fuzz/proc.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_recording
#include "fuzz/recording.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_requests
#include "fuzz/requests.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_screen
#include "fuzz/screen.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_shown
#include "fuzz/shown.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_texts
#include "fuzz/texts.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_web_settings
#include "fuzz/web_settings.c"
#undef LLVMFuzzerTestOneInput

static void one_file(const char *path, int (*target)(const uint8_t *, size_t))
{
	FILE *f = fopen(path, "r");
	uint8_t *data;
	long n = 0;

	if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0)
		fail_msg("%s cannot be read", path);
	rewind(f);
	data = malloc((size_t)n + 1);
	assert_int_equal(fread(data, 1, (size_t)n, f), n);
	fclose(f);
	assert_int_equal(target(data, (size_t)n), 0);
	free(data);
}

static void whole_folder(const char *folder, int (*target)(const uint8_t *, size_t))
{
	const struct dirent *e;
	DIR *dir = opendir(folder);
	char path[512];
	int files = 0;

	if (!dir)
		fail_msg("%s is not there: tests run from the root of the repository", folder);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		one_file(path, target);
		files++;
	}
	closedir(dir);
	assert_true(files > 0);
}

static void test_answers(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/answers", fuzz_answers);
}

static void test_elf(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/elf", fuzz_elf);
}

static void test_json(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/json", fuzz_json);
}

static void test_log(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/log", fuzz_log);
}

static void test_metrics(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/metrics", fuzz_metrics);
}

static void test_proc(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/proc", fuzz_proc);
}

static void test_recording(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/recording", fuzz_recording);
}

static void test_requests(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/requests", fuzz_requests);
}

static void test_screen(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/screen", fuzz_screen);
}

static void test_shown(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/shown", fuzz_shown);
}

static void test_texts(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/texts", fuzz_texts);
}

static void test_web_settings(void **state)
{
	(void)state;
	whole_folder("tests/fuzz/web_settings", fuzz_web_settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	  cmocka_unit_test(test_elf),	   cmocka_unit_test(test_json),
		cmocka_unit_test(test_log),	  cmocka_unit_test(test_metrics),  cmocka_unit_test(test_proc),
		cmocka_unit_test(test_recording), cmocka_unit_test(test_requests), cmocka_unit_test(test_screen),
		cmocka_unit_test(test_shown),	  cmocka_unit_test(test_texts),	   cmocka_unit_test(test_web_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
