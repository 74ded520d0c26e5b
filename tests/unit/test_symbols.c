/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From addresses to functions (src/collect/symbols*.c), of this program and of copies of it that run as children. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "../../src/collect/symbols.h"

UNIT_OUT_OF_MEMORY

static char folder[56]; /* mkdtemp(3) in main() */

/* In the middle of no other function, and too long to be merged with one. */
__attribute__((noinline, used)) static int known_function(int n)
{
	volatile int sum = 0;

	for (int i = 0; i < n; i++)
		sum += i;
	return sum;
}
#define KNOWN ((uint64_t)(uintptr_t)known_function)

/* ---- processes */

static uint64_t start_ns(pid_t pid)
{
	char path[64], buf[1024], *p;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	p = strrchr(buf, ')');
	for (int i = 0; i < 20; i++)
		p = strchr(p + 1, ' ');
	/* what is below a tick is not in /proc */
	return strtoull(p, NULL, 10) * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK)) + 12345;
}

static struct vml_id id_of(pid_t pid)
{
	return (struct vml_id){ .pid = (uint32_t)pid, .start_ns = start_ns(pid), .exec = 5 };
}

/* A copy of this program that waits: its address of known_function() and of a page of code in no file. */
struct child {
	struct vml_id id;
	pid_t pid;
	int in;
	uint64_t known, code;
};

static int wait_as_child(void)
{
	uint64_t address[2] = { KNOWN };
	char c;

	address[1] = (uint64_t)(uintptr_t)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (write(STDOUT_FILENO, address, sizeof(address)) != sizeof(address))
		return 1;
	return read(STDIN_FILENO, &c, 1) < 0;
}

static void copy(const char *from, const char *to)
{
	char command[600];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

static void copy_self(const char *to)
{
	char self[512];

	/* not of the shell */
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = '\0';
	copy(self, to);
}

/* @tmpfs: on a file system that only the child sees, mounted at @folder. */
static struct child start(const char *path, bool tmpfs)
{
	uint64_t address[2];
	struct child c = { 0 };
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid) {
		if (tmpfs) {
			if (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) ||
			    mount("none", folder, "tmpfs", 0, NULL))
				_exit(77);
			copy_self(path);
		}
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(path, path, "child", (char *)NULL);
		_exit(78);
	}
	close(in[0]);
	close(out[1]);
	c.in = in[1];
	assert_int_equal(read(out[0], address, sizeof(address)), sizeof(address));
	close(out[0]);
	c.known = address[0];
	c.code = address[1];
	c.id = id_of(c.pid);
	return c;
}

static void end(struct child *c)
{
	int status;

	close(c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
}

static struct vml_symbols_stats stats(const struct vml_symbols *s)
{
	struct vml_symbols_stats st;

	vml_symbols_stats(s, &st);
	return st;
}

struct fixture {
	struct vml_symbols *s;
	struct vml_arena *a;
	char path[sizeof(folder) + 8]; /* of a copy */
};

static int setup(void **state)
{
	static const struct vml_symbols_options o = { .no_bcc = true };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(vml_symbols_open(&o, &f->s), 0);
	f->a = vml_arena_new();
	snprintf(f->path, sizeof(f->path), "%s/copy", folder);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unit_allocations = -1;
	unlink(f->path);
	vml_symbols_close(f->s);
	vml_arena_free(f->a);
	free(f);
	return 0;
}

static struct child start_copy(struct fixture *f)
{
	copy_self(f->path);
	return start(f->path, false);
}

/* Reads and closes again at once. */
static void reopen(struct fixture *f)
{
	static const struct vml_symbols_options o = { .no_bcc = true, .refresh_ns = 1 };

	vml_symbols_close(f->s);
	assert_int_equal(vml_symbols_open(&o, &f->s), 0);
}

static struct vml_frame user(struct fixture *f, const struct child *c, uint64_t ip)
{
	struct vml_frame r;

	assert_int_equal(vml_symbols_user(f->s, &c->id, ip, false, f->a, &r), 0);
	assert_false(r.kernel);
	return r;
}

static void assert_known(const struct vml_frame *f, uint64_t offset)
{
	assert_int_equal(f->state, VML_FRAME_FUNCTION);
	assert_string_equal(f->function, "known_function");
	assert_int_equal(f->offset, offset);
}

/* ---- tests */

/* Compared with libelf's in test_symbols_files.c. */
static void build_id(const char *path, char *hex, size_t n)
{
	struct symbols_elf *e;

	assert_int_equal(symbols_elf_open(open(path, O_RDONLY | O_CLOEXEC), &e), 0);
	snprintf(hex, n, "%s", symbols_elf_build_id(e));
	symbols_elf_close(e);
}

static void own_function_and_build_id(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	char hex[200], exe[200];
	struct vml_frame r;

	exe[readlink("/proc/self/exe", exe, sizeof(exe) - 1)] = '\0';
	r = user(f, &self, KNOWN);
	assert_known(&r, 0);
	assert_string_equal(r.file, exe);
	build_id(exe, hex, sizeof(hex));
	assert_true(strlen(hex) >= 16);
	assert_string_equal(r.build_id, hex);
	r = user(f, &self, KNOWN + 3);
	assert_known(&r, 3);
	assert_int_equal(known_function(3), 3);
	assert_int_equal(stats(f->s).maps_read, 0);
}

static void return_address_is_of_the_call(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r;

	assert_int_equal(vml_symbols_user(f->s, &self.id, KNOWN + 1, true, f->a, &r), 0);
	assert_known(&r, 1);
	/* the first byte of a function is where a call at the end of the one before returns to */
	assert_int_equal(vml_symbols_user(f->s, &self.id, KNOWN, true, f->a, &r), 0);
	assert_true(r.state != VML_FRAME_FUNCTION || strcmp(r.function, "known_function"));
}

static void library_function(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r = user(f, &self, (uint64_t)(uintptr_t)read);

	assert_int_equal(r.state, VML_FRAME_FUNCTION);
	assert_non_null(strstr(r.function, "read"));
	assert_null(strchr(r.function, '@'));
	assert_int_equal(r.offset, 0);
}

static void nothing_there(void **state)
{
	static const uint64_t ip[] = { 0, 1, 4096, UINT64_MAX, 0xffffffff81000000ULL };
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r;
	char text[32];

	for (size_t i = 0; i < VML_ARRAY_SIZE(ip); i++) {
		r = user(f, &self, ip[i]);
		assert_int_equal(r.state, VML_FRAME_UNKNOWN);
		assert_int_equal(r.offset, 0);
		assert_string_equal(vml_frame_text(&r, text, sizeof(text)), "[unknown]");
	}
}

/* What a file without names says: where in the file. */
static void assert_at(const struct vml_frame *r, const struct child *c, uint64_t ip)
{
	char path[64], text[200], expected[200];
	const struct symbols_mapping *m;
	struct symbols_maps maps;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)c->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(symbols_maps_parse(f, &maps), 0);
	fclose(f);
	m = symbols_maps_find(&maps, ip);
	assert_non_null(m);
	assert_int_equal(r->state, VML_FRAME_FILE);
	assert_string_equal(r->function, "");
	assert_int_equal(r->offset, ip - m->start + m->offset);
	symbols_maps_free(&maps);
	snprintf(expected, sizeof(expected), "%s+0x%" PRIx64, strrchr(r->file, '/') + 1, r->offset);
	assert_string_equal(vml_frame_text(r, text, sizeof(text)), expected);
}

static void stripped_file(void **state)
{
	struct fixture *f = *state;
	struct vml_frame r;
	char command[200], hex[200];
	struct child c;

	copy_self(f->path);
	snprintf(command, sizeof(command), "strip %s", f->path);
	if (system(command))
		skip();
	c = start(f->path, false);
	r = user(f, &c, c.known);
	assert_string_equal(r.file, f->path);
	build_id(f->path, hex, sizeof(hex));
	assert_string_equal(r.build_id, hex);
	assert_at(&r, &c, c.known);
	end(&c);
}

static void maps_are_read_once(void **state)
{
	struct fixture *f = *state;
	struct child c = start_copy(f);
	struct vml_frame r;

	for (int i = 0; i < 3; i++) {
		r = user(f, &c, c.known + i);
		assert_known(&r, i);
		assert_string_equal(r.file, f->path);
		/* in no mapping: read again, but not yet */
		r = user(f, &c, 4096);
		assert_int_equal(r.state, VML_FRAME_UNKNOWN);
	}
	assert_int_equal(stats(f->s).maps_read, 1);
	end(&c);
}

static void maps_are_read_again(void **state)
{
	struct fixture *f = *state;
	struct child c;
	struct vml_frame r;

	reopen(f);
	c = start_copy(f);
	r = user(f, &c, 4096);
	assert_int_equal(r.state, VML_FRAME_UNKNOWN);
	assert_int_equal(stats(f->s).maps_read, 2);
	r = user(f, &c, c.known);
	assert_known(&r, 0);
	end(&c);
	/* what is known stays */
	user(f, &c, 4096);
	r = user(f, &c, c.known + 1);
	assert_known(&r, 1);
}

static void exited_process(void **state)
{
	struct fixture *f = *state;
	struct child c = start_copy(f);
	struct vml_frame r;
	char text[32];

	end(&c);
	r = user(f, &c, c.known);
	assert_int_equal(r.state, VML_FRAME_EXITED);
	assert_string_equal(vml_frame_text(&r, text, sizeof(text)), "[exited]");
	assert_int_equal(stats(f->s).maps_read, 0);
}

static void exited_process_whose_mappings_are_known(void **state)
{
	struct fixture *f = *state;
	struct child c = start_copy(f);
	struct vml_frame r;

	user(f, &c, 4096);
	end(&c);
	/* the file is still there */
	r = user(f, &c, c.known);
	assert_known(&r, 0);
}

static void exited_process_whose_file_is_gone(void **state)
{
	struct fixture *f = *state;
	struct child c = start_copy(f);
	struct vml_frame r;

	user(f, &c, 4096);
	unlink(f->path);
	end(&c);
	r = user(f, &c, c.known);
	assert_int_equal(r.state, VML_FRAME_FILE);
	assert_string_equal(r.file, f->path);
	assert_string_equal(r.build_id, "");
}

static void other_process_with_this_pid(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r;

	self.id.start_ns -= UNIT_SECOND;
	r = user(f, &self, KNOWN);
	assert_int_equal(r.state, VML_FRAME_EXITED);
}

static void unused_files_are_closed(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	struct vml_frame r;

	close(before);
	reopen(f);
	for (int i = 0; i < 3; i++) {
		r = user(f, &self, KNOWN);
		assert_known(&r, 0);
		vml_symbols_trim(f->s);
	}
	/* only the folder of the process is open */
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(fd);
	assert_int_equal(fd, before + 1);
}

static void image_before_an_exec(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r;

	r = user(f, &self, KNOWN);
	assert_known(&r, 0);
	self.id.exec--;
	r = user(f, &self, KNOWN);
	assert_int_equal(r.state, VML_FRAME_EXITED);
	/* the one after it is another again */
	self.id.exec += 2;
	r = user(f, &self, KNOWN);
	assert_known(&r, 0);
}

static void deleted_and_replaced_program(void **state)
{
	struct fixture *f = *state;
	char other[80];
	struct child c = start_copy(f);
	struct vml_frame r;

	snprintf(other, sizeof(other), "%s.new", f->path);
	copy("/bin/true", other);
	assert_int_equal(rename(other, f->path), 0);
	r = user(f, &c, c.known);
	assert_known(&r, 0);
	assert_non_null(strstr(r.file, "(deleted)"));
	end(&c);
}

static void program_of_a_container(void **state)
{
	struct fixture *f = *state;
	struct vml_frame r;
	struct child c;

	if (geteuid())
		skip();
	/* a file of that name out here */
	copy("/bin/true", f->path);
	c = start(f->path, true);
	r = user(f, &c, c.known);
	assert_known(&r, 0);
	assert_string_equal(r.file, f->path);
	end(&c);
}

static void many_processes(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r;

	for (uint32_t i = 0; i < 3 * SYMBOLS_PROCESSES; i++) {
		self.id.exec = i;
		r = user(f, &self, KNOWN);
		assert_known(&r, 0);
	}
}

static void out_of_memory(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r = { .offset = 77 };
	long n;
	int err = -ENOMEM;

	for (n = 0; err && n < 10; n++) {
		unit_allocations = n;
		err = vml_symbols_user(f->s, &self.id, KNOWN, false, f->a, &r);
		unit_allocations = -1;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(r.offset, 77);
		}
	}
	assert_int_equal(n, 4);
	assert_known(&r, 0);
}

static void code_in_no_file(void **state)
{
	struct fixture *f = *state;
	struct child self = { .id = id_of(getpid()) };
	struct vml_frame r;
	char *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[32];

	r = user(f, &self, (uint64_t)(uintptr_t)page + 16);
	munmap(page, 4096);
	assert_int_equal(r.state, VML_FRAME_FILE);
	assert_string_equal(r.file, "[anon]");
	assert_int_equal(strncmp(vml_frame_text(&r, text, sizeof(text)), "[anon]+0x", 9), 0);
}

static void perf_map(void **state)
{
	struct fixture *f = *state;
	struct vml_symbols *s;
	struct vml_frame r;
	char path[64];
	struct child c;
	FILE *map;

	assert_int_equal(vml_symbols_open(NULL, &s), 0);
	c = start_copy(f);
	/* without a perf map it is not loaded */
	assert_int_equal(vml_symbols_user(s, &c.id, c.code, false, f->a, &r), 0);
	assert_false(stats(s).bcc);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)c.pid);
	map = fopen(path, "we");
	assert_non_null(map);
	fprintf(map, "%" PRIx64 " 40 compiled;by\x01 somebody\n", c.code);
	fclose(map);
	assert_int_equal(vml_symbols_user(s, &c.id, c.code + 7, false, f->a, &r), 0);
	unlink(path);
	end(&c);
	if (!stats(s).bcc) {
		assert_int_equal(r.state, VML_FRAME_FILE);
		vml_symbols_close(s);
		skip();
	}
	assert_int_equal(stats(s).maps_read, 2);
	vml_symbols_close(s);
	assert_string_equal(r.function, "compiled;by\\x01 somebody");
	assert_int_equal(r.offset, 7);
}

#define SEAM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SEAM(own_function_and_build_id),
		SEAM(return_address_is_of_the_call),
		SEAM(library_function),
		SEAM(nothing_there),
		SEAM(stripped_file),
		SEAM(maps_are_read_once),
		SEAM(maps_are_read_again),
		SEAM(exited_process),
		SEAM(exited_process_whose_mappings_are_known),
		SEAM(exited_process_whose_file_is_gone),
		SEAM(other_process_with_this_pid),
		SEAM(unused_files_are_closed),
		SEAM(image_before_an_exec),
		SEAM(deleted_and_replaced_program),
		SEAM(program_of_a_container),
		SEAM(many_processes),
		SEAM(out_of_memory),
		SEAM(code_in_no_file),
		SEAM(perf_map),
	};
	int failed;

	if (argc > 1 && !strcmp(argv[1], "child"))
		return wait_as_child();
	snprintf(folder, sizeof(folder), "%s/symbols-XXXXXX", unit_folder());
	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
