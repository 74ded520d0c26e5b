/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SYMBOLS_H
#define VMALOCK_SYMBOLS_H
/*
 * Inside src/collect: from instruction pointers to frames (snapshot.h).
 *
 *	symbols.c        the seam: what is read, kept and forgotten
 *	symbols_maps.c   what of a process was mapped executable, and its files
 *	symbols_elf.c    functions of an ELF file, by libdwfl; nothing else knows it
 *	symbols_bcc.c    functions of JIT compilers, by BCC; nothing else knows it
 *	kallsyms.c       functions of the kernel
 *
 * On demand only.  The kernel takes mmap_lock of a process for reading while
 * somebody reads its /proc/PID/maps (per VMA from 6.17 on), so user stacks are opt-in, and a
 * process is read once when its first frame is asked for, again at most every
 * refresh_ns when an address is in none of its mappings; maps_read counts it.
 * Nothing else that takes mmap_lock is asked of the process: no /proc/PID/mem, as
 * libdwfl's own callbacks for processes do for the vDSO and for deleted files,
 * and no map_files.
 *
 * Files are opened below /proc/PID/root, the container's view, and used when
 * they are still the mapped inode.  They are read, not mapped: one that is
 * truncated meanwhile must not kill the reader.
 *
 * Not for several threads at once.  Errors are negative errno.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmalock/snapshot.h"

struct vml_arena;
struct vml_symbols;

struct vml_symbols_options {
	bool no_bcc; /* do not look for libbcc.so.0 */
	uint64_t refresh_ns; /* between two readings of the same; 0: a minute */
	const char *kallsyms_path; /* NULL: /proc/kallsyms */
};

struct vml_symbols_stats {
	uint64_t maps_read; /* times /proc/PID/maps of another process was read, by BCC too */
	uint64_t kallsyms_read;
	int kernel_error; /* 0, or why the kernel has no names: -EACCES: addresses are hidden (CAP_SYSLOG) */
	bool bcc; /* libbcc is there, and was needed */
};

/* Reads nothing yet. @o NULL: the defaults. -ENOMEM */
int vml_symbols_open(const struct vml_symbols_options *o, struct vml_symbols **ret);
void vml_symbols_close(struct vml_symbols *s);
/*
 * Closes the files that were not used for refresh_ns: an open file keeps its file
 * system from being unmounted.  For the end of a pass, also of one that asked nothing.
 */
void vml_symbols_trim(struct vml_symbols *s);
void vml_symbols_stats(const struct vml_symbols *s, struct vml_symbols_stats *ret);

/*
 * The frame at @ip; its strings belong to @a.  @returns: @ip is a return address
 * (every entry of a stack but the first), so the call before it is what is looked
 * up: a call that never returns may be the last instruction of its function.
 * Whatever cannot be found is said by ret->state.  -ENOMEM
 */
int vml_symbols_kernel(struct vml_symbols *s, uint64_t ip, bool returns, struct vml_arena *a, struct vml_frame *ret);
/*
 * The same for process @id: pid, start_ns and exec of it; the rest is ignored.
 * A process that has ended is known as long as its mappings are kept (the last
 * SYMBOLS_PROCESSES that were asked for); else its frames are VML_FRAME_EXITED.
 */
int vml_symbols_user(struct vml_symbols *s, const struct vml_id *id, uint64_t ip, bool returns, struct vml_arena *a,
		     struct vml_frame *ret);

#define SYMBOLS_PROCESSES 64
#define SYMBOLS_FILES 64 /* each holds a file descriptor */

/* ---- symbols_maps.c */

struct symbols_mapping {
	uint64_t start, end, offset;
	uint64_t inode; /* 0: no file */
	uint32_t dev_major, dev_minor;
	bool tried; /* the file could not be opened */
	char *name; /* as in /proc/PID/maps; "" when it has none */
};

struct symbols_maps {
	struct symbols_mapping *map; /* executable ones, by address */
	size_t n;
};

/* The executable mappings in the text of a /proc/PID/maps; lines that make no sense are left out. -ENOMEM */
int symbols_maps_parse(FILE *f, struct symbols_maps *ret);
void symbols_maps_free(struct symbols_maps *m);
struct symbols_mapping *symbols_maps_find(const struct symbols_maps *m, uint64_t ip);
/*
 * /proc/PID of the process that started at @start_ns, in @ret.  The descriptor
 * stays with that process: when it has ended nothing can be opened below it.
 * -ESRCH: there is no such process.
 */
int symbols_process_open(uint32_t pid, uint64_t start_ns, int *ret);
bool symbols_process_alive(int dir);
/* -ESRCH also when its memory is gone. */
int symbols_process_maps(int dir, struct symbols_maps *ret);
/* A regular file that is what @m maps, as far as inode numbers tell; @dir may be of a process that has ended. */
int symbols_mapping_open(int dir, const struct symbols_mapping *m);

/* The innermost number of the line "NSpid:" in the text of a /proc/PID/status; 0: there is none. */
uint32_t symbols_status_pid(FILE *f);
/* /tmp/perf-PID.map, of the host or of its container, in which a JIT compiler tells its functions, exists. */
bool symbols_process_has_perf_map(int dir, uint32_t pid);

/* ---- symbols_elf.c */

struct symbols_elf;

/* Takes @fd, also when it fails. -ENOEXEC: no ELF file, or one that would take too much memory. */
int symbols_elf_open(int fd, struct symbols_elf **ret);
void symbols_elf_close(struct symbols_elf *e);
/* In hex; "" when the file has none. */
const char *symbols_elf_build_id(const struct symbols_elf *e);
/* The function that byte @offset of the file belongs to; the name lives until the next call. -ENOENT */
int symbols_elf_function(struct symbols_elf *e, uint64_t offset, const char **ret_name, uint64_t *ret_offset);

/* ---- symbols_bcc.c */

struct symbols_bcc;

/* NULL: there is no usable libbcc on this host. */
struct symbols_bcc *symbols_bcc_open(void);
void symbols_bcc_close(struct symbols_bcc *b);
/* Reads /proc/PID/maps. NULL: out of memory. */
void *symbols_bcc_process(struct symbols_bcc *b, uint32_t pid);
void symbols_bcc_process_free(struct symbols_bcc *b, void *process);
/* The name lives until the next call. -ENOENT */
int symbols_bcc_function(struct symbols_bcc *b, void *process, uint64_t ip, const char **ret_name,
			 const char **ret_file, uint64_t *ret_offset);

/* ---- kallsyms.c */

struct kallsyms;

/*
 * The functions in the text of a /proc/kallsyms.  -EACCES: there are some, but all
 * at 0: the reader lacks CAP_SYSLOG, or kptr_restrict is 2.  -ENODATA: there are none.
 */
int kallsyms_parse(FILE *f, struct kallsyms **ret);
void kallsyms_free(struct kallsyms *k);
/* @ret_module: "" for the kernel itself.  The texts live as long as @k. -ENOENT */
int kallsyms_find(const struct kallsyms *k, uint64_t addr, const char **ret_name, const char **ret_module,
		  uint64_t *ret_offset);
/* The build id in ELF notes, in hex: room for 2 * SYMBOLS_BUILD_ID_MAX + 1. False: there is none. */
#define SYMBOLS_BUILD_ID_MAX 64
bool kallsyms_build_id(const void *notes, size_t n, char *hex);

#endif
