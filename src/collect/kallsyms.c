// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"
#include "symbols.h"

/* A name of KSYM_NAME_LEN (512) and a module's of MODULE_NAME_LEN (64 - 8) fit. */
#define LINE_MAX_BYTES 1024

struct line {
	uint64_t addr;
	char type;
	const char *name, *module; /* into the line; module "" for the kernel itself */
};

/* One line without its newline, -ENODATA at the end. One that is too long comes as "". */
static int next_line(FILE *f, char *buf, size_t n)
{
	int c;

	buf[n - 2] = '\0';
	if (!fgets(buf, (int)n, f))
		return -ENODATA;
	if (buf[n - 2] && buf[n - 2] != '\n') {
		while ((c = getc(f)) != EOF && c != '\n')
			;
		buf[0] = '\0';
	}
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

/* "ffffffff81000000 T _text" or "ffffffffc0000000 t f\t[module]"; changes @text. */
static bool parse(char *text, struct line *ret)
{
	char *p = text, *end;

	if (!isxdigit((unsigned char)*p))
		return false;
	errno = 0;
	ret->addr = strtoull(p, &end, 16);
	if (errno || end[0] != ' ' || !isgraph((unsigned char)end[1]) || end[2] != ' ')
		return false;
	ret->type = end[1];
	ret->name = p = end + 3;
	ret->module = "";
	p += strcspn(p, " \t");
	if (p == ret->name)
		return false;
	if (!*p)
		return true;
	*p++ = '\0';
	p += strspn(p, " \t");
	if (*p != '[')
		return !*p;
	end = strchr(++p, ']');
	if (!end || end == p)
		return false;
	*end = '\0';
	ret->module = p;
	return true;
}

/* kallsyms is not sorted: two readings, the second for what follows.  @types: of @name, letters as in nm(1). */
static int scan(FILE *f, const char *name, const char *types, uint64_t after, uint64_t *ret)
{
	uint64_t best = UINT64_MAX;
	char text[LINE_MAX_BYTES];
	struct line l;

	rewind(f);
	while (!next_line(f, text, sizeof(text))) {
		if (!parse(text, &l))
			continue;
		if (name) {
			if (!strcmp(l.name, name) && strchr(types, l.type)) {
				*ret = l.addr;
				return l.addr ? 0 : -EACCES;
			}
		} else if (l.addr > after && l.addr < best) {
			best = l.addr;
		}
	}
	if (best == UINT64_MAX)
		return -ENOENT;
	*ret = best;
	return 0;
}

int kallsyms_range(const char *name, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start = 0, end = 0;
	FILE *f;
	int err;

	f = fopen("/proc/kallsyms", "re");
	if (!f)
		return -errno;
	err = scan(f, name, "tT", 0, &start);
	if (!err)
		err = scan(f, NULL, NULL, start, &end);
	fclose(f);
	if (err)
		return err;
	*ret_start = start;
	*ret_end = end;
	return 0;
}

int kallsyms_data(const char *name, uint64_t *ret)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	int err;

	if (!f)
		return -errno;
	err = scan(f, name, "bBdD", 0, ret);
	fclose(f);
	return err;
}

/* ---- all functions, to look up by address */

struct symbol {
	uint64_t addr;
	uint32_t name, module; /* where in text; module 0: the kernel itself */
	uint32_t rank; /* of several at one address, the lowest is shown */
};

struct kallsyms {
	struct symbol *symbol; /* by address, unique */
	size_t n, room;
	char *text; /* all names; "" first */
	size_t ntext, text_room;
	size_t hidden; /* functions at address 0 */
};

/* Kallsyms has no sizes: how far behind the last function of a module or of the kernel is still in it. */
#define LAST_BYTES 0x10000

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	free(k->symbol);
	free(k->text);
	free(k);
}

static int put_text(struct kallsyms *k, const char *s, uint32_t *ret)
{
	size_t len = strlen(s) + 1, room = k->text_room ? k->text_room : 4096;
	char *text = k->text;

	while (room - k->ntext < len)
		room *= 2;
	if (room > UINT32_MAX)
		return -ENOMEM;
	if (room != k->text_room) {
		text = realloc(k->text, room);
		if (!text)
			return -ENOMEM;
		k->text = text;
		k->text_room = room;
	}
	memcpy(text + k->ntext, s, len);
	*ret = (uint32_t)k->ntext;
	k->ntext += len;
	return 0;
}

static int put_symbol(struct kallsyms *k, const struct line *l)
{
	struct symbol *s = k->symbol;
	size_t room = k->room ? 2 * k->room : 1024;
	int err;

	if (k->n == k->room) {
		s = realloc(k->symbol, room * sizeof(*s));
		if (!s)
			return -ENOMEM;
		k->symbol = s;
		k->room = room;
	}
	s += k->n;
	*s = (struct symbol){ .addr = l->addr, .rank = l->type == 'T' ? 0 : l->type == 'W' ? 1 : 2 };
	/* the functions of a module follow each other */
	if (*l->module && k->n && !strcmp(l->module, k->text + s[-1].module)) {
		s->module = s[-1].module;
	} else if (*l->module) {
		err = put_text(k, l->module, &s->module);
		if (err)
			return err;
	}
	err = put_text(k, l->name, &s->name);
	if (!err)
		k->n++;
	return err;
}

static int compare(const void *x, const void *y)
{
	const struct symbol *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name; /* the order of the file */
}

static void sort(struct kallsyms *k)
{
	size_t n = 0;

	qsort(k->symbol, k->n, sizeof(*k->symbol), compare);
	for (size_t i = 0; i < k->n; i++) {
		if (!n || k->symbol[i].addr != k->symbol[n - 1].addr)
			k->symbol[n++] = k->symbol[i];
	}
	k->n = n;
}

static int read_all(struct kallsyms *k, FILE *f)
{
	char text[LINE_MAX_BYTES];
	struct line l;
	uint32_t empty;
	int err;

	err = put_text(k, "", &empty);
	while (!err && !next_line(f, text, sizeof(text))) {
		if (!parse(text, &l) || !strchr("tTwW", l.type))
			continue;
		if (l.addr)
			err = put_symbol(k, &l);
		else
			k->hidden++;
	}
	if (!err && ferror(f))
		err = -EIO;
	return err;
}

int kallsyms_parse(FILE *f, struct kallsyms **ret)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	err = read_all(k, f);
	if (!err && !k->n)
		err = k->hidden ? -EACCES : -ENODATA;
	if (err) {
		kallsyms_free(k);
		return err;
	}
	sort(k);
	*ret = k;
	return 0;
}

/* Symbols that only say where the functions before them end. */
static bool is_end(const char *name)
{
	return !strcmp(name, "_etext") || !strcmp(name, "_einittext");
}

int kallsyms_find(const struct kallsyms *k, uint64_t addr, const char **ret_name, const char **ret_module,
		  uint64_t *ret_offset)
{
	size_t low = 0, high = k->n, mid;
	const struct symbol *s;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (k->symbol[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return -ENOENT;
	s = &k->symbol[low - 1];
	if (is_end(k->text + s->name))
		return -ENOENT;
	if ((low == k->n || strcmp(k->text + s->module, k->text + s[1].module)) && addr - s->addr >= LAST_BYTES)
		return -ENOENT;
	*ret_name = k->text + s->name;
	*ret_module = k->text + s->module;
	*ret_offset = addr - s->addr;
	return 0;
}

bool kallsyms_build_id(const void *notes, size_t n, char *hex)
{
	const uint8_t *p = notes, *id;
	size_t name, desc;
	Elf64_Nhdr h; /* the same in ELF32 */

	while (n >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		n -= sizeof(h);
		name = ((size_t)h.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)h.n_descsz + 3) & ~(size_t)3;
		if (name > n || h.n_descsz > n - name)
			return false;
		id = p + name;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && !memcmp(p, "GNU", 4) && h.n_descsz &&
		    h.n_descsz <= SYMBOLS_BUILD_ID_MAX) {
			for (size_t i = 0; i < h.n_descsz; i++)
				snprintf(hex + 2 * i, 3, "%02x", id[i]);
			return true;
		}
		if (desc > n - name)
			return false;
		p += name + desc;
		n -= name + desc;
	}
	return false;
}
