// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BCC's symbol cache, when libbcc is on this host.  It is not linked: it brings
 * 229 MB of LLVM.  Options are left to it, as their structure grew over time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "symbols.h"

#if __has_include(<bcc/bcc_syms.h>)
#include <bcc/bcc_syms.h>

struct symbols_bcc {
	void *library;
	__typeof__(bcc_symcache_new) *make;
	__typeof__(bcc_free_symcache) *release;
	__typeof__(bcc_symcache_resolve_no_demangle) *resolve;
};

struct symbols_bcc *symbols_bcc_open(void)
{
	struct symbols_bcc *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->library = dlopen("libbcc.so.0", RTLD_NOW | RTLD_LOCAL);
	if (b->library) {
		b->make = (__typeof__(b->make))dlsym(b->library, "bcc_symcache_new");
		b->release = (__typeof__(b->release))dlsym(b->library, "bcc_free_symcache");
		b->resolve = (__typeof__(b->resolve))dlsym(b->library, "bcc_symcache_resolve_no_demangle");
	}
	if (b->make && b->release && b->resolve)
		return b;
	symbols_bcc_close(b);
	return NULL;
}

void symbols_bcc_close(struct symbols_bcc *b)
{
	if (!b)
		return;
	if (b->library)
		dlclose(b->library);
	free(b);
}

void *symbols_bcc_process(struct symbols_bcc *b, uint32_t pid)
{
	return b->make((int)pid, NULL);
}

void symbols_bcc_process_free(struct symbols_bcc *b, void *process)
{
	if (process)
		b->release(process, 1); /* any pid that is not negative, which means the kernel */
}

int symbols_bcc_function(struct symbols_bcc *b, void *process, uint64_t ip, const char **ret_name,
			 const char **ret_file, uint64_t *ret_offset)
{
	struct bcc_symbol sym = { 0 };

	if (b->resolve(process, ip, &sym) || !sym.name || !*sym.name)
		return -ENOENT;
	*ret_name = sym.name;
	*ret_file = sym.module ? sym.module : "";
	*ret_offset = sym.offset;
	return 0;
}

#else /* without its header */

struct symbols_bcc *symbols_bcc_open(void)
{
	return NULL;
}

void symbols_bcc_close(struct symbols_bcc *b)
{
	(void)b;
}

void *symbols_bcc_process(struct symbols_bcc *b, uint32_t pid)
{
	(void)b, (void)pid;
	return NULL;
}

void symbols_bcc_process_free(struct symbols_bcc *b, void *process)
{
	(void)b, (void)process;
}

int symbols_bcc_function(struct symbols_bcc *b, void *process, uint64_t ip, const char **ret_name,
			 const char **ret_file, uint64_t *ret_offset)
{
	(void)b, (void)process, (void)ip, (void)ret_name, (void)ret_file, (void)ret_offset;
	return -ENOENT;
}
#endif
