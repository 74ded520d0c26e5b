// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * argp reads the options; its own complaints take two lines, so its error
 * stream is closed: getopt says what is wrong, in one line, or we do.
 */
#include <argp.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "options.h"

#define NAME "vmalocktop"
#define INTERVAL_NS 1000000000ULL
#define BATCH_ROWS 20

enum { OPT_CGROUP = 256, OPT_BACKEND, OPT_DETAIL, OPT_BTF, OPT_STACKS_OVER, OPT_USER_STACKS };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is shown:", 1 },
	{ "interval", 'd', "SECONDS", 0, "Between updates, 0.001 to 86400 (default 1)", 1 },
	{ NULL, 'i', NULL, OPTION_ALIAS, NULL, 1 },
	{ "count", 'n', "COUNT", 0, "End after COUNT updates (default 0: go on)", 1 },
	{ "rows", 'l', "ROWS", 0,
	  "At most ROWS rows; 0: all, also unchanged ones (default: what changed; with -b 20 of it)", 1 },
	{ "sort", 's', "KEY", 0, "Sort by a column (default fallbacks; of blockers: blamed)", 1 },
	{ "threads", 'H', NULL, 0, "Begin with threads instead of processes", 1 },
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
	{ "btf", OPT_BTF, "FILE", 0, "Type information of the kernel", 4 },
	{ "help", 'h', NULL, 0, "Print this", -1 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{ 0 },
};

static const char doc[] = "Shows which processes, threads and memory areas take page faults under the "
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
			  "\n"
			  "Exit status: 0 ok, 1 failure, 2 wrong usage, 4 this kernel cannot be observed.\n";

/* What is read while argp runs. */
struct parse {
	struct vml_top_options *o;
	enum vml_top_action action;
	bool have_limit, version;
};

__attribute__((format(printf, 2, 3))) static error_t wrong(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	p->action = VML_TOP_USAGE;
	fputs(NAME ": ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(" (see " NAME " --help)\n", stderr);
	return EINVAL;
}

int vml_user_parse(const char *text, uint32_t *ret_uid)
{
	const struct passwd *pw = getpwnam(text);

	if (pw) {
		*ret_uid = pw->pw_uid;
		return 0;
	}
	return vml_parse_u32(text, 0, UINT32_MAX - 1, ret_uid) ? -ENOENT : 0;
}

/* What @list, ended by NULL, has for @arg. */
static const char *one_of(const char *const *list, const char *arg)
{
	while (*list && strcmp(*list, arg))
		list++;
	return *list;
}

static error_t parse_measuring(struct parse *p, int key, const char *arg)
{
	static const char *const backends[] = { "auto", "tracepoint", "fentry", "kprobe", NULL };
	static const char *const details[] = { "default", "exact", NULL };
	struct vml_live_options *live = &p->o->live;

	switch (key) {
	case OPT_BACKEND:
		live->backend = one_of(backends, arg);
		return live->backend ? 0 : wrong(p, "--backend: auto, tracepoint, fentry or kprobe, not '%s'", arg);
	case OPT_DETAIL:
		live->detail = one_of(details, arg);
		return live->detail ? 0 : wrong(p, "--detail: default or exact, not '%s'", arg);
	case OPT_STACKS_OVER:
		if (!strcmp(arg, "off"))
			live->stacks_over_ns = VML_STACKS_OFF;
		else if (vml_parse_duration(arg, &live->stacks_over_ns))
			return wrong(p, "--stacks-over: a time as 500us, 1ms or 2s, or off, not '%s'", arg);
		return 0;
	case OPT_USER_STACKS:
		live->user_stacks = true;
		return 0;
	default:
		live->btf_path = arg;
		return 0;
	}
}

static error_t parse_selection(struct parse *p, int key, char *arg)
{
	struct vml_filter *f = &p->o->view.filter;
	uint32_t *pids;

	switch (key) {
	case 'p':
		if (vml_parse_pids(arg, &pids, &f->npids))
			return wrong(p, "-p: process ids with commas between them, not '%s'", arg);
		free((void *)f->pids);
		f->pids = pids;
		return 0;
	case 'u':
		f->by_uid = true;
		return vml_user_parse(arg, &f->uid) ? wrong(p, "-u: no user '%s'", arg) : 0;
	default:
		f->cgroup = arg;
		return *arg == '/' ? 0 : wrong(p, "--cgroup: a path that begins with /, not '%s'", arg);
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	struct vml_tui_options *view = &p->o->view;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case 'd':
	case 'i':
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
		return parse_measuring(p, key, arg);
	case 'h':
	case 'V':
		p->action = VML_TOP_DONE;
		p->version = key == 'V';
		return ECANCELED; /* what follows does not matter */
	case ARGP_KEY_ARG:
		return wrong(p, "unexpected argument '%s'", arg);
	default:
		return ARGP_ERR_UNKNOWN;
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
}

enum vml_top_action vml_top_options_parse(int argc, char **argv, struct vml_top_options *ret)
{
	struct parse p = { .o = ret, .action = VML_TOP_RUN };
	static char name[] = NAME;
	error_t err;

	*ret = (struct vml_top_options){ .view.interval_ns = INTERVAL_NS };
	if (argc)
		argv[0] = name; /* what getopt begins its line with */
	err = argp_parse(&argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
	if (p.action == VML_TOP_DONE) {
		if (p.version)
			puts(NAME " " VML_VERSION);
		else
			argp_help(&argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
		return VML_TOP_DONE;
	}
	if (err)
		return VML_TOP_USAGE;
	settle(&p);
	return p.action;
}

void vml_top_options_free(struct vml_top_options *o)
{
	free((void *)o->view.filter.pids);
	o->view.filter.pids = NULL;
}
