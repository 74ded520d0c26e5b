/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "export/metric.h"
#include "vmalock/export.h"
#include "vmalock/snapshot.h"

static const char intro[] =
	"# Metrics\n"
	"\n"
	"What `vmalockd` exports. Made from the table in `src/export/metric.c`; a test compares the two.\n"
	"\n"
	"Absent is never zero: what this kernel or backend cannot show has no series. Each increment of a counter is in "
	"exactly one series for ever, so a sum over all series of a name grows as the host does. No total stands beside "
	"its parts.\n"
	"\n"
	"`cgroup` is the name of a systemd unit, `user-UID.slice` for all sessions of a user, `RUNTIME:ID` for a "
	"container, or a path; `other` for the cgroups that `--series-budget` has no room for, `unknown` for those whose "
	"name was not seen. With `--web.labels=cgroup,comm` the metrics marked * have the label `comm`, too, with `#` for "
	"each digit.\n"
	"\n"
	"| name | type | unit | labels | meaning |\n"
	"|---|---|---|---|---|\n";

static const char values[] =
	"\n"
	"## Values of labels\n"
	"\n"
	"| label | values |\n"
	"|---|---|\n"
	"| `mode` | faults: `user`, `kernel`; locks: `read`, `write` |\n"
	"| `path` | `vma`: under the VMA lock; `mmap`: under mmap_lock; `none`: in kernel mode, without either; "
	"`unknown`: this backend cannot tell |\n"
	"| `lock` | `mmap_read`, `mmap_write`, `vma_write` (write-locking a VMA that has readers) |\n"
	"| `outcome` | `hit`, `retry`, `fallback` (aborts and bypasses) |\n"
	"| `certainty` | `exact`, `inferred` |\n"
	"| `state` | `on_cpu`, `runnable`, `sleeping` |\n"
	"| `result` | `hit`: got the VMA lock; `abort`: refused; `miss`: began again (counted beside the other two) |\n"
	"| `context` | ";

static const char losses[] =
	"; `other` for all else. `kernel page fault`: inside any system call |\n"
	"\n"
	"## Causes of losses\n"
	"\n"
	"Those of `vmalock_lost_events_total`, of `loss` in JSON, and of the line `lost:` of the screens, whose view 7 has "
	"them, too. What a program missed is counted for each program. Of some causes all is counted where it belongs, and "
	"a row, a name, a stack or a maximum is missing: where a program says how many events were lost, these are not among them.\n"
	"\n"
	"| cause | numbers are wrong | meaning |\n"
	"|---|---|---|\n";

static const char rest[] =
	"\n"
	"## Identities\n"
	"\n"
	"At rest, over all series of a name:\n"
	"\n"
	"- `sum(vmalock_faults_total)` = faults of the host\n"
	"- `sum(vmalock_fallbacks_total)` = `sum(vmalock_faults_total{path=\"mmap\"})`\n"
	"- `sum(vmalock_lock_wait_seconds_sum)` = `sum(vmalock_blamed_seconds_total)` + "
	"`vmalock_unattributed_seconds_total`, but for what the daemon itself waited and for losses\n"
	"- `vmalock_exported_series` <= `vmalock_exported_series_limit`\n"
	"\n"
	"A series of a cgroup appears with 0; what it counts meanwhile is added when every scraper has "
	"seen that, or after two minutes.\n"
	"\n"
	"Histograms have 13 classic buckets, from 2^-20 s (0.95 us) to 16 s by factors of four. Over "
	"protobuf they also are native histograms of schema 2 (bounds 2^(k/4) s, off by at most 9.5 %); "
	"Prometheus then stores only these, so a quantile is written in both forms: "
	"`histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m]))) or histogram_quantile(0.99, "
	"sum(rate(x[5m])))`. What took over 128 s is in the native bucket that ends at 152 s.\n";

static void put_metric(FILE *out, const struct metric *m)
{
	fprintf(out, "| `%s` | %s | %s | ", m->name, metric_type_names[m->type], m->unit);
	for (int i = 0; i < METRIC_LABELS && m->label[i]; i++)
		fprintf(out, "%s%s", i ? ", " : "", m->label[i]);
	fprintf(out, "%s | %s |\n", m->rows ? " *" : "", m->help);
}

static void put_cause(FILE *out, const char *cause)
{
	bool of_program = cause[strlen(cause) - 1] == '_';

	fprintf(out, "| `%s%s` | %s | %s |\n", cause, of_program ? "PROGRAM" : "",
		vml_loss_is_detail(cause) ? "no" : "yes", vml_loss_help(cause));
}

int vml_export_doc_write(FILE *out)
{
	const char *value[2];

	fputs(intro, out);
	for (int m = 0; m < NMETRICS; m++)
		put_metric(out, &metrics[m]);
	fputs(values, out);
	for (unsigned int i = 0; i < SET_CONTEXTS - 1; i++) {
		set_metric(SET_BLAMED + i, value);
		fprintf(out, "%s`%s`", i ? ", " : "", value[0]);
	}
	fputs(losses, out);
	for (size_t i = 0; vml_loss_cause(i); i++)
		put_cause(out, vml_loss_cause(i));
	fputs(rest, out);
	return ferror(out) ? -EIO : 0;
}
