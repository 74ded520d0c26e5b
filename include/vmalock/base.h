/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_BASE_H
#define VMALOCK_BASE_H
/*
 * What every folder may use: memory that is freed at once, text that is safe
 * to print, numbers as people read them.  Nothing here prints or exits.
 *
 * Errors are negative errno.  A ret_ output is untouched on failure.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VML_VERSION "0.1.0"
#define VML_API_SOCKET "/run/vmalock/api.sock" /* of vmalockd, unless told otherwise */
#define VML_ERROR_MAX 512 /* room for one line without newline: what failed, on what, why, what to do */
#define VML_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- arena: allocations of one snapshot, freed together (src/base/arena.c) */

struct vml_arena;

/* Returns NULL when out of memory. */
struct vml_arena *vml_arena_new(void);
/* Frees everything; NULL is fine. */
void vml_arena_free(struct vml_arena *a);
/* @size zeroed bytes, aligned for any type; NULL when out of memory. size 0 gives a valid pointer. */
void *vml_arena_alloc(struct vml_arena *a, size_t size);
/* A copy of @len bytes / of the string @s; NULL when out of memory. */
void *vml_arena_copy(struct vml_arena *a, const void *p, size_t len);
char *vml_arena_strdup(struct vml_arena *a, const char *s);
/* Bytes taken from the system. */
size_t vml_arena_bytes(const struct vml_arena *a);

/* ---- memory of the process (src/base/memory.c) */

/*
 * Gives to the kernel what free() keeps because it lies between blocks that are in use: what
 * many short-lived threads and processes took.  At most once in five seconds: @next_ns is the
 * caller's, CLOCK_MONOTONIC, 0 at first.
 */
void vml_memory_give_back(uint64_t *next_ns);

/* ---- text from other processes is hostile (src/base/text.c) */

/*
 * Writes into @dst (size @n > 0, always ended by NUL) a form of the @len bytes
 * at @src that is safe in a terminal, in JSON and in a log: valid UTF-8, in
 * which control characters (C0, DEL, C1), bidirectional and other invisible
 * format characters, and bytes that are no UTF-8 appear as \xNN, and a backslash
 * as \\.  Stops at NUL or @len; what does not fit is cut between characters.
 * Returns the length written.  clean(clean(x)) differs from clean(x) only in
 * its backslashes: call it once, where the text enters (src/collect).
 */
size_t vml_text_clean(char *dst, size_t n, const char *src, size_t len);

/* What vml_text_clean() would only change in its backslashes. */
bool vml_text_is_clean(const char *s);

/*
 * Closes the stream @f of open_memstream(3), with *@text, unless it is NULL. Returns 0, and then
 * *@text is whole; or -ENOMEM, with *@text freed and NULL. fclose(3) may succeed without a text,
 * and with one that lacks what could not be written.
 */
int vml_text_close(FILE *f, char **text);

/* Columns of a terminal that @s takes (wcwidth; clean UTF-8; needs setlocale). */
int vml_text_width(const char *s);
/*
 * Cuts or pads @s to exactly @width columns into @dst; marks a cut with '~'
 * ('…' when @utf8).  Without @utf8 every non-ASCII character becomes '?'.
 */
void vml_text_fit(char *dst, size_t n, const char *s, int width, bool right, bool utf8);

/* How much of clean @text, of which there are more than @n bytes, ends between characters within them. */
size_t vml_text_cut(const char *text, size_t n);
/* A copy of clean @text, cut between characters; the length written. */
size_t vml_text_copy(char *dst, size_t n, const char *text);
/* Moves *@text behind its next word and the spaces there; the word, cut when it is too long, in @word. False: the end. */
bool vml_text_word(const char **text, char *word, size_t n);

/* snprintf() and vsnprintf() for clean text, which is cut between characters; they return the same. */
__attribute__((format(printf, 3, 4))) int vml_text_printf(char *dst, size_t n, const char *fmt, ...);
__attribute__((format(printf, 3, 0))) int vml_text_vprintf(char *dst, size_t n, const char *fmt, va_list ap);

/* ---- FNV-1a, 64 bits (src/base/hash.c) */

#define VML_HASH_NOTHING 0xcbf29ce484222325ULL
/* @hash with @n bytes more. */
uint64_t vml_hash(uint64_t hash, const void *p, size_t n);

/* ---- numbers as people read them (src/base/format.c) */

/* "0", "999", "12.3k", "4.56M", ...: three digits. Returns @buf. */
char *vml_fmt_count(char *buf, size_t n, double v);
/* "0", "63ns", "1.2us", "34ms", "5.6s", "128s": two digits, as a bucket allows. */
char *vml_fmt_ns(char *buf, size_t n, double ns);
/* "512B", "1.5K", "36M": binary units, two or three digits. */
char *vml_fmt_bytes(char *buf, size_t n, double bytes);
/* "99.97%": never rounds up to 100 % nor down to 0 % what is neither. */
char *vml_fmt_percent(char *buf, size_t n, double ratio);
/* Puts a space between number and unit, "99.97%" to "99.97 %", in a buffer of @n bytes. Returns @buf. */
char *vml_fmt_spaced(char *buf, size_t n);
/* "42 %", "<1 %", ">99 %": the same for a sentence. */
char *vml_fmt_whole_percent(char *buf, size_t n, double ratio);
/* RFC 3339 UTC with nanoseconds from CLOCK_REALTIME ns. */
char *vml_fmt_time(char *buf, size_t n, uint64_t real_ns);
/* The same without a fraction, in local time (TZ) with its offset unless @utc: "2026-03-01T13:00:00+01:00". */
char *vml_fmt_clock(char *buf, size_t n, uint64_t real_ns, bool utc);

/* ---- parsing of options (src/base/parse.c); whole string or -EINVAL, -ERANGE */

int vml_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret_v);
int vml_parse_u64(const char *s, uint64_t *ret_v); /* at most 2^64 - 2 */
/* Seconds with a fraction, "0.5", to nanoseconds; at least 1 ms, at most a day. */
int vml_parse_seconds(const char *s, uint64_t *ret_ns);
/* A number with its unit, "500us", "1ms", "2.5s", "100ns", to nanoseconds; 1 ns to a day. */
int vml_parse_duration(const char *s, uint64_t *ret_ns);
/* A whole number with K, M, G or T of 1024, or none, to bytes. */
int vml_parse_bytes(const char *s, uint64_t min, uint64_t max, uint64_t *ret_bytes);
/* A decimal number, which may have a % behind it. */
int vml_parse_percent(const char *s, double min, double max, double *ret);
/* "12,34,56"; the caller frees *@ret_pids. -ENOMEM */
int vml_parse_pids(const char *s, uint32_t **ret_pids, size_t *ret_n);

/*
 * A time of --since and --until (src/base/when.c), in ns of CLOCK_REALTIME:
 *	2026-03-01T02:00:00Z, ...+01:00	RFC 3339, with a fraction
 *	-10m				s, m, h, d ago
 *	@1772330400			seconds since 1970, with a fraction
 *	02:00, 02:00:30			local time (TZ): the latest that is past
 * -EINVAL, -ERANGE, and in @error what is wrong; also that an hour was twice, with both
 * offsets to choose from.  What was skipped when clocks went forward is that of the day before.
 */
#define VML_WHEN_ERROR 256
int vml_parse_when(const char *s, uint64_t now_ns, uint64_t *ret_ns, char error[VML_WHEN_ERROR]);

/* ---- texts of /proc (src/base/proc.c) */

/* When it started, in ticks of sysconf(_SC_CLK_TCK) since boot: field 22 of the text of /proc/PID/stat. -EINVAL */
int vml_proc_start_ticks(const char *stat, uint64_t *ret_ticks);

/* ---- clocks (src/base/clock.c), nanoseconds */

uint64_t vml_now_mono(void);
uint64_t vml_now_boot(void);
uint64_t vml_now_real(void);
/*
 * The three of one instant, as far as the host lets: between two readings the reader may lose
 * the CPU for longer than a clock that was set differs, and then he reads again (src/base/instant.c).
 */
struct vml_clocks {
	uint64_t mono_ns, boot_ns, real_ns;
};
struct vml_clocks vml_now_clocks(void);
/*
 * When what was due at @due_ns of CLOCK_MONOTONIC is due again: on the beat of the
 * clock, whatever it took; beats that were missed are left out.
 */
uint64_t vml_next_beat(uint64_t due_ns, uint64_t interval_ns);

#endif
