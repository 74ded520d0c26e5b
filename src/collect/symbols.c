// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The seam: what is read, kept and forgotten.
 *
 * libdwfl comes first: it is given the mapped inode, knows build ids, and asks
 * nothing of the process.  BCC reads /proc/PID/maps once more, opens files by name
 * and takes 60 MB, so it is asked only for addresses in no file, for which libdwfl
 * has nothing, and only when the process, or its container, has a perf map.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols.h"
#include "vmalock/base.h"

#define REFRESH_NS 60000000000ULL
#define KERNEL "[kernel]"

struct process {
	struct vml_id id;
	uint64_t used; /* 0: the place is free */
	uint64_t read_ns; /* when maps was read */
	uint64_t bcc_ns; /* when BCC read it */
	int dir; /* /proc/PID, or -1 */
	bool exited; /* before its maps could be read */
	struct symbols_maps maps;
	void *bcc;
};

struct file {
	uint64_t used; /* 0: the place is free */
	uint64_t used_ns;
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	struct symbols_elf *elf;
};

struct vml_symbols {
	struct vml_symbols_options options;
	struct vml_symbols_stats stats;
	struct kallsyms *kallsyms;
	uint64_t kallsyms_ns; /* when it was read; 0: never */
	/* open all the time: the kernel asks for CAP_SYSLOG when it is opened, and that may be dropped later */
	int kallsyms_fd;
	char module[64], module_id[2 * SYMBOLS_BUILD_ID_MAX + 1]; /* the last that was asked for */
	bool bcc_tried;
	struct symbols_bcc *bcc;
	uint64_t clock; /* of used */
	struct process process[SYMBOLS_PROCESSES];
	struct file file[SYMBOLS_FILES];
};

/* ---- text */

/* Longer names are cut. */
#define TEXT_MAX (PATH_MAX + 1)

static const char *keep(struct vml_arena *a, const char *s)
{
	char clean[TEXT_MAX];

	vml_text_clean(clean, sizeof(clean), s, strlen(s));
	return vml_arena_strdup(a, clean);
}

static int frame(struct vml_arena *a, struct vml_frame *ret, enum vml_frame_state state, const char *function,
		 const char *file, const char *build_id, uint64_t offset)
{
	struct vml_frame f = { .state = state, .offset = offset };

	f.function = keep(a, function);
	f.file = keep(a, file);
	f.build_id = vml_arena_strdup(a, build_id);
	if (!f.function || !f.file || !f.build_id)
		return -ENOMEM;
	*ret = f;
	return 0;
}

static int nothing(struct vml_arena *a, struct vml_frame *ret, enum vml_frame_state state)
{
	return frame(a, ret, state, "", "", "", 0);
}

/* ---- the kernel */

static bool is_due(const struct vml_symbols *s, uint64_t then)
{
	return vml_now_mono() - then >= s->options.refresh_ns;
}

static void read_kallsyms(struct vml_symbols *s)
{
	int fd = fcntl(s->kallsyms_fd, F_DUPFD_CLOEXEC, 0), err;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct kallsyms *k = NULL;

	err = f && !lseek(fd, 0, SEEK_SET) ? kallsyms_parse(f, &k) : -errno;
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	s->kallsyms_ns = vml_now_mono();
	s->stats.kallsyms_read++;
	if (!err || !s->kallsyms)
		s->stats.kernel_error = err;
	if (err)
		return;
	kallsyms_free(s->kallsyms);
	s->kallsyms = k;
}

static void read_build_id(const char *path, char hex[2 * SYMBOLS_BUILD_ID_MAX + 1])
{
	char notes[4096];
	FILE *f = fopen(path, "re");
	size_t n;

	hex[0] = '\0';
	if (!f)
		return;
	n = fread(notes, 1, sizeof(notes), f);
	fclose(f);
	if (!kallsyms_build_id(notes, n, hex))
		hex[0] = '\0';
}

static const char *kernel_build_id(struct vml_symbols *s, const char *module)
{
	char path[128];

	if (strlen(module) >= sizeof(s->module) || strchr(module, '/'))
		return "";
	if (!strcmp(module, s->module))
		return s->module_id;
	strcpy(s->module, module);
	if (!strcmp(module, KERNEL)) {
		read_build_id("/sys/kernel/notes", s->module_id);
	} else {
		snprintf(path, sizeof(path), "/sys/module/%s/notes/.note.gnu.build-id", module);
		read_build_id(path, s->module_id);
	}
	return s->module_id;
}

static int find_kernel(struct vml_symbols *s, uint64_t ip, const char **name, const char **module, uint64_t *offset)
{
	int err;

	if (!s->kallsyms_ns)
		read_kallsyms(s);
	err = s->kallsyms ? kallsyms_find(s->kallsyms, ip, name, module, offset) : -ENOENT;
	if (!err || !is_due(s, s->kallsyms_ns))
		return err;
	/* a module that was loaded, or a BPF program */
	read_kallsyms(s);
	return s->kallsyms ? kallsyms_find(s->kallsyms, ip, name, module, offset) : -ENOENT;
}

int vml_symbols_kernel(struct vml_symbols *s, uint64_t ip, bool returns, struct vml_arena *a, struct vml_frame *ret)
{
	const char *name, *module;
	uint64_t offset;
	int err;

	if (find_kernel(s, ip - returns, &name, &module, &offset)) {
		err = nothing(a, ret, VML_FRAME_UNKNOWN);
	} else {
		module = *module ? module : KERNEL;
		err = frame(a, ret, VML_FRAME_FUNCTION, name, module, kernel_build_id(s, module), offset + returns);
	}
	if (!err)
		ret->kernel = true;
	return err;
}

/* ---- processes */

static void process_drop(struct vml_symbols *s, struct process *p)
{
	symbols_maps_free(&p->maps);
	if (p->bcc)
		symbols_bcc_process_free(s->bcc, p->bcc);
	if (p->dir >= 0)
		close(p->dir);
	*p = (struct process){ .dir = -1 };
}

static bool same_process(const struct vml_id *a, const struct vml_id *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns;
}

/* Replaces what is known, when it can be read. */
static int process_read(struct vml_symbols *s, struct process *p)
{
	struct symbols_maps maps;
	int err = symbols_process_maps(p->dir, &maps);

	p->read_ns = vml_now_mono();
	if (p->id.pid != (uint32_t)getpid())
		s->stats.maps_read++;
	if (err)
		return err;
	symbols_maps_free(&p->maps);
	p->maps = maps;
	return 0;
}

static void process_fill(struct vml_symbols *s, struct process *p, const struct vml_id *id, bool replaced)
{
	int err;

	p->id = (struct vml_id){ .pid = id->pid, .start_ns = id->start_ns, .exec = id->exec };
	/* what is mapped now belongs to a later program */
	err = replaced ? -ESRCH : symbols_process_open(id->pid, id->start_ns, &p->dir);
	if (!err)
		err = process_read(s, p);
	p->exited = err == -ESRCH;
}

static struct process *process_get(struct vml_symbols *s, const struct vml_id *id)
{
	struct process *oldest = &s->process[0];
	bool replaced = false;

	for (size_t i = 0; i < SYMBOLS_PROCESSES; i++) {
		struct process *p = &s->process[i];

		if (p->used && same_process(&p->id, id)) {
			if (p->id.exec == id->exec) {
				p->used = ++s->clock;
				return p;
			}
			replaced |= (int32_t)(p->id.exec - id->exec) > 0;
		}
		if (p->used < oldest->used)
			oldest = p;
	}
	process_drop(s, oldest);
	process_fill(s, oldest, id, replaced);
	oldest->used = ++s->clock;
	return oldest;
}

/* ---- files */

static struct file *file_use(struct vml_symbols *s, struct file *f)
{
	f->used = ++s->clock;
	f->used_ns = vml_now_mono();
	return f;
}

static void file_drop(struct file *f)
{
	symbols_elf_close(f->elf);
	*f = (struct file){ 0 };
}

static struct file *file_get(struct vml_symbols *s, const struct process *p, struct symbols_mapping *m)
{
	struct file *oldest = &s->file[0], *f;
	struct symbols_elf *elf = NULL;
	int fd;

	for (size_t i = 0; i < SYMBOLS_FILES; i++) {
		f = &s->file[i];
		/* an inode number is not used again while its file is open */
		if (f->used && f->inode == m->inode && f->dev_major == m->dev_major && f->dev_minor == m->dev_minor)
			return file_use(s, f);
		if (f->used < oldest->used)
			oldest = f;
	}
	if (m->tried)
		return NULL;
	fd = symbols_mapping_open(p->dir, m);
	if (fd < 0 || symbols_elf_open(fd, &elf)) {
		m->tried = true;
		return NULL;
	}
	file_drop(oldest);
	oldest->inode = m->inode;
	oldest->dev_major = m->dev_major;
	oldest->dev_minor = m->dev_minor;
	oldest->elf = elf;
	return file_use(s, oldest);
}

void vml_symbols_trim(struct vml_symbols *s)
{
	for (size_t i = 0; i < SYMBOLS_FILES; i++) {
		if (s->file[i].used && is_due(s, s->file[i].used_ns))
			file_drop(&s->file[i]);
	}
}

/* ---- code in no file */

static bool bcc_is_here(struct vml_symbols *s)
{
	if (!s->options.no_bcc && !s->bcc_tried) {
		s->bcc_tried = true;
		s->bcc = symbols_bcc_open();
		s->stats.bcc = s->bcc != NULL;
	}
	return s->bcc;
}

static int find_bcc(struct vml_symbols *s, struct process *p, uint64_t ip, const char **name, const char **file,
		    uint64_t *offset)
{
	if (p->bcc && !symbols_bcc_function(s->bcc, p->bcc, ip, name, file, offset))
		return 0;
	if (p->bcc && !is_due(s, p->bcc_ns))
		return -ENOENT; /* compiled since then, perhaps, but not yet */
	if (!symbols_process_has_perf_map(p->dir, p->id.pid) || !bcc_is_here(s))
		return -ENOENT;
	/* it goes by the pid, which is this process's as long as that lives */
	if (!symbols_process_alive(p->dir))
		return -ENOENT;
	symbols_bcc_process_free(s->bcc, p->bcc);
	p->bcc = symbols_bcc_process(s->bcc, p->id.pid);
	p->bcc_ns = vml_now_mono();
	if (p->id.pid != (uint32_t)getpid())
		s->stats.maps_read++;
	if (!p->bcc)
		return -ENOENT;
	return symbols_bcc_function(s->bcc, p->bcc, ip, name, file, offset);
}

/* Some runtimes map their code twice, through a memfd. */
static bool is_memory(const struct symbols_mapping *m)
{
	return !m->inode || !strncmp(m->name, "/memfd:", strlen("/memfd:"));
}

/* ---- the seam */

static int frame_of(struct vml_symbols *s, struct process *p, struct symbols_mapping *m, uint64_t ip, bool returns,
		    struct vml_arena *a, struct vml_frame *ret)
{
	const char *id = "", *name, *file = *m->name ? m->name : "[anon]", *from = "";
	struct file *f = m->inode ? file_get(s, p, m) : NULL;
	uint64_t at = ip - m->start + m->offset, offset;

	if (f) {
		id = symbols_elf_build_id(f->elf);
		if (!symbols_elf_function(f->elf, at - returns, &name, &offset))
			return frame(a, ret, VML_FRAME_FUNCTION, name, file, id, offset + returns);
	} else if (is_memory(m) && !find_bcc(s, p, ip - returns, &name, &from, &offset)) {
		return frame(a, ret, VML_FRAME_FUNCTION, name, *from ? from : file, id, offset + returns);
	}
	return frame(a, ret, VML_FRAME_FILE, "", file, id, m->inode ? at : ip - m->start);
}

int vml_symbols_user(struct vml_symbols *s, const struct vml_id *id, uint64_t ip, bool returns, struct vml_arena *a,
		     struct vml_frame *ret)
{
	struct process *p = process_get(s, id);
	struct symbols_mapping *m = symbols_maps_find(&p->maps, ip - returns);

	if (!m && p->dir >= 0 && !p->exited && is_due(s, p->read_ns)) {
		/* mapped since then; what is known stays when the process has ended */
		process_read(s, p);
		m = symbols_maps_find(&p->maps, ip - returns);
	}
	if (!m)
		return nothing(a, ret, p->exited ? VML_FRAME_EXITED : VML_FRAME_UNKNOWN);
	return frame_of(s, p, m, ip, returns, a, ret);
}

int vml_symbols_open(const struct vml_symbols_options *o, struct vml_symbols **ret)
{
	struct vml_symbols *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (o)
		s->options = *o;
	if (!s->options.refresh_ns)
		s->options.refresh_ns = REFRESH_NS;
	if (!s->options.kallsyms_path)
		s->options.kallsyms_path = "/proc/kallsyms";
	s->kallsyms_fd = open(s->options.kallsyms_path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < SYMBOLS_PROCESSES; i++)
		s->process[i].dir = -1;
	*ret = s;
	return 0;
}

void vml_symbols_close(struct vml_symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SYMBOLS_PROCESSES; i++)
		process_drop(s, &s->process[i]);
	for (size_t i = 0; i < SYMBOLS_FILES; i++)
		file_drop(&s->file[i]);
	kallsyms_free(s->kallsyms);
	if (s->kallsyms_fd >= 0)
		close(s->kallsyms_fd);
	symbols_bcc_close(s->bcc);
	free(s);
}

void vml_symbols_stats(const struct vml_symbols *s, struct vml_symbols_stats *ret)
{
	*ret = s->stats;
}
