// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <argp.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/guard.h"
#include "../run/argument.h"
#include "../run/command_line.h"
#include "options.h"

#define INTERVAL_NS 1000000000ULL
#define BATCH_ROWS 20

#define wrong(p, ...) vml_command_line_wrong(&(p)->line, __VA_ARGS__)

enum {
	OPT_CGROUP = 256,
	OPT_BACKEND,
	OPT_DETAIL,
	OPT_BTF,
	OPT_STACKS_OVER,
	OPT_USER_STACKS,
	OPT_MEMORY,
	OPT_MAX_OVERHEAD,
	OPT_DUTY,
	OPT_CONNECT,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is shown:", 1 },
	{ "interval", 'd', "SECONDS", 0,
	  "Between updates, 0.001 to 86400 (default 1); with -b or -j, SIGUSR1 ends an interval at once", 1 },
	{ NULL, 'i', NULL, OPTION_ALIAS, NULL, 1 },
	{ "count", 'n', "COUNT", 0, "End after COUNT updates (default 0: go on)", 1 },
	{ "rows", 'l', "ROWS", 0,
	  "At most ROWS rows; 0: all, also unchanged ones (default: what changed; with -b 20 of it)", 1 },
	{ "sort", 's', "KEY", 0, "Sort by a column (default fallbacks; of blockers: blamed)", 1 },
	{ "threads", 'H', NULL, 0, "Begin with threads instead of processes", 1 },
	{ "replay", 'r', "FILE", 0,
	  "Of a recording or a history, instead of this host; on the screen -d is the time between steps when it plays "
	  "(default: as it was)",
	  1 },
	{ "connect", OPT_CONNECT, "PATH", OPTION_ARG_OPTIONAL,
	  "What vmalockd sees, by its socket: without root, for members of the group vmalock (default PATH: " VML_API_SOCKET
	  ")",
	  1 },
	{ NULL, 0, NULL, 0, "Of which processes:", 2 },
	{ "pid", 'p', "PID[,PID]", 0, "Only these, by host or container pid", 2 },
	{ "user", 'u', "USER", 0, "Only those of a user, by name or uid", 2 },
	{ "cgroup", OPT_CGROUP, "PATH", 0, "Only those in this cgroup or below it", 2 },
	{ NULL, 0, NULL, 0, "How it is printed:", 3 },
	{ "batch", 'b', NULL, 0, "As text, also on a terminal; with the five worst blockers, -l 0: all of them", 3 },
	{ "json", 'j', NULL, 0, "One JSON object an interval, on one line", 3 },
	{ NULL, 0, NULL, 0, "How it is measured:", 4 },
	{ "backend", OPT_BACKEND, "NAME", 0,
	  "The kernel hooks: fentry, kprobe or tracepoint (default auto: the first of them that works)", 4 },
	{ "detail", OPT_DETAIL, "NAME", 0,
	  "default, or exact: also misses, who looks VMAs up and how long faults take, at a higher cost", 4 },
	{ "stacks-over", OPT_STACKS_OVER, "TIME", 0,
	  "Keep the stack of a holder when somebody was waiting for more of the hold: 500us, 1ms, 2s; off (default 1ms)",
	  4 },
	{ "user-stacks", OPT_USER_STACKS, NULL, 0, "Also its stack in the program: reads the program's /proc/PID/maps",
	  4 },
	{ "max-overhead", OPT_MAX_OVERHEAD, "PERCENT", 0,
	  "Keep the cost of all this below PERCENT of the CPU time of the host: the hooks on every fault are attached "
	  "for a part of the time when need be, and what they miss is extrapolated (default: no limit)",
	  4 },
	{ "duty", OPT_DUTY, "PART", 0, "Begin with that part of the time: 1/2, 1/4, 1/8, 1/16, off (default 1)", 4 },
	{ "memory", OPT_MEMORY, "SIZE", 0,
	  "What all BPF maps may take, but for the storage of threads: 32M, 1G (default 64M)", 4 },
	{ "btf", OPT_BTF, "FILE", 0, "Type information of the kernel", 4 },
	{ "help", 'h', NULL, 0, "Print this", -1 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{ 0 },
};

static const char doc[] =
	"Shows which processes, threads and memory areas take page faults under the "
	"per-VMA lock, which fall back to mmap_lock, why, how long they wait, "
	"and who holds them up.\v"
	"Examples:\n"
	"  sudo vmalocktop                         on the screen; ? explains it\n"
	"  sudo vmalocktop -p 1234 -H              the threads of one process\n"
	"  sudo vmalocktop -b -n 3 -d 10           three batches of text, 10 s each\n"
	"  sudo vmalocktop -b -s read_wait         who waits longest to read-lock\n"
	"  sudo vmalocktop -j -l 0 | jq .totals    JSON, all rows\n"
	"  sudo vmalocktop -j | jq -c .blockers[]  who held up whom\n"
	"  sudo vmalocktop -b --detail exact       also misses, and who looks VMAs up\n"
	"  vmalocktop -r load.db                   what was recorded, step by step\n"
	"  vmalocktop --connect                    what vmalockd sees, without root\n"
	"\n"
	"Exit status: 0 ok, 1 failure, 2 wrong usage, 4 this kernel cannot be observed, or the file or "
	"vmalockd is of a newer version.\n";

/* What is read while argp runs. */
struct parse {
	struct vml_command_line line;
	struct vml_top_options *o;
	bool have_limit, have_interval;
	const char *live; /* an option that is only for observing this host */
};

int vml_user_parse(const char *text, uint32_t *ret_uid)
{
	const struct passwd *pw = getpwnam(text);

	if (pw) {
		*ret_uid = pw->pw_uid;
		return 0;
	}
	return vml_parse_u32(text, 0, UINT32_MAX - 1, ret_uid) ? -ENOENT : 0;
}

static error_t parse_duty(struct parse *p, const char *arg)
{
	unsigned int step = 0;

	while (step < VML_NDUTY_STEPS && strcmp(arg, vml_duty_name(step)))
		step++;
	if (step == VML_NDUTY_STEPS)
		return wrong(p, "--duty: 1, 1/2, 1/4, 1/8, 1/16 or off, not '%s'", arg);
	p->o->view.duty = step;
	p->o->live.guard = true;
	return 0;
}

static const char *option_name(int key)
{
	size_t i = 0;

	while (options[i].key != key)
		i++;
	return options[i].name;
}

static error_t parse_measuring(struct parse *p, int key, const char *arg)
{
	struct vml_live_options *live = &p->o->live;
	char error[VML_ERROR_MAX];

	p->live = option_name(key);
	switch (key) {
	case OPT_BACKEND:
		return vml_live_set_backend(live, arg, error) ? wrong(p, "%s", error) : 0;
	case OPT_DETAIL:
		return vml_live_set_detail(live, arg, error) ? wrong(p, "%s", error) : 0;
	case OPT_STACKS_OVER:
		return vml_live_set_stacks_over(live, arg, error) ? wrong(p, "%s", error) : 0;
	case OPT_USER_STACKS:
		live->user_stacks = true;
		return 0;
	case OPT_MAX_OVERHEAD:
		return vml_live_set_max_overhead(live, arg, &p->o->view.max_overhead, error) ? wrong(p, "%s", error)
											     : 0;
	case OPT_DUTY:
		return parse_duty(p, arg);
	case OPT_MEMORY:
		return vml_live_set_memory(live, arg, error) ? wrong(p, "%s", error) : 0;
	default:
		live->btf_path = arg;
		return 0;
	}
}

static error_t parse_selection(struct parse *p, int key, char *arg)
{
	struct vml_filter *f = &p->o->view.filter;
	char error[VML_ERROR_MAX];
	int err;

	switch (key) {
	case 'p':
		err = vml_filter_set_pids(f, arg, error);
		break;
	case 'u':
		f->by_uid = true;
		return vml_user_parse(arg, &f->uid) ? wrong(p, "-u: no user '%s'", arg) : 0;
	default:
		err = vml_filter_set_cgroup(f, arg, error);
	}
	return err == -EINVAL ? wrong(p, "%s", error) : -err;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	struct vml_tui_options *view = &p->o->view;

	switch (key) {
	case 'd':
	case 'i':
		p->have_interval = true;
		return vml_parse_seconds(arg, &view->interval_ns)
			       ? wrong(p, "-%c: seconds, 0.001 to 86400, not '%s'", key, arg)
			       : 0;
	case 'n':
		return vml_parse_u32(arg, 0, UINT32_MAX, &view->count) ? wrong(p, "-n: a number, not '%s'", arg) : 0;
	case 'l':
		p->have_limit = true;
		return vml_parse_u32(arg, 0, UINT32_MAX, &view->limit) ? wrong(p, "-l: a number, not '%s'", arg) : 0;
	case 's':
		view->sort = arg;
		return 0;
	case 'H':
		view->threads = true;
		return 0;
	case 'p':
	case 'u':
	case OPT_CGROUP:
		return parse_selection(p, key, arg);
	case 'r':
		p->o->replay = arg;
		return 0;
	case OPT_CONNECT:
		arg = vml_optional_argument(arg, state->argc, state->argv, &state->next);
		p->o->connect = arg ? arg : VML_API_SOCKET;
		p->o->view.connected = true;
		return 0;
	case 'b':
		p->o->batch = true;
		return 0;
	case 'j':
		p->o->json = true;
		return 0;
	case OPT_BACKEND:
	case OPT_DETAIL:
	case OPT_BTF:
	case OPT_STACKS_OVER:
	case OPT_USER_STACKS:
	case OPT_MAX_OVERHEAD:
	case OPT_DUTY:
	case OPT_MEMORY:
		return parse_measuring(p, key, arg);
	default:
		return vml_command_line_key(&p->line, key, arg, state);
	}
}

static const struct argp argp = { .options = options, .parser = parse_option, .doc = doc };

static bool is_sort_key(const struct vml_top_options *o)
{
	enum vml_scope scope = o->view.threads ? VML_THREAD : VML_PROCESS;

	if (o->batch && !o->json)
		return vml_column_find(scope, o->view.sort);
	for (scope = 0; scope < VML_NSCOPES; scope++)
		if (vml_column_find(scope, o->view.sort))
			return true;
	return false;
}

static void wrong_sort(struct parse *p)
{
	const struct vml_column *const *c = vml_columns(p->o->view.threads ? VML_THREAD : VML_PROCESS);
	char keys[1024] = "";
	size_t len = 0;

	for (; *c && len < sizeof(keys); c++)
		len += (size_t)snprintf(keys + len, sizeof(keys) - len, "%s%s", len ? ", " : "", (*c)->key);
	wrong(p, "-s: no column '%s'; there are: %s", p->o->view.sort, keys);
}

/* What the options mean together. */
static void settle(struct parse *p)
{
	struct vml_top_options *o = p->o;

	if (!o->json && !o->batch)
		o->batch = !vml_tui_possible();
	if (!p->have_limit)
		o->view.limit = o->batch && !o->json ? BATCH_ROWS : UINT32_MAX;
	if (o->view.sort && !is_sort_key(o))
		wrong_sort(p);
	if (o->replay && o->connect)
		wrong(p, "-r, --connect: one of them");
	else if (o->replay && p->live)
		wrong(p, "--%s: not with -r, which shows what was observed before", p->live);
	else if (o->connect && p->live)
		wrong(p, "--%s: not with --connect, as vmalockd observes; give it to vmalockd", p->live);
	if (o->replay && !p->have_interval)
		o->view.interval_ns = 0;
	if (o->live.guard && o->live.detail && !strcmp(o->live.detail, "exact"))
		wrong(p, "--max-overhead and --duty: not with --detail exact, whose hooks stay");
}

enum vml_action vml_top_options_parse(int argc, char **argv, struct vml_top_options *ret)
{
	struct parse p = { .o = ret, .line.name = "vmalocktop" };

	*ret = (struct vml_top_options){ .view.interval_ns = INTERVAL_NS };
	if (vml_command_line_parse(&p.line, &argp, argc, argv, &p) == VML_RUN)
		settle(&p);
	return p.line.action;
}

void vml_top_options_free(struct vml_top_options *o)
{
	vml_filter_free(&o->view.filter);
}
