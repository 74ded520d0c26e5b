// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <signal.h>
#include <time.h>

#include "vmalock/base.h"
#include "daemon.h"
#include "notify.h"

/* The rest of an interval that making the history smaller may take. */
#define TIDY_SHARE 4
#define NEVER UINT64_MAX

/* When what is due next; CLOCK_MONOTONIC. */
struct beats {
	uint64_t interval, duty, alive;
	uint64_t alive_ns; /* between two of them; 0: nobody waits for it */
};

static sigset_t waited_for(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < VML_ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	return set;
}

void loop_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set = waited_for();

	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Until @deadline or a signal, which is returned; 0: none. */
static int wait_until(uint64_t deadline)
{
	uint64_t now = vml_now_mono(), left = deadline > now ? deadline - now : 0;
	const struct timespec t = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };
	sigset_t set = waited_for();
	int sig = sigtimedwait(&set, NULL, &t);

	return sig > 0 ? sig : 0;
}

static uint64_t first(const struct beats *b)
{
	uint64_t t = b->interval < b->duty ? b->interval : b->duty;

	return t < b->alive ? t : b->alive;
}

static void tick(struct daemon *d, struct beats *b)
{
	int64_t left = d->guarded ? vml_source_tick(d->source) : INT64_MAX;

	b->duty = left == INT64_MAX ? NEVER : vml_now_mono() + (left > 0 ? (uint64_t)left : 0);
}

static void tidy(struct daemon *d, const struct beats *b)
{
	uint64_t now = vml_now_mono(), next = first(b);

	if (d->history && next > now)
		vml_history_tidy(d->history, (next - now) / TIDY_SHARE);
}

static void reload(struct daemon *d)
{
	notify(NOTIFY_RELOADING);
	vml_web_reload(d->web);
	vml_log(d->log, VML_LOG_INFO, "web configuration read again", "ok", vml_web_config_ok(d->web) ? "yes" : "no",
		NULL);
	notify(NOTIFY_READY);
}

void loop_run(struct daemon *d)
{
	uint64_t now = vml_now_mono();
	struct beats b = {
		.interval = now + d->o->interval_ns,
		.alive_ns = notify_alive_ns(),
	};
	int sig;

	b.alive = b.alive_ns ? now : NEVER;
	tick(d, &b);
	while ((sig = wait_until(first(&b))) != SIGTERM && sig != SIGINT) {
		if (sig == SIGHUP)
			reload(d);
		now = vml_now_mono();
		if (now >= b.alive) {
			notify(NOTIFY_ALIVE);
			b.alive = now + b.alive_ns;
		}
		if (now >= b.interval) {
			interval_take(d);
			b.interval = vml_next_beat(b.interval, d->o->interval_ns);
			tick(d, &b); /* the guard may have changed the step */
			tidy(d, &b);
			vml_log_flush(d->log);
		} else if (now >= b.duty) {
			tick(d, &b);
		}
	}
}
