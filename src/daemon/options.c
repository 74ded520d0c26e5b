// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../run/command_line.h"
#include "vmalock/base.h"
#include "vmalock/export.h"
#include "vmalock/store.h"
#include "options.h"

#define wrong(p, ...) vml_command_line_wrong(&(p)->line, __VA_ARGS__)

enum {
	OPT_LISTEN = 256,
	OPT_SYSTEMD_SOCKET,
	OPT_TELEMETRY_PATH,
	OPT_WEB_CONFIG,
	OPT_ENABLE_API,
	OPT_LABELS,
	OPT_API_SOCKET,
	OPT_SERIES_BUDGET,
	OPT_SERIES_CHURN,
	OPT_MAX_OVERHEAD,
	OPT_MEMORY,
	OPT_HISTORY,
	OPT_HISTORY_SIZE,
	OPT_BACKEND,
	OPT_DETAIL,
	OPT_STACKS_OVER,
	OPT_USER_STACKS,
	OPT_BTF,
	OPT_USER,
	OPT_SECCOMP,
	OPT_LOG_LEVEL,
	OPT_LOG_FORMAT,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is served:", 1 },
	{ "web.listen-address", OPT_LISTEN, "HOST:PORT", 0,
	  "Where /metrics is served; may be given more than once (default " DAEMON_LISTEN ")", 1 },
	{ "web.systemd-socket", OPT_SYSTEMD_SOCKET, NULL, 0, "Serve on the sockets that systemd hands over", 1 },
	{ "web.telemetry-path", OPT_TELEMETRY_PATH, "PATH", 0, "Path of the metrics (default /metrics)", 1 },
	{ "web.config.file", OPT_WEB_CONFIG, "FILE", 0, "TLS and passwords, as Prometheus exporters have them", 1 },
	{ "web.enable-api", OPT_ENABLE_API, NULL, 0, "Serve the API on TCP, too; refused without authentication", 1 },
	{ "web.labels", OPT_LABELS, "LIST", 0, "Labels of rows: cgroup, or cgroup,comm (default cgroup)", 1 },
	{ "series-budget", OPT_SERIES_BUDGET, "N", 0, "At most N series (default 2000)", 1 },
	{ "series-churn", OPT_SERIES_CHURN, "N", 0, "At most N new label sets an hour (default 500)", 1 },
	{ "api-socket", OPT_API_SOCKET, "PATH", 0, "Socket of the API, or off (default " VML_API_SOCKET ")", 1 },
	{ NULL, 0, NULL, 0, "What is kept:", 2 },
	{ "history", OPT_HISTORY, "FILE", 0, "The history, or off (default " VML_HISTORY ")", 2 },
	{ "history-size", OPT_HISTORY_SIZE, "SIZE", 0, "At most so large: 200M, 2G (default 1G)", 2 },
	{ NULL, 0, NULL, 0, "How it is measured:", 3 },
	{ "interval", 'd', "SECONDS", 0, "Between snapshots, 0.001 to 86400 (default 1)", 3 },
	{ NULL, 'i', NULL, OPTION_ALIAS, NULL, 3 },
	{ "backend", OPT_BACKEND, "NAME", 0,
	  "The kernel hooks: fentry, kprobe or tracepoint (default auto: the first of them that works)", 3 },
	{ "detail", OPT_DETAIL, "NAME", 0, "default, or exact: see more at a higher cost", 3 },
	{ "stacks-over", OPT_STACKS_OVER, "TIME", 0,
	  "Keep the stack of a holder when somebody was waiting for more of the hold: 500us, 1ms, 2s; off (default 1ms)",
	  3 },
	{ "user-stacks", OPT_USER_STACKS, NULL, 0, "Also its stack in the program: reads the program's /proc/PID/maps",
	  3 },
	{ "btf", OPT_BTF, "FILE", 0, "Type information of the kernel", 3 },
	{ "max-overhead", OPT_MAX_OVERHEAD, "PERCENT", 0,
	  "Of the CPU time of the host; over it less is measured; off (default 1%)", 3 },
	{ "memory", OPT_MEMORY, "SIZE", 0,
	  "What all BPF maps may take, but for the storage of threads: 32M, 1G (default 64M)", 3 },
	{ NULL, 0, NULL, 0, "How it runs:", 4 },
	{ "user", OPT_USER, "NAME", 0,
	  "Whom to become when started as root; root: stay (default " DAEMON_USER ", when there is one)", 4 },
	{ "seccomp", OPT_SECCOMP, "MODE", 0,
	  "System calls that are not expected: errno (fail, and are in the audit log), kill, off (default errno)", 4 },
	{ "log.level", OPT_LOG_LEVEL, "LEVEL", 0, "debug, info, warn or error (default info)", 4 },
	{ "log.format", OPT_LOG_FORMAT, "FORMAT", 0, "logfmt or json (default logfmt)", 4 },
	{ "help", 'h', NULL, 0, "Print this", -1 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{ 0 },
};

static const char doc[] = "Observes page faults and mmap_lock of this host all the time: metrics for Prometheus, "
			  "a history, and an API for vmalocktop --connect.\v"
			  "Examples:\n"
			  "  sudo systemctl enable --now vmalockd           as user vmalock, with few privileges\n"
			  "  sudo vmalockd --history off --api-socket off   by hand: only metrics\n"
			  "  curl -s localhost:10862/metrics | grep stalled\n"
			  "  sudo vmalockd --web.listen-address :10862 --web.config.file /etc/vmalock/web.yml\n"
			  "\n"
			  "Options of the service are in /etc/default/vmalockd: ARGS=\"--max-overhead 0.5%\".\n"
			  "SIGHUP reads the web configuration again, SIGTERM and SIGINT end.\n"
			  "\n"
			  "Exit status: 0 ok, 1 failure, 2 wrong usage, 4 this kernel cannot be observed.\n";

struct parse {
	struct vml_command_line line;
	struct daemon_options *o;
	bool own_history, own_socket;
};

/* Index of @arg in @list, which NULL ends; -1. */
static int one_of(const char *const *list, const char *arg)
{
	int i;

	for (i = 0; list[i]; i++)
		if (!strcmp(list[i], arg))
			return i;
	return -1;
}

/* "off" is NULL. */
static error_t set_path(struct parse *p, const char *option, const char *arg, const char **ret, bool *ret_own)
{
	*ret_own = true;
	*ret = strcmp(arg, "off") ? arg : NULL;
	return *arg ? 0 : wrong(p, "--%s: a path, or off, not ''", option);
}

static error_t parse_web(struct parse *p, int key, const char *arg)
{
	static const char *const labels[] = { "cgroup", "cgroup,comm", NULL };
	struct daemon_options *o = p->o;
	int i;

	switch (key) {
	case OPT_LISTEN:
		if (o->nlisten == DAEMON_LISTEN_MAX)
			return wrong(p, "--web.listen-address: at most %d of them", DAEMON_LISTEN_MAX);
		o->listen[o->nlisten++] = arg;
		return 0;
	case OPT_SYSTEMD_SOCKET:
		o->systemd_socket = true;
		return 0;
	case OPT_TELEMETRY_PATH:
		o->metrics_path = arg;
		return *arg == '/' && arg[1] ? 0 : wrong(p, "--web.telemetry-path: a path below /, not '%s'", arg);
	case OPT_WEB_CONFIG:
		o->web_config = *arg ? arg : NULL;
		return 0;
	case OPT_ENABLE_API:
		o->enable_api = true;
		return 0;
	case OPT_API_SOCKET:
		return set_path(p, "api-socket", arg, &o->api_socket, &p->own_socket);
	default:
		i = one_of(labels, arg);
		o->label_comm = i == 1;
		return i < 0 ? wrong(p, "--web.labels: cgroup, or cgroup,comm, not '%s'", arg) : 0;
	}
}

static error_t parse_budget(struct parse *p, int key, const char *arg)
{
	struct daemon_options *o = p->o;
	char error[VML_ERROR_MAX];

	switch (key) {
	case OPT_SERIES_BUDGET:
		return vml_parse_u32(arg, VML_EXPORT_BUDGET_MIN, 1000000, &o->series_budget)
			       ? wrong(p, "--series-budget: %d to 1000000, not '%s'", VML_EXPORT_BUDGET_MIN, arg)
			       : 0;
	case OPT_SERIES_CHURN:
		return vml_parse_u32(arg, 1, 1000000, &o->series_churn)
			       ? wrong(p, "--series-churn: 1 to 1000000, not '%s'", arg)
			       : 0;
	case OPT_MAX_OVERHEAD:
		if (!strcmp(arg, "off"))
			o->max_overhead = 0;
		else if (vml_parse_percent(arg, 0.01, 100, &o->max_overhead))
			return wrong(p, "--max-overhead: a percentage as 0.5%%, 0.01%% to 100%%, or off, not '%s'",
				     arg);
		else
			o->max_overhead /= 100;
		return 0;
	case OPT_MEMORY:
		return vml_live_set_memory(&o->live, arg, error) ? wrong(p, "%s", error) : 0;
	default:
		return vml_parse_bytes(arg, 1 << 20, 1ULL << 50, &o->history_bytes)
			       ? wrong(p, "--history-size: a size from 1M on, not '%s'", arg)
			       : 0;
	}
}

static error_t parse_run(struct parse *p, int key, const char *arg)
{
	static const char *const modes[] = {
		[DAEMON_SECCOMP_ERRNO] = "errno", [DAEMON_SECCOMP_KILL] = "kill", [DAEMON_SECCOMP_OFF] = "off", NULL
	};
	static const char *const formats[] = { "logfmt", "json", NULL };
	struct daemon_options *o = p->o;
	int i;

	switch (key) {
	case OPT_USER:
		o->user = strcmp(arg, "root") ? arg : NULL;
		o->user_given = true;
		return 0;
	case OPT_SECCOMP:
		i = one_of(modes, arg);
		o->seccomp = (enum daemon_seccomp)i;
		return i < 0 ? wrong(p, "--seccomp: errno, kill or off, not '%s'", arg) : 0;
	case OPT_LOG_LEVEL:
		return vml_log_level_parse(arg, &o->log_level)
			       ? wrong(p, "--log.level: debug, info, warn or error, not '%s'", arg)
			       : 0;
	default:
		i = one_of(formats, arg);
		o->log_json = i == 1;
		return i < 0 ? wrong(p, "--log.format: logfmt or json, not '%s'", arg) : 0;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	char error[VML_ERROR_MAX];

	switch (key) {
	case 'd':
	case 'i':
		return vml_parse_seconds(arg, &p->o->interval_ns)
			       ? wrong(p, "-%c: seconds, 0.001 to 86400, not '%s'", key, arg)
			       : 0;
	case OPT_BACKEND:
		return vml_live_set_backend(&p->o->live, arg, error) ? wrong(p, "%s", error) : 0;
	case OPT_DETAIL:
		return vml_live_set_detail(&p->o->live, arg, error) ? wrong(p, "%s", error) : 0;
	case OPT_STACKS_OVER:
		return vml_live_set_stacks_over(&p->o->live, arg, error) ? wrong(p, "%s", error) : 0;
	case OPT_USER_STACKS:
		p->o->live.user_stacks = true;
		return 0;
	case OPT_BTF:
		p->o->live.btf_path = arg;
		return 0;
	case OPT_LISTEN:
	case OPT_SYSTEMD_SOCKET:
	case OPT_TELEMETRY_PATH:
	case OPT_WEB_CONFIG:
	case OPT_ENABLE_API:
	case OPT_LABELS:
	case OPT_API_SOCKET:
		return parse_web(p, key, arg);
	case OPT_SERIES_BUDGET:
	case OPT_SERIES_CHURN:
	case OPT_MAX_OVERHEAD:
	case OPT_MEMORY:
	case OPT_HISTORY_SIZE:
		return parse_budget(p, key, arg);
	case OPT_HISTORY:
		return set_path(p, "history", arg, &p->o->history, &p->own_history);
	case OPT_USER:
	case OPT_SECCOMP:
	case OPT_LOG_LEVEL:
	case OPT_LOG_FORMAT:
		return parse_run(p, key, arg);
	default:
		return vml_command_line_key(&p->line, key, arg, state);
	}
}

static const struct argp argp = { .options = options, .parser = parse_option, .doc = doc };

/* What the options mean together. */
static void settle(struct parse *p)
{
	struct daemon_options *o = p->o;

	if (o->systemd_socket && o->nlisten)
		wrong(p, "--web.systemd-socket and --web.listen-address: one of them");
	if (!o->systemd_socket && !o->nlisten)
		o->listen[o->nlisten++] = DAEMON_LISTEN;
	o->make_history_dir = !p->own_history;
	o->make_socket_dir = !p->own_socket;
}

enum vml_action daemon_options_parse(int argc, char **argv, struct daemon_options *ret)
{
	struct parse p = { .o = ret, .line.name = "vmalockd" };

	*ret = (struct daemon_options){
		.metrics_path = "/metrics",
		.api_socket = VML_API_SOCKET,
		.series_budget = VML_EXPORT_BUDGET,
		.series_churn = VML_EXPORT_CHURN,
		.max_overhead = 0.01,
		.history = VML_HISTORY,
		.history_bytes = VML_HISTORY_MAX_BYTES,
		.interval_ns = 1000000000,
		.user = DAEMON_USER,
		.log_level = VML_LOG_INFO,
	};
	if (vml_command_line_parse(&p.line, &argp, argc, argv, &p) == VML_RUN)
		settle(&p);
	return p.line.action;
}
