/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_LEDGER_H
#define VMALOCK_LEDGER_H
/*
 * The ledger of one mmap_lock: every nanosecond that somebody waits for it is
 * charged once, to who holds it, or to nobody when it is free.  Compiled by BPF
 * and, for tests/unit/test_ledger.c, by C.
 *
 * With W tasks waiting and H holding, a nanosecond adds W to the waits.  While
 * H > 0 each holder is charged W / H of it: "share" is the integral of W / H, and
 * a holder's blame is the share when it releases less the share when it acquired.
 * What the division leaves over is kept in "rest" and goes to the next to release,
 * so whole nanoseconds add up exactly:
 *
 *	waits = blame + handover		(vml_ledger_error() == 0)
 *
 * at every instant, with the waits and holds that still go on counted up to it.
 * In a convoy (a reader holds, a writer waits, a hundred readers queue behind the
 * writer) the reader pays for all of it.  While H = 0 the lock is free or already
 * granted, and the next owner is not running yet: handover.
 *
 * Rules for what does not fit (each has a counter, none leaves W or H wrong):
 *	acquired while a holder excludes it	a release was lost: its holders are
 *						settled into handover (vml_ledger_heal)
 *	released after that			ignored: the hold is of an older epoch
 *	time goes back				the event happens at the time of the last
 *
 * The caller serialises all calls for one ledger, and gives each the same kind of
 * clock, in nanoseconds, never 0.  Nothing here fails.
 */

/* What somebody waits for or changes: addresses in [start, end), below 2^63; end 0: not known. */
struct vml_range {
	__u64 start, end;
};

#define VML_RANGE_END (~0ULL >> 1) /* of all addresses */

/*
 * Waiting tasks whose range is known, so that a writer who comes later can tell
 * which of them it need not have stopped.  A task without a place is not counted
 * as avoidable: that share is at least what is said.
 */
#define VML_LEDGER_PLACES 32

struct vml_ledger {
	__u32 id; /* not 0: tells it from an earlier one of the same mm; waits of others are not in W */
	__u32 pad;
	__u64 now; /* when "share" and the like were brought up to date; 0: never */
	__u32 waiting, holding; /* W, H */
	__u32 foreign; /* of W: tasks of another address space */
	__u32 outside; /* of W: known to want nothing of the writer's range */
	__u32 epoch; /* of holders: others are not in H; begins as id */
	__u32 writing; /* the holder has it for write */
	__u64 share, rest;
	__u64 foreign_share; /* of share: waits of foreign tasks, rounded down */
	__u64 outside_ns, outside_began; /* waits outside the writers' ranges; when this one acquired */
	__u64 watched_ns; /* time while W > 0 */
	__u64 waited_ns, waiting_since; /* waits that ended; sum of the beginnings of those that go on */
	__u64 avoidable_ns; /* of blamed_ns: waits for what was not changed */
	__u64 blamed_ns, holding_share; /* blame of holds that ended; sum of "share" at the others' beginning */
	__u64 handover_ns; /* waits while H = 0 */
	__u64 runqueue_ns; /* of handover_ns: the next owner was waiting for a CPU */
	__u64 free_ns, free_time; /* of handover_ns: not split yet; how long that was */
	__u32 clamps, healed, stale; /* time went back, holders settled, late releases */
	__u32 pad2;
	struct vml_range range; /* that the writer changes */
	struct vml_range place[VML_LEDGER_PLACES];
};

/* A wait that goes on.  since_ns 0: none. */
struct vml_wait {
	__u64 since_ns;
	__u32 id; /* of the ledger; 0: of none */
	__u8 foreign;
	__u8 place; /* one more than the index; 0: none */
	__u8 pad[2];
};

/* A hold that goes on.  since_ns 0: none.  The rest: what the ledger said then. */
struct vml_hold {
	__u64 since_ns;
	__u64 share, foreign_share, outside_ns, watched_ns;
	__u32 epoch;
	__u32 pad;
};

/* What a hold cost others. */
struct vml_blame {
	__u64 hold_ns;
	__u64 blamed_ns;
	__u64 foreign_ns; /* of it: waits of tasks of other address spaces */
	__u64 avoidable_ns; /* of it: waits for what it did not change */
	__u64 watched_ns; /* how long somebody waited */
	__u32 victims; /* tasks that wait when it ends */
	__u32 pad;
};

#define VML_LEDGER_INLINE static inline __attribute__((always_inline, unused))

/* A new ledger; all else is 0.  @id: not 0. */
VML_LEDGER_INLINE void vml_ledger_open(struct vml_ledger *l, __u32 id)
{
	l->id = id;
	l->epoch = id;
}

/* Brings @l up to @now; returns the time it has then. */
VML_LEDGER_INLINE __u64 vml_ledger_advance(struct vml_ledger *l, __u64 now)
{
	__u64 time, sum;

	if (now <= l->now) {
		l->clamps += now < l->now;
		return l->now;
	}
	time = now - l->now;
	l->now = now;
	if (!l->waiting)
		return now;
	l->watched_ns += time;
	sum = time * l->waiting;
	if (!l->holding) {
		l->handover_ns += sum;
		l->free_ns += sum;
		l->free_time += time;
		return now;
	}
	if (l->holding == 1) {
		l->share += sum + l->rest;
		l->rest = 0;
		l->foreign_share += time * l->foreign;
	} else {
		sum += l->rest;
		l->share += sum / l->holding;
		l->rest = sum % l->holding;
		l->foreign_share += time * l->foreign / l->holding;
	}
	if (l->writing)
		l->outside_ns += time * l->outside;
	return now;
}

/*
 * Both are known, and have no address in common: a->end && b->end && (a->end <= b->start ||
 * b->end <= a->start).  Without a branch, of which each is two ways that the verifier goes, in
 * a loop over all places (a fifth of all it looked at in the largest program).
 */
VML_LEDGER_INLINE __u32 vml_ledger_disjoint(const struct vml_range *a, const struct vml_range *b)
{
	__u64 known = (a->end + VML_RANGE_END) & (b->end + VML_RANGE_END);
	__u64 apart = (a->end - b->start - 1) | (b->end - a->start - 1);

	return (known & apart) >> 63;
}

/*
 * Splits what was handed over since the lock became free: for @runnable of that
 * time the next owner was waiting for a CPU, the rest it took to wake up.
 */
VML_LEDGER_INLINE void vml_ledger_split(struct vml_ledger *l, __u64 runnable)
{
	__u64 part; /* of free_time, in 2^-20 */

	if (l->free_time) {
		if (runnable > l->free_time)
			runnable = l->free_time;
		part = (runnable << 20) / l->free_time; /* for up to 4 hours of free_time */
		l->runqueue_ns += (l->free_ns >> 20) * part + ((l->free_ns & 0xfffff) * part >> 20);
	}
	l->free_ns = 0;
	l->free_time = 0;
}

/*
 * A task begins to wait.  @foreign: of another address space.  @want: what it
 * waits for.  @place: any number that few tasks share.
 */
VML_LEDGER_INLINE void vml_ledger_wait(struct vml_ledger *l, struct vml_wait *w, __u64 now, __u32 foreign,
				       const struct vml_range *want, __u32 place)
{
	now = vml_ledger_advance(l, now);
	if (!l->waiting && !l->holding)
		vml_ledger_split(l, 0); /* of those who gave up before */
	w->since_ns = now;
	w->id = l->id;
	w->foreign = foreign;
	w->place = 0;
	l->foreign += foreign;
	place &= VML_LEDGER_PLACES - 1;
	if (want->end && !l->place[place].end) {
		l->place[place] = *want;
		w->place = place + 1;
		if (l->writing)
			l->outside += vml_ledger_disjoint(want, &l->range);
	}
	l->waiting++;
	l->waiting_since += now;
}

/* It does not wait any more; returns how long it did. */
VML_LEDGER_INLINE __u64 vml_ledger_wait_end(struct vml_ledger *l, struct vml_wait *w, __u64 now)
{
	__u64 ns;

	now = vml_ledger_advance(l, now);
	ns = now > w->since_ns ? now - w->since_ns : 0;
	if (w->id != l->id) {
		w->since_ns = 0;
		return ns;
	}
	if (w->place) {
		struct vml_range *at = &l->place[(w->place - 1) & (VML_LEDGER_PLACES - 1)];

		if (l->writing)
			l->outside -= vml_ledger_disjoint(at, &l->range);
		at->start = 0;
		at->end = 0;
	}
	l->foreign -= w->foreign;
	l->waiting--;
	l->waiting_since -= w->since_ns;
	l->waited_ns += ns;
	w->since_ns = 0;
	return ns;
}

/* Nobody holds it, whatever was recorded: what the holders were charged so far is handover. */
VML_LEDGER_INLINE void vml_ledger_heal(struct vml_ledger *l, __u64 now)
{
	vml_ledger_advance(l, now);
	l->handover_ns += l->holding * l->share - l->holding_share + l->rest;
	l->rest = 0;
	l->holding = 0;
	l->holding_share = 0;
	l->writing = 0;
	l->outside = 0;
	l->epoch++;
	l->healed++;
}

/*
 * A task has it now, for @write of @range.  @runnable: how long it waited for a CPU
 * since it began to wait.
 */
VML_LEDGER_INLINE void vml_ledger_hold(struct vml_ledger *l, struct vml_hold *h, __u64 now, __u32 write,
				       const struct vml_range *range, __u64 runnable)
{
	now = vml_ledger_advance(l, now);
	if (l->holding && (write || l->writing))
		vml_ledger_heal(l, now);
	if (!l->holding)
		vml_ledger_split(l, runnable);
	if (write) {
		l->writing = 1;
		l->range = *range;
		l->outside = 0;
		l->outside_began = l->outside_ns;
		if (l->waiting && range->end)
			for (int i = 0; i < VML_LEDGER_PLACES; i++)
				l->outside += vml_ledger_disjoint(&l->place[i], &l->range);
	}
	l->holding++;
	l->holding_share += l->share;
	h->since_ns = now;
	h->share = l->share;
	h->foreign_share = l->foreign_share;
	h->outside_ns = l->outside_ns;
	h->watched_ns = l->watched_ns;
	h->epoch = l->epoch;
}

/* What @h has cost so far; the rest of the division is left to who releases. */
VML_LEDGER_INLINE void vml_ledger_charge(struct vml_ledger *l, const struct vml_hold *h, __u64 now,
					 struct vml_blame *ret)
{
	now = vml_ledger_advance(l, now);
	ret->hold_ns = now - h->since_ns;
	ret->blamed_ns = 0;
	ret->foreign_ns = 0;
	ret->avoidable_ns = 0;
	ret->watched_ns = 0;
	ret->victims = 0;
	if (h->epoch != l->epoch)
		return;
	ret->blamed_ns = l->share - h->share;
	ret->foreign_ns = l->foreign_share - h->foreign_share;
	if (l->writing)
		ret->avoidable_ns = l->outside_ns - h->outside_ns;
	ret->watched_ns = l->watched_ns - h->watched_ns;
	ret->victims = l->waiting;
}

/* It gives the lock back. */
VML_LEDGER_INLINE void vml_ledger_release(struct vml_ledger *l, struct vml_hold *h, __u64 now, struct vml_blame *ret)
{
	vml_ledger_charge(l, h, now, ret);
	if (h->epoch == l->epoch) {
		ret->blamed_ns += l->rest;
		l->rest = 0;
		l->blamed_ns += ret->blamed_ns;
		l->avoidable_ns += ret->avoidable_ns;
		l->holding--;
		l->holding_share -= h->share;
		l->writing = 0;
		l->outside = 0;
	} else {
		l->stale++;
	}
	h->since_ns = 0;
}

/* It is known to hold no more, and its release was not seen: what it was charged is handover. */
VML_LEDGER_INLINE void vml_ledger_drop(struct vml_ledger *l, struct vml_hold *h, __u64 now)
{
	struct vml_blame b;

	vml_ledger_release(l, h, now, &b);
	l->blamed_ns -= b.blamed_ns;
	l->avoidable_ns -= b.avoidable_ns;
	l->handover_ns += b.blamed_ns;
}

/* The lock is gone: ends what is recorded as going on. */
VML_LEDGER_INLINE void vml_ledger_close(struct vml_ledger *l, __u64 now)
{
	now = vml_ledger_advance(l, now);
	if (l->holding)
		vml_ledger_heal(l, now);
	l->waited_ns += l->waiting * now - l->waiting_since;
	l->waiting = 0;
	l->waiting_since = 0;
	l->foreign = 0;
	vml_ledger_split(l, 0);
}

/* ---- sums up to l->now; all modulo 2^64 */

VML_LEDGER_INLINE __u64 vml_ledger_waited(const struct vml_ledger *l)
{
	return l->waited_ns + l->waiting * l->now - l->waiting_since;
}

VML_LEDGER_INLINE __u64 vml_ledger_blamed(const struct vml_ledger *l)
{
	return l->blamed_ns + l->holding * l->share - l->holding_share + l->rest;
}

/* Of vml_ledger_blamed(). */
VML_LEDGER_INLINE __u64 vml_ledger_avoidable(const struct vml_ledger *l)
{
	return l->avoidable_ns + (l->writing ? l->outside_ns - l->outside_began : 0);
}

/* Not 0: a bug in this file. */
VML_LEDGER_INLINE __s64 vml_ledger_error(const struct vml_ledger *l)
{
	return vml_ledger_waited(l) - vml_ledger_blamed(l) - l->handover_ns;
}

#endif
