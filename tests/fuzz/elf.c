// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ELF files of processes, as any bytes: of somebody who is not root, as those in a container are. */
#include <sys/mman.h>
#include <unistd.h>

#include "collect/symbols.h"
#include "fuzz/input.h"

#define ELF_OWNER 65534

static void elf_function(struct symbols_elf *e, uint64_t at)
{
	const char *name = NULL;
	uint64_t offset;

	if (!symbols_elf_function(e, at, &name, &offset))
		fuzz_must(name && *name && strlen(name) <= 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct symbols_elf *e = NULL;

	fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	fuzz_must(geteuid() != 0 || !fchown(fd, ELF_OWNER, ELF_OWNER));
	if (symbols_elf_open(fd, &e))
		return 0;
	fuzz_must(strspn(symbols_elf_build_id(e), "0123456789abcdef") == strlen(symbols_elf_build_id(e)));
	fuzz_must(strlen(symbols_elf_build_id(e)) <= 2 * SYMBOLS_BUILD_ID_MAX);
	for (uint64_t at = 0; at < 4096; at += 64)
		elf_function(e, at);
	for (unsigned int shift = 12; shift < 64; shift++)
		elf_function(e, 1ULL << shift);
	symbols_elf_close(e);
	return 0;
}
