/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of the capabilities, and what doctor says of it. */
#include <errno.h>

#include <sys/capability.h>

#include "run/privileges.h"
#include "unit.h"
#include "vmalock/caps.h"
#include "vmalock/sink.h"

static bool has(cap_flag_t flag, cap_value_t c)
{
	cap_flag_value_t is = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	assert_non_null(caps);
	assert_int_equal(cap_get_flag(caps, c, flag, &is), 0);
	cap_free(caps);
	return is == CAP_SET;
}

struct kernel {
	bool bpf, perfmon; /* what it asks for */
	int otherwise; /* what else goes wrong */
	int asked;
};

static int works(void *arg)
{
	struct kernel *k = arg;

	k->asked++;
	assert_false(has(CAP_EFFECTIVE, CAP_SYS_ADMIN));
	if ((k->bpf && !has(CAP_EFFECTIVE, CAP_BPF)) || (k->perfmon && !has(CAP_EFFECTIVE, CAP_PERFMON)))
		return -EPERM;
	return k->otherwise;
}

static void only_what_the_kernel_asks_for_is_kept(void **state)
{
	static const struct {
		struct kernel kernel;
		const char *kept;
		int asked;
	} cases[] = {
		{ { 0 }, "none", 1 },
		{ { .bpf = true }, "cap_bpf", 2 },
		{ { .perfmon = true }, "cap_perfmon", 3 },
		{ { .bpf = true, .perfmon = true }, "cap_bpf cap_perfmon", 4 },
	};
	size_t i;

	(void)state;
	if (!has(CAP_PERMITTED, CAP_BPF) || !has(CAP_PERMITTED, CAP_PERFMON)) {
		print_message("CAP_BPF and CAP_PERFMON are not permitted here\n");
		skip();
	}
	for (i = 0; i < VML_ARRAY_SIZE(cases); i++) {
		struct kernel k = cases[i].kernel;
		char kept[64] = "";

		assert_int_equal(privileges_try(works, &k, kept), 0);
		assert_string_equal(kept, cases[i].kept);
		assert_int_equal(k.asked, cases[i].asked);
		assert_true(has(CAP_EFFECTIVE, CAP_BPF)); /* as before */
	}
}

static void other_errors_are_not_about_capabilities(void **state)
{
	struct kernel k = { .otherwise = -EIO };
	char kept[64] = "";

	(void)state;
	assert_int_equal(privileges_try(works, &k, kept), -EIO);
	assert_string_equal(kept, "");
	assert_int_equal(k.asked, 1);
}

static char *said(const char *kept, bool own_pids)
{
	struct vml_caps caps = { .backend = "fentry", .detail = "default", .own_pids = own_pids };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	int i;

	for (i = 0; i < VML_NCAPS; i++)
		caps.cap[i] = (struct vml_cap){ .name = vml_cap_name(i), .what = "", .lost = "", .get = "" };
	snprintf(caps.kept, sizeof(caps.kept), "%s", kept);
	assert_non_null(f);
	assert_int_equal(vml_doctor_write(f, &caps, true), 0);
	fclose(f);
	return text;
}

static void doctor_names_what_is_kept(void **state)
{
	char *text = said("cap_bpf cap_perfmon", false);

	(void)state;
	assert_non_null(strstr(text, "\nvmalockd keeps cap_bpf cap_perfmon while it runs: without, the kernel refuses "
				     "to\ntake a snapshot.\n\n"));
	assert_null(strstr(text, "container"));
	free(text);
	text = said("", true);
	assert_null(strstr(text, "vmalockd keeps"));
	assert_non_null(strstr(text, "\nPIDs are the host's, this container has others"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_kernel_asks_for_is_kept),
		cmocka_unit_test(other_errors_are_not_about_capabilities),
		cmocka_unit_test(doctor_names_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
