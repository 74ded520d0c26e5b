// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * recorded FILE foreign|healthy|little|nothing|mappings|unlimited|calmed: a recording of an invented host, for
 * tests of what reads recordings.  foreign: an agent with a name of escapes and markup
 * reads the smaps of a database; little: the same for 20 ms a second; healthy: faults
 * that hit; nothing: no intervals; mappings: 60,000 of 65,530 of the database;
 * unlimited: the same of a limit that is not known; calmed: a history, foreign for the
 * first half and healthy for the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/store.h"

#define SECOND 1000000000ULL
#define MS 1000000ULL
#define BITS(m) VML_METRIC_BIT(m)

static struct vml_row row(uint32_t pid, const char *comm)
{
	return (struct vml_row){
		.id = { .pid = pid, .start_ns = pid * SECOND },
		.comm = comm,
		.cgroup = pid == 991 ? "/system.slice/agent.service" : "/db",
		.uid = UINT32_MAX,
		.ns_pid = pid,
		.area = { .kind = "", .name = "" },
		.context = "",
		.lock = "",
		.target = "",
		.target_cgroup = "",
		.victim_cgroup = "",
	};
}

static void make_agent(struct vml_row *agent, struct vml_snapshot *s, uint64_t blamed)
{
	struct vml_row *db = &s->rows[VML_PROCESS].row[0];
	char comm[64];

	vml_text_clean(comm, sizeof(comm), "\x1b[2J<b>", 7);
	*agent = row(991, vml_arena_strdup(s->arena, comm));
	agent->id.tid = 991;
	agent->id.tid_start_ns = agent->id.start_ns;
	agent->id.target = (struct vml_image){ .pid = db->id.pid, .start_ns = db->id.start_ns };
	agent->context = "pread64";
	agent->lock = "mmap_read";
	agent->target = "db";
	agent->value[VML_BLAMED_NS] = db->value[VML_BLAMED_NS] = s->total[VML_BLAMED_NS] = blamed;
	db->value[VML_MMAP_READ_WAIT_NS] = s->total[VML_MMAP_READ_WAIT_NS] = blamed;
	db->value[VML_WAIT_NS] = s->total[VML_WAIT_NS] = blamed;
	agent->value[VML_HOLDS] = 4;
	agent->value[VML_HOLD_NS] = agent->value[VML_ON_CPU_NS] = 200 * MS;
	s->rows[VML_BLOCKER] = (struct vml_rows){ agent, 1 };
}

/* @limit: of mappings, 0 not known; the database has 60,000, or that is not known */
static int add_second(struct vml_store *w, uint64_t second, uint64_t blamed, bool mappings, uint32_t limit)
{
	static const struct vml_caps caps = { .backend = "tracepoint", .detail = "default" };
	struct vml_row db = row(1200, "db"), agent;
	struct vml_snapshot *s = vml_snapshot_new();
	int err;

	if (!s)
		return -ENOMEM;
	s->boot_ns = (1000 + second) * SECOND;
	s->real_ns = 1795000000 * SECOND + s->boot_ns;
	s->interval_ns = SECOND;
	s->host = (struct vml_host){ .name = "host",
				     .boot_id = "boot",
				     .machine = "x86_64",
				     .kernel = "6.12",
				     .cpus = 4,
				     .page_size = 4096,
				     .max_mappings = limit };
	s->caps = &caps;
	s->have[VML_PROCESS] = BITS(VML_FAULTS) | BITS(VML_HITS) | BITS(VML_FALLBACKS) | BITS(VML_WAIT_NS) |
			       BITS(VML_MMAP_READ_WAIT_NS) | BITS(VML_MMAP_WRITE_WAIT_NS) | BITS(VML_BLAMED_NS) |
			       BITS(VML_UNATTRIBUTED_NS) | BITS(VML_HANDOVER_RUNQUEUE_NS);
	s->have[VML_BLOCKER] = BITS(VML_BLAMED_NS) | BITS(VML_HOLDS) | BITS(VML_HOLD_NS) | BITS(VML_ON_CPU_NS) |
			       BITS(VML_RUNNABLE_NS) | BITS(VML_SLEEP_NS) | BITS(VML_FOREIGN_NS);
	db.mappings = mappings ? 60000 : 0;
	db.value[VML_FAULTS] = db.value[VML_HITS] = 5000;
	s->total[VML_FAULTS] = s->total[VML_HITS] = 5000;
	s->rows[VML_PROCESS] = (struct vml_rows){ &db, 1 };
	if (blamed)
		make_agent(&agent, s, blamed);
	err = vml_store_append(w, s);
	vml_snapshot_free(s);
	return err;
}

static int add_all(struct vml_store *w, const char *kind)
{
	uint64_t blamed = !strcmp(kind, "foreign") || !strcmp(kind, "calmed") ? 800 * MS
			  : !strcmp(kind, "little")			      ? 20 * MS
									      : 0;
	bool limited = !strcmp(kind, "mappings");
	uint64_t i, n = !strcmp(kind, "nothing") ? 0 : !strcmp(kind, "calmed") ? 10 : 5;
	int err = 0;

	for (i = 0; !err && i < n; i++)
		err = add_second(w, i, i < 5 ? blamed : 0, limited || !strcmp(kind, "unlimited"), limited ? 65530 : 0);
	return err;
}

int main(int argc, char **argv)
{
	const struct vml_store_options o = { .no_sync = true, .options = "recorded" };
	char error[VML_ERROR_MAX] = "";
	struct vml_store *w;
	int err, e;

	if (argc != 3)
		return 2;
	err = strcmp(argv[2], "calmed") ? vml_recording_create(argv[1], &o, &w, error)
					: vml_history_open(argv[1], &o, &w, error);
	if (err) {
		fprintf(stderr, "recorded: %s\n", error);
		return 1;
	}
	err = add_all(w, argv[2]);
	e = vml_store_close(w);
	err = err ? err : e;
	if (err)
		fprintf(stderr, "recorded: %s\n", strerror(-err));
	return err ? 1 : 0;
}
