/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A file with the layout of a BPF ring: both copies of the data are written, as the kernel maps them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/collect.h"
#include "unit.h"

static struct {
	struct ring ring;
	int fd;
	size_t page, bytes;
	unsigned long written;
	uint64_t seen[64], fails_at; /* what the records have; 1 of them is refused */
	size_t n;
} t;

static void put(off_t at, const void *p, size_t n)
{
	assert_int_equal(pwrite(t.fd, p, n, at), n);
}

/* A record of @n times @value; returns its position. */
static unsigned long write_record(uint32_t flags, uint64_t value, size_t n)
{
	uint64_t record[64];
	uint32_t header[2] = { (uint32_t)(n * sizeof(*record)) | flags, 0 };
	unsigned long at = t.written;

	memcpy(record, header, sizeof(header));
	for (size_t i = 1; i <= n; i++)
		record[i] = value;
	for (size_t i = 0; i <= n; i++) {
		off_t data = (off_t)(2 * t.page + ((t.written + i * 8) & (t.bytes - 1)));

		put(data, &record[i], 8);
		put(data + (off_t)t.bytes, &record[i], 8);
	}
	t.written += (n + 1) * 8;
	put((off_t)t.page, &t.written, sizeof(t.written));
	return at;
}

static int each(void *arg, const void *record, size_t n)
{
	uint64_t value;

	assert_ptr_equal(arg, &t);
	assert_true(n % 8 == 0);
	for (size_t i = 0; i < n; i += 8) {
		memcpy(&value, (const char *)record + i, 8);
		if (!i)
			t.seen[t.n] = value;
		assert_int_equal(value, t.seen[t.n]);
	}
	if (t.seen[t.n] == t.fails_at)
		return -EIO;
	t.n++;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.page = (size_t)sysconf(_SC_PAGESIZE);
	t.bytes = 2 * t.page;
	t.fd = memfd_create("ring", MFD_CLOEXEC);
	assert_true(t.fd >= 0);
	assert_int_equal(ftruncate(t.fd, (off_t)(2 * t.page + 2 * t.bytes)), 0);
	return ring_open(&t.ring, t.fd, t.bytes);
}

static int tear_down(void **state)
{
	(void)state;
	ring_close(&t.ring);
	ring_close(&t.ring); /* twice is fine */
	return close(t.fd);
}

static void nothing_and_some(void **state)
{
	(void)state;
	assert_int_equal(ring_read(&t.ring, each, &t), 0);
	assert_int_equal(t.n, 0);
	write_record(0, 7, 1);
	write_record(BPF_RINGBUF_DISCARD_BIT, 8, 2);
	write_record(0, 9, 3);
	assert_int_equal(ring_read(&t.ring, each, &t), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.seen[0], 7);
	assert_int_equal(t.seen[1], 9);
	assert_int_equal(ring_read(&t.ring, each, &t), 0);
	assert_int_equal(t.n, 2);
}

/* What is being written, and all after it, comes when it is complete. */
static void a_record_that_is_being_written(void **state)
{
	const uint32_t complete[2] = { 8, 0 };
	unsigned long at;

	(void)state;
	write_record(0, 1, 1);
	at = write_record(BPF_RINGBUF_BUSY_BIT, 2, 1);
	write_record(0, 3, 1);
	assert_int_equal(ring_read(&t.ring, each, &t), 0);
	assert_int_equal(t.n, 1);
	put((off_t)(2 * t.page + at), complete, sizeof(complete));
	assert_int_equal(ring_read(&t.ring, each, &t), 0);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.seen[1], 2);
	assert_int_equal(t.seen[2], 3);
}

/* A record that is refused comes no second time, those after it do. */
static void refused(void **state)
{
	(void)state;
	for (uint64_t v = 1; v <= 3; v++)
		write_record(0, v, 1);
	t.fails_at = 2;
	assert_int_equal(ring_read(&t.ring, each, &t), -EIO);
	assert_int_equal(t.n, 1);
	assert_int_equal(ring_read(&t.ring, each, &t), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.seen[1], 3);
}

/* Many times around, in steps that meet the end of the ring and of pages everywhere; also when it is full. */
static void around(void **state)
{
	uint64_t next = 1, expected = 1;

	(void)state;
	for (size_t round = 0; round < 5000; round++) {
		size_t size = 1 + round % 61, n = round % 7 ? 1 + round % 5 : t.bytes / ((size + 1) * 8);

		if (n > 60)
			n = 60;
		for (size_t i = 0; i < n; i++)
			write_record(0, next++, size);
		t.n = 0;
		assert_int_equal(ring_read(&t.ring, each, &t), 0);
		assert_int_equal(t.n, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(t.seen[i], expected++);
	}
	assert_true(t.written > 100 * t.bytes);
}

static void cannot_be_mapped(void **state)
{
	struct ring r;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_true(ring_open(&r, fd, t.bytes) < 0);
	close(fd);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_and_some), T(a_record_that_is_being_written), T(refused), T(around), T(cannot_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
