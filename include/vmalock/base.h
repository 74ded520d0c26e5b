/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_BASE_H
#define VMALOCK_BASE_H
/*
 * What every folder may use: memory that is freed at once, text that is safe
 * to print, numbers as people read them.  Nothing here prints or exits.
 *
 * Errors are negative errno.  A ret_ output is untouched on failure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VML_VERSION "0.1.0"
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

/* Columns of a terminal that @s takes (wcwidth; clean UTF-8; needs setlocale). */
int vml_text_width(const char *s);
/*
 * Cuts or pads @s to exactly @width columns into @dst; marks a cut with '~'
 * ('…' when @utf8).  Without @utf8 every non-ASCII character becomes '?'.
 */
void vml_text_fit(char *dst, size_t n, const char *s, int width, bool right, bool utf8);

/* ---- numbers as people read them (src/base/format.c) */

/* "0", "999", "12.3k", "4.56M", ...: three digits. Returns @buf. */
char *vml_fmt_count(char *buf, size_t n, double v);
/* "0", "63ns", "1.2us", "34ms", "5.6s", "128s": two digits, as a bucket allows. */
char *vml_fmt_ns(char *buf, size_t n, double ns);
/* "512B", "1.5K", "36M": binary units, two or three digits. */
char *vml_fmt_bytes(char *buf, size_t n, double bytes);
/* "99.97%": never rounds up to 100 % nor down to 0 % what is neither. */
char *vml_fmt_percent(char *buf, size_t n, double ratio);
/* RFC 3339 UTC with nanoseconds from CLOCK_REALTIME ns. */
char *vml_fmt_time(char *buf, size_t n, uint64_t real_ns);

/* ---- parsing of options (src/base/parse.c); whole string or -EINVAL, -ERANGE */

int vml_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret_v);
/* Seconds with a fraction, "0.5", to nanoseconds; at least 1 ms, at most a day. */
int vml_parse_seconds(const char *s, uint64_t *ret_ns);
/* A number with its unit, "500us", "1ms", "2.5s", "100ns", to nanoseconds; 1 ns to a day. */
int vml_parse_duration(const char *s, uint64_t *ret_ns);
/* "12,34,56"; the caller frees *@ret_pids. -ENOMEM */
int vml_parse_pids(const char *s, uint32_t **ret_pids, size_t *ret_n);

/* ---- clocks (src/base/clock.c), nanoseconds */

uint64_t vml_now_mono(void);
uint64_t vml_now_boot(void);
uint64_t vml_now_real(void);

#endif
