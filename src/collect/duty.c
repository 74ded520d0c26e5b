// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hooks on every fault, attached for a part of the time.  They are at a place in
 * each period that is drawn anew, so that no load can be in step with them.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"
#include "vmalock/guard.h"

static uint64_t duty_random(struct duty *d)
{
	d->seed ^= d->seed << 13;
	d->seed ^= d->seed >> 7;
	d->seed ^= d->seed << 17;
	return d->seed;
}

void duty_account(struct duty *d)
{
	uint64_t now = vml_now_mono();

	if (d->accounted_ns) {
		d->of_ns += now - d->accounted_ns;
		if (d->attached)
			d->attached_ns += now - d->accounted_ns;
	}
	d->accounted_ns = now;
}

void duty_watch(struct session *s)
{
	struct duty *d = &s->duty;

	duty_account(d);
	d->number = d->number % VML_WATCH_MAX + 1;
	d->attached = true;
	s->skel->bss->watching = d->number << VML_WATCH_SHIFT;
}

int duty_attach(struct session *s)
{
	int err;

	if (s->duty.attached)
		return 0;
	err = hooks_attach_hot(s);
	if (err) {
		hooks_detach_hot(s); /* half of them would count faults of one mode only */
		s->duty.failed++;
		return err;
	}
	duty_watch(s);
	return 0;
}

void duty_detach(struct session *s)
{
	if (!s->duty.attached)
		return;
	s->skel->bss->watching = 0; /* first: faults after this are not seen to begin */
	duty_account(&s->duty);
	s->duty.attached = false;
	s->duty.away = true;
	hooks_detach_hot(s);
}

/* Threads that were idle so far get storage, which keeps what their own count was. */
static int adopt_all(struct session *s)
{
	char buf[64];
	ssize_t got;
	int fd;

	s->skel->bss->adopting = VML_ADOPT_ALL;
	fd = bpf_iter_create(bpf_link__fd(s->tasks_link));
	if (fd < 0)
		return -errno;
	do {
		got = read(fd, buf, sizeof(buf));
	} while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
	got = got < 0 ? -errno : 0;
	close(fd);
	return got;
}

int duty_adopt(struct session *s)
{
	int err;

	if (s->skel->bss->adopting)
		return 0;
	err = adopt_all(s);
	s->skel->bss->adopting = err ? VML_ADOPT_NONE : VML_ADOPT_GO_ON;
	return err;
}

/* The period of @now. */
static void plan(struct duty *d, uint64_t now)
{
	uint64_t on = (uint64_t)(vml_duty_share(d->step) * VML_DUTY_PERIOD_NS);

	d->period_ns += VML_DUTY_PERIOD_NS;
	if (now >= d->period_ns + VML_DUTY_PERIOD_NS)
		d->period_ns = now; /* late, or the first */
	d->on_ns = d->period_ns + duty_random(d) % (VML_DUTY_PERIOD_NS - on + 1);
	d->off_ns = d->on_ns + on;
}

/* In the middle steps: what is due at @now. Returns when the next is. */
static uint64_t turn(struct session *s, uint64_t now)
{
	struct duty *d = &s->duty;

	if (now >= d->period_ns + VML_DUTY_PERIOD_NS)
		plan(d, now);
	if (now >= d->on_ns && now < d->off_ns)
		duty_attach(s); /* a failure is counted, and tried again in the next period */
	else
		duty_detach(s);
	if (now < d->on_ns)
		return d->on_ns;
	return now < d->off_ns ? d->off_ns : d->period_ns + VML_DUTY_PERIOD_NS;
}

int duty_set(struct session *s, unsigned int step)
{
	struct duty *d = &s->duty;
	int err = 0;

	if (step >= VML_NDUTY_STEPS)
		return -EINVAL;
	if (!d->possible)
		return -EOPNOTSUPP;
	if (step == d->step)
		return 0;
	if (step != VML_DUTY_FULL)
		err = duty_adopt(s);
	if (!err && step == VML_DUTY_FULL)
		err = duty_attach(s);
	if (err)
		return err;
	d->step = step;
	d->away = d->away || step != VML_DUTY_FULL;
	d->period_ns = 0;
	if (step == VML_DUTY_OFF)
		duty_detach(s);
	else if (step != VML_DUTY_FULL)
		turn(s, vml_now_mono());
	return 0;
}

int64_t duty_tick(struct session *s)
{
	struct duty *d = &s->duty;
	uint64_t now = vml_now_mono(), next = UINT64_MAX;

	if (!d->possible)
		return INT64_MAX;
	if (now >= s->cost.again_ns) {
		cost_again(s);
		now = vml_now_mono();
	}
	if (d->step != VML_DUTY_FULL && d->step != VML_DUTY_OFF)
		next = turn(s, now);
	else if (d->step == VML_DUTY_FULL && duty_attach(s)) /* it failed after a calibration, too */
		next = now + VML_DUTY_PERIOD_NS;
	if (next > s->cost.again_ns)
		next = s->cost.again_ns;
	now = vml_now_mono();
	return next > now ? (int64_t)(next - now) : 0;
}
