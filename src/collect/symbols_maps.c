// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a process has mapped executable, and the files behind it.  See symbols.h for what may be asked of it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "symbols.h"
#include "vmalock/base.h"

/* What the kernel appends to the path of a file that was unlinked. */
#define DELETED " (deleted)"

/* ---- mappings */

void symbols_maps_free(struct symbols_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->map[i].name);
	free(m->map);
	*m = (struct symbols_maps){ 0 };
}

/* "7f0000000000-7f0000001000 r-xp 00001000 fd:01 1234    /usr/lib/x"; false: not executable, or no such line. */
static bool parse(const char *line, struct symbols_mapping *m, const char **ret_name)
{
	char perms[5];
	int name = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64 "%n", &m->start,
		   &m->end, perms, &m->offset, &m->dev_major, &m->dev_minor, &m->inode, &name) != 7 ||
	    !name)
		return false;
	*ret_name = line + name + strspn(line + name, " ");
	return strlen(perms) == 4 && perms[2] == 'x' && m->start < m->end;
}

static int put(struct symbols_maps *m, struct symbols_mapping *new, const char *name)
{
	struct symbols_mapping *map;

	/* a power of two is full */
	if (!(m->n & (m->n - 1))) {
		map = realloc(m->map, (m->n ? 2 * m->n : 1) * sizeof(*map));
		if (!map)
			return -ENOMEM;
		m->map = map;
	}
	new->name = strdup(name);
	if (!new->name)
		return -ENOMEM;
	m->map[m->n++] = *new;
	return 0;
}

int symbols_maps_parse(FILE *f, struct symbols_maps *ret)
{
	struct symbols_maps maps = { 0 };
	struct symbols_mapping m;
	const char *name;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	while (!err && (len = getline(&line, &room, f)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		m = (struct symbols_mapping){ 0 };
		/* out of order: it was mapped while the file was read, and is not what was there before */
		if (parse(line, &m, &name) && (!maps.n || maps.map[maps.n - 1].end <= m.start))
			err = put(&maps, &m, name);
	}
	if (!err && ferror(f))
		err = -EIO;
	free(line);
	if (err) {
		symbols_maps_free(&maps);
		return err;
	}
	*ret = maps;
	return 0;
}

struct symbols_mapping *symbols_maps_find(const struct symbols_maps *m, uint64_t ip)
{
	size_t low = 0, high = m->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (m->map[mid].end <= ip)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->n && m->map[low].start <= ip ? &m->map[low] : NULL;
}

/* ---- the process */

static int start_ticks(int dir, uint64_t *ret)
{
	char buf[1024];
	ssize_t n;
	int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	buf[n] = '\0';
	return vml_proc_start_ticks(buf, ret) ? -ESRCH : 0;
}

int symbols_process_open(uint32_t pid, uint64_t start_ns, int *ret)
{
	uint64_t ticks, tick_ns = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
	char path[32];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%" PRIu32, pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = start_ticks(fd, &ticks);
	if (err == -ENOENT || (!err && ticks != start_ns / tick_ns))
		err = -ESRCH;
	if (err) {
		close(fd);
		return err;
	}
	*ret = fd;
	return 0;
}

bool symbols_process_alive(int dir)
{
	uint64_t ticks;

	return !start_ticks(dir, &ticks);
}

int symbols_process_maps(int dir, struct symbols_maps *ret)
{
	int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC), err;
	struct symbols_maps maps;
	FILE *f;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	err = symbols_maps_parse(f, &maps);
	fclose(f);
	if (!err && !maps.n)
		err = -ESRCH;
	if (!err)
		*ret = maps;
	return err;
}

/* ---- its files */

/*
 * On overlayfs and btrfs the device of a mapping is not the one of stat(2), and
 * only the inode numbers are often the same; @strict is for a file that was
 * found by nothing but its name.
 */
static bool is_mapped(int fd, const struct symbols_mapping *m, bool strict)
{
	struct stat st;
	bool device;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	device = major(st.st_dev) == m->dev_major && minor(st.st_dev) == m->dev_minor;
	if (device)
		return st.st_ino == m->inode;
	return !strict;
}

/* Below @root and nowhere else: a container must not make us read a file of the host by a symbolic link. */
static int open_below(int root, const char *path)
{
	/* not blocking, as somebody may have put a FIFO there */
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool is_deleted(const char *name)
{
	size_t len = strlen(name), suffix = strlen(DELETED);

	return len > suffix && !strcmp(name + len - suffix, DELETED);
}

static int open_root(int dir, const char *root_name, const struct symbols_mapping *m, bool strict)
{
	int root = openat(dir, root_name, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	fd = open_below(root, m->name);
	close(root);
	if (fd >= 0 && !is_mapped(fd, m, strict)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

/* Its own program is there even when it was deleted or replaced. */
static int open_exe(int dir, const struct symbols_mapping *m)
{
	int fd = openat(dir, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (!is_mapped(fd, m, true)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

int symbols_mapping_open(int dir, const struct symbols_mapping *m)
{
	int fd = -ENOENT;

	if (!m->inode || m->name[0] != '/')
		return -ENOENT;
	if (!is_deleted(m->name)) {
		fd = open_root(dir, "root", m, false);
		/* it has ended, or is in a chroot, whose names begin at our root */
		if (fd < 0)
			fd = open_root(dir, "/", m, true);
	}
	return fd < 0 ? open_exe(dir, m) : fd;
}

/* ---- names of what was compiled at run time */

/* A regular file: BCC would wait for ever at a FIFO. */
static bool is_below(int dir, const char *root_name, uint32_t pid)
{
	int root = openat(dir, root_name, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	char path[48];
	struct stat st;
	bool found;

	if (root < 0)
		return false;
	snprintf(path, sizeof(path), "/tmp/perf-%" PRIu32 ".map", pid);
	fd = open_below(root, path);
	close(root);
	found = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);
	if (fd >= 0)
		close(fd);
	return found;
}

uint32_t symbols_status_pid(FILE *f)
{
	char line[512], *last; /* 33 namespaces, 8 bytes each */

	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		last = strrchr(line, '\t');
		return last ? (uint32_t)strtoul(last, NULL, 10) : 0;
	}
	return 0;
}

static uint32_t inner_pid(int dir)
{
	int fd = openat(dir, "status", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	uint32_t pid = 0;

	if (f) {
		pid = symbols_status_pid(f);
		fclose(f);
	} else if (fd >= 0) {
		close(fd);
	}
	return pid;
}

bool symbols_process_has_perf_map(int dir, uint32_t pid)
{
	return is_below(dir, "/", pid) || is_below(dir, "root", inner_pid(dir));
}
