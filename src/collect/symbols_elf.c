// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Functions of one ELF file: its symbol table, the one in its .gnu_debugdata,
 * or its debug file below /usr/lib/debug, whichever libdwfl finds.
 *
 * One file and not one process a session: processes share files, and their
 * mappings are known (symbols_maps.c).  The session's only module is at the
 * addresses that the file itself says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwfl.h>
#include <gelf.h>

#include "symbols.h"

/* A file says itself how much memory its symbols take. */
#define TABLE_MAX (512ULL << 20)

struct symbols_elf {
	Dwfl *dwfl;
	Dwfl_Module *module;
	Elf *elf; /* libdwfl's from when it asked for it */
	int fd;
	uint64_t start, end; /* of the addresses in the file */
	GElf_Addr bias;
	char build_id[2 * SYMBOLS_BUILD_ID_MAX + 1];
	char name[512]; /* without the version */
};

/* ---- what libdwfl asks for */

static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, char **file_name,
		    Elf **elf)
{
	struct symbols_elf *e = *userdata;
	int fd = e->fd;

	(void)module, (void)base;
	/* it frees this name, and the rest with the module */
	*file_name = strdup(name);
	*elf = e->elf;
	e->elf = NULL;
	e->fd = -1;
	return fd;
}

/*
 * By build id in the host's own folder.  libdwfl's own search would also follow
 * names in the file, which somebody else wrote, and ask debuginfod servers.
 */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_name)
{
	struct symbols_elf *e = *userdata;
	char path[sizeof(e->build_id) + 64];
	int fd;

	(void)module, (void)name, (void)base, (void)file_name, (void)link, (void)crc;
	if (!e->build_id[0])
		return -1;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", e->build_id, e->build_id + 2);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		*ret_name = strdup(path);
	return fd;
}

static int section_address(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, const char *section,
			   GElf_Word index, const GElf_Shdr *shdr, Dwarf_Addr *ret)
{
	(void)module, (void)userdata, (void)name, (void)base, (void)section, (void)index, (void)shdr;
	*ret = (Dwarf_Addr)-1;
	return 0;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = find_debuginfo,
	.section_address = section_address,
};

/* ---- opening */

/* Where the file says that its byte @offset is loaded. */
static bool find_load(Elf *elf, uint64_t offset, uint64_t *ret_address)
{
	GElf_Phdr ph;
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (offset >= ph.p_offset && offset - ph.p_offset < ph.p_filesz) {
			*ret_address = ph.p_vaddr + (offset - ph.p_offset);
			return true;
		}
	}
	return false;
}

static bool find_range(struct symbols_elf *e)
{
	GElf_Phdr ph;
	size_t n;

	e->start = UINT64_MAX;
	if (elf_getphdrnum(e->elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(e->elf, (int)i, &ph) || ph.p_type != PT_LOAD || ph.p_vaddr + ph.p_memsz < ph.p_vaddr)
			continue;
		if (e->start > ph.p_vaddr)
			e->start = ph.p_vaddr;
		if (e->end < ph.p_vaddr + ph.p_memsz)
			e->end = ph.p_vaddr + ph.p_memsz;
	}
	e->start &= ~0xfffULL;
	return e->start < e->end;
}

/* Who may write the file may make it unpack to any size. */
static bool is_bounded(Elf *elf, bool trusted)
{
	uint64_t sum = 0;
	Elf_Scn *scn = NULL;
	const char *name;
	GElf_Shdr sh;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return true; /* no sections, no symbols */
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, names, sh.sh_name);
		if (!trusted && name && !strcmp(name, ".gnu_debugdata"))
			return false;
		if (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM && sh.sh_type != SHT_STRTAB)
			continue;
		if (!trusted && sh.sh_flags & SHF_COMPRESSED)
			return false;
		if (sh.sh_size > TABLE_MAX || (sum += sh.sh_size) > TABLE_MAX)
			return false;
	}
	return true;
}

static bool is_dynamic(Elf *elf)
{
	GElf_Phdr ph;
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return true;
	for (size_t i = 0; i < n; i++)
		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type == PT_DYNAMIC)
			return true;
	return false;
}

/* The names of a symbol table: in a table of strings of which the last one ends, too. */
static bool names_end(Elf *elf, const GElf_Shdr *symbols)
{
	Elf_Scn *scn = elf_getscn(elf, symbols->sh_link);
	const Elf_Data *data;
	GElf_Shdr sh;

	if (!scn || !gelf_getshdr(scn, &sh) || sh.sh_type != SHT_STRTAB)
		return false;
	data = elf_getdata(scn, NULL);
	return data && data->d_size && !((const char *)data->d_buf)[data->d_size - 1];
}

/*
 * libdwfl looks where a name begins, and not whether it ends (elfutils 0.188, dwfl_module_getsym.c).
 * Without sections it would take the tables that PT_DYNAMIC tells of, at which we cannot look.
 */
static bool is_terminated(Elf *elf)
{
	Elf_Scn *scn = NULL;
	bool any = false;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &sh))
			return false;
		if (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM)
			continue;
		if (!names_end(elf, &sh))
			return false;
		any = true;
	}
	return any || !is_dynamic(elf);
}

static int report(struct symbols_elf *e)
{
	void **userdata;

	e->dwfl = dwfl_begin(&callbacks);
	if (!e->dwfl)
		return -ENOMEM;
	dwfl_report_begin(e->dwfl);
	e->module = dwfl_report_module(e->dwfl, "file", e->start, e->end);
	if (!e->module || dwfl_report_end(e->dwfl, NULL, NULL))
		return -ENOMEM;
	dwfl_module_info(e->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = e;
	return dwfl_module_getelf(e->module, &e->bias) ? 0 : -ENOEXEC;
}

static void read_build_id(struct symbols_elf *e)
{
	const unsigned char *bits;
	GElf_Addr address;
	int n = dwfl_module_build_id(e->module, &bits, &address);

	if (n > SYMBOLS_BUILD_ID_MAX)
		return;
	for (int i = 0; i < n; i++)
		snprintf(e->build_id + 2 * i, 3, "%02x", bits[i]);
}

int symbols_elf_open(int fd, struct symbols_elf **ret)
{
	struct symbols_elf *e = calloc(1, sizeof(*e));
	struct stat st;
	int err = -ENOEXEC;

	if (!e || elf_version(EV_CURRENT) == EV_NONE) {
		free(e);
		close(fd);
		return -ENOMEM;
	}
	e->fd = fd;
	e->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (e->elf && elf_kind(e->elf) == ELF_K_ELF && !fstat(fd, &st) && is_bounded(e->elf, st.st_uid == 0) &&
	    is_terminated(e->elf) && find_range(e))
		err = report(e);
	if (err) {
		symbols_elf_close(e);
		return err;
	}
	read_build_id(e);
	*ret = e;
	return 0;
}

void symbols_elf_close(struct symbols_elf *e)
{
	if (!e)
		return;
	dwfl_end(e->dwfl);
	elf_end(e->elf);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

const char *symbols_elf_build_id(const struct symbols_elf *e)
{
	return e->build_id;
}

/* "fopen@@GLIBC_2.2.5" of a debug file is "fopen" in the library. */
static const char *without_version(struct symbols_elf *e, const char *name)
{
	const char *version = strstr(name, "@@");
	size_t len = version ? (size_t)(version - name) : 0;

	if (!len || len >= sizeof(e->name))
		return name;
	memcpy(e->name, name, len);
	e->name[len] = '\0';
	return e->name;
}

int symbols_elf_function(struct symbols_elf *e, uint64_t offset, const char **ret_name, uint64_t *ret_offset)
{
	GElf_Addr bias;
	GElf_Off in;
	GElf_Sym sym;
	const char *name;
	Elf *elf = dwfl_module_getelf(e->module, &bias);
	uint64_t address;

	if (!elf || !find_load(elf, offset, &address))
		return -ENOENT;
	name = dwfl_module_addrinfo(e->module, address + bias, &in, &sym, NULL, NULL, NULL);
	if (!name || !*name)
		return -ENOENT;
	*ret_name = without_version(e, name);
	*ret_offset = in;
	return 0;
}
