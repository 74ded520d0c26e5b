// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The table of scenarios. */
#include <string.h>

#include "load.h"

#define USUAL (VML_TAKE_THREADS | VML_TAKE_ROUNDS | VML_TAKE_PAGES | VML_TAKE_SECONDS)

const struct vml_load_scenario vml_load_scenarios[] = {
	{
		.name = "faults",
		.help = "threads fault in private memory of their own: all hits",
		.takes = USUAL,
		.defaults = { .threads = 2, .rounds = 200, .pages = 256 },
		.run = vml_load_faults,
	},
	{
		.name = "shared",
		.help = "threads fault in one region while others map, unmap and protect: fallbacks and waits",
		.takes = USUAL | VML_TAKE_WRITERS,
		.defaults = { .threads = 4, .writers = 1, .rounds = 200, .pages = 64 },
		.run = vml_load_shared,
	},
	{
		.name = "kernel",
		.help = "read(2) into fresh memory: faults in kernel mode, which bypass the VMA lock",
		.takes = USUAL,
		.defaults = { .threads = 1, .rounds = 100, .pages = 256 },
		.run = vml_load_kernel,
	},
	{
		.name = "file",
		.help = "private and shared mappings of a file: read, copy-on-write and shared write faults",
		.takes = USUAL | VML_TAKE_FILE,
		.defaults = { .threads = 2, .rounds = 50, .pages = 256 },
		.run = vml_load_file,
	},
	{
		.name = "threads",
		.help = "many threads alive at once, each faults a little",
		.takes = USUAL,
		.defaults = { .threads = 1000, .rounds = 1, .pages = 1 },
		.run = vml_load_faults,
	},
	{
		.name = "shortlived",
		.help = "many threads that live for one fault, in batches",
		.threads_help = "Threads alive at once",
		.rounds_help = "Threads in all",
		.takes = VML_TAKE_THREADS | VML_TAKE_ROUNDS | VML_TAKE_SECONDS,
		.defaults = { .threads = 64, .rounds = 10000, .pages = 1 },
		.run = vml_load_shortlived,
	},
	{
		.name = "exec",
		.help = "faults, then executes itself, again and again; image i (from 0) faults (i + 1) * pages",
		.rounds_help = "Calls of execve(2)",
		.takes = VML_TAKE_ROUNDS | VML_TAKE_PAGES | VML_TAKE_STEP,
		.defaults = { .rounds = 3, .pages = 1000 },
		.run = vml_load_exec,
	},
	{
		.name = "fork",
		.help = "children that fault and exit",
		.threads_help = "Children at once",
		.rounds_help = "Batches of children",
		.takes = USUAL,
		.defaults = { .threads = 1, .rounds = 20, .pages = 100 },
		.run = vml_load_fork,
	},
	{
		.name = "vfork",
		.help = "children that fault in the memory of their parent and exit",
		.rounds_help = "Children",
		.takes = VML_TAKE_ROUNDS | VML_TAKE_PAGES | VML_TAKE_SECONDS,
		.defaults = { .rounds = 20, .pages = 100 },
		.run = vml_load_vfork,
	},
	{
		.name = "pidreuse",
		.help = "children with the same pid, one after another (root)",
		.rounds_help = "Children",
		.takes = VML_TAKE_ROUNDS | VML_TAKE_PAGES | VML_TAKE_SECONDS,
		.defaults = { .rounds = 3, .pages = 1000 },
		.run = vml_load_pidreuse,
	},
	{ .name = NULL },
};

const struct vml_load_scenario *vml_load_find(const char *name)
{
	const struct vml_load_scenario *s;

	for (s = vml_load_scenarios; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}
