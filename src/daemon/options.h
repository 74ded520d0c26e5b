/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DAEMON_OPTIONS_H
#define VMALOCK_DAEMON_OPTIONS_H
/* The command line of vmalockd; strings point into argv. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../run/command_line.h"
#include "vmalock/source.h"
#include "log.h"

#define DAEMON_LISTEN "127.0.0.1:10862"
#define DAEMON_USER "vmalock"
#define DAEMON_GROUP "vmalock" /* who may use the API */

#define DAEMON_LISTEN_MAX 16

/* What a filter of system calls does to one that it does not know. */
enum daemon_seccomp { DAEMON_SECCOMP_ERRNO, DAEMON_SECCOMP_KILL, DAEMON_SECCOMP_OFF };

struct daemon_options {
	const char *listen[DAEMON_LISTEN_MAX]; /* HOST:PORT; at least one, but with systemd_socket */
	size_t nlisten;
	bool systemd_socket;
	const char *metrics_path;
	const char *web_config; /* NULL: none */
	bool enable_api; /* on TCP, too */
	const char *api_socket; /* NULL: off */
	bool label_comm;
	uint32_t series_budget, series_churn; /* series; new ones an hour */
	double max_overhead; /* of all CPU time; 0: no limit */
	const char *history; /* NULL: off */
	uint64_t history_bytes; /* size of it at most */
	bool make_history_dir, make_socket_dir; /* the path is the default one: its folder may be made */
	uint64_t interval_ns;
	const char *user; /* to become when started as root; NULL: stay */
	bool user_given;
	enum daemon_seccomp seccomp;
	enum vml_log_level log_level;
	bool log_json;
	struct vml_live_options live;
};

enum vml_action daemon_options_parse(int argc, char **argv, struct daemon_options *ret);

#endif
