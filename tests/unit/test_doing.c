// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a thread changes or wants, and what it does, by its registers (bpf/blame.bpf.c). */
#include <sys/syscall.h>

#include "lock.h"

#define PAGE 0x1000ULL
#define MREMAP_MAYMOVE 1

static struct vml_range range_of(__u8 context)
{
	fake.current = &task[0];
	thread[0].range = (struct vml_range){ 0 };
	blame_range(&thread[0], context);
	return thread[0].range;
}

/* What task 0 changes or wants in that call. */
static struct vml_range in_call(int nr, __u64 arg0, __u64 arg1, __u64 arg3)
{
	calls(0, nr, arg0, arg1, arg3);
	return range_of(VML_WAIT_PLAIN);
}

static void is_range(struct vml_range range, __u64 start, __u64 end)
{
	assert_int_equal(range.start, start);
	assert_int_equal(range.end, end);
}

static void is_unknown(struct vml_range range)
{
	assert_int_equal(range.end, 0);
}

static void by_arguments(void **state)
{
	static const int calls_of_a_range[] = { SYS_mprotect, SYS_munmap, SYS_madvise, SYS_mlock,	  SYS_munlock,
						SYS_mbind,    SYS_mlock2, NR_MADVISE,  SYS_pkey_mprotect, 462 };

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(calls_of_a_range); i++)
		is_range(in_call(calls_of_a_range[i], 8 * PAGE, 2 * PAGE, 0), 8 * PAGE, 10 * PAGE);
	is_range(in_call(SYS_clone, 8 * PAGE, PAGE, 0), 0, VML_RANGE_END);
	is_range(in_call(SYS_clone3, 8 * PAGE, PAGE, 0), 0, VML_RANGE_END);
	is_range(in_call(SYS_mlockall, 0, 0, 0), 0, VML_RANGE_END);
	is_unknown(in_call(SYS_read, 8 * PAGE, PAGE, 0));
	is_unknown(in_call(VML_NO_SYSCALL, 8 * PAGE, PAGE, 0));
}

/* Where mmap puts it without MAP_FIXED nothing was: a range without addresses, which is outside of all. */
static void mapping(void **state)
{
	struct vml_range hole, fault = { 8 * PAGE, 8 * PAGE + 1 };

	(void)state;
	is_range(in_call(SYS_mmap, 8 * PAGE, 2 * PAGE, 0x10), 8 * PAGE, 10 * PAGE);
	is_range(in_call(SYS_mmap, 8 * PAGE, 2 * PAGE, 0x100000), 8 * PAGE, 10 * PAGE);
	hole = in_call(SYS_mmap, 8 * PAGE, 2 * PAGE, 0x22);
	assert_true(hole.end && hole.start == hole.end);
	assert_true(vml_ledger_disjoint(&fault, &hole));
	/* the target of MREMAP_FIXED is in an argument that is not looked at */
	is_unknown(in_call(SYS_mremap, 8 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED));
	is_range(in_call(SYS_mremap, 8 * PAGE, 2 * PAGE, MREMAP_MAYMOVE), 8 * PAGE, 10 * PAGE);
	mm[0].brk = 20 * PAGE;
	is_range(in_call(SYS_brk, 24 * PAGE, 0, 0), 20 * PAGE, 24 * PAGE);
	is_range(in_call(SYS_brk, 16 * PAGE, 0, 0), 16 * PAGE, 20 * PAGE);
}

/* Whatever it is called with: an address stays one. */
static void senseless(void **state)
{
	(void)state;
	is_range(in_call(SYS_munmap, 8 * PAGE, ~0ULL, 0), 8 * PAGE, 8 * PAGE - 1);
	is_range(in_call(SYS_munmap, 8 * PAGE, 1ULL << 63, 0), 8 * PAGE, 8 * PAGE);
}

/* The highest byte of an address may be a tag (TBI of arm64, LAM of x86). */
static void tagged(void **state)
{
	(void)state;
	is_range(in_call(SYS_munmap, 0x5a00000000000000ULL | 8 * PAGE, PAGE, 0), 8 * PAGE, 9 * PAGE);
	is_range(in_call(SYS_mmap, 0x2a00000000000000ULL | 8 * PAGE, PAGE, 0x10), 8 * PAGE, 9 * PAGE);
}

static void by_others(void **state)
{
	(void)state;
	/* a fault: its address, whatever the call is */
	calls(0, SYS_read, 0, 0, 0);
	thread[0].fault_addr = 0x12345;
	is_range(range_of(VML_WAIT_OF_FAULT), 0x12345, 0x12346);
	/* whose registers say nothing: exit, kernel threads, 32-bit calls with other numbers */
	task[0].flags = PF_EXITING;
	is_unknown(in_call(SYS_munmap, 8 * PAGE, PAGE, 0));
	task[0].flags = PF_KTHREAD;
	is_unknown(in_call(SYS_munmap, 8 * PAGE, PAGE, 0));
	task[0].flags = 0;
	task[0].thread_info.status = 0x2;
	task[0].thread_info.flags = 1UL << 22;
	is_unknown(in_call(SYS_munmap, 8 * PAGE, PAGE, 0));
}

/* Blocked by a writer of its own range or of another: the first is no avoidable wait. */
static void avoidable(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;
	struct vml_ledger l;

	(void)state;
	thread_of(1, 0);
	thread_of(2, 0);
	calls(0, SYS_mprotect, 8 * PAGE, 2 * PAGE, 0);
	takes(0, 0, true);
	thread[1].fault_addr = 9 * PAGE;
	thread[2].fault_addr = 10 * PAGE;
	for (int i = 1; i <= 2; i++) {
		thread[i].fault = VML_FAULT_USER;
		asks(i, 0, false);
	}
	passes(50);
	lets_go(0, 0, true);
	charged(FIRST, &key, &sum);
	assert_int_equal(sum.blamed_ns, 100);
	assert_int_equal(sum.avoidable_ns, 50);
	l = ledger(0);
	assert_int_equal(vml_ledger_avoidable(&l), 50);
}

static __u32 doing(__u8 context)
{
	return blame_doing(&task[0], &thread[0], context);
}

static void contexts(void **state)
{
	(void)state;
	calls(0, SYS_munmap, 0, 0, 0);
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_SYSCALL, SYS_munmap));
	assert_int_equal(doing(VML_WAIT_OF_FAULT), VML_DOING(VML_DOING_KERNEL_FAULT, SYS_munmap));
	task[0].flags = PF_EXITING;
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_EXIT, 0));
	task[0].flags = PF_IO_WORKER;
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_IO_WORKER, 0));
	task[0].flags = PF_USER_WORKER;
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_IO_WORKER, 0));
	task[0].flags = PF_KTHREAD;
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_KTHREAD, 0));
	task[0].flags = 0;
	task[0].thread_info.status = 0x2;
	task[0].thread_info.flags = 1UL << 22;
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_SYSCALL32, SYS_munmap));
	calls(0, VML_NO_SYSCALL, 0, 0, 0);
	assert_int_equal(doing(VML_WAIT_OF_FAULT), VML_DOING(VML_DOING_FAULT, 0));
	assert_int_equal(doing(VML_WAIT_IN_HANDLER), VML_DOING(VML_DOING_FAULT, 0));
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_EXCEPTION, 0));
	/* under the VMA lock (__vmf_anon_prepare), where nothing is inferred from the lock */
	fake.in_fault_handler = true;
	assert_int_equal(doing(VML_WAIT_PLAIN), VML_DOING(VML_DOING_FAULT, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(by_arguments), T(mapping), T(senseless), T(tagged), T(by_others), T(avoidable), T(contexts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
