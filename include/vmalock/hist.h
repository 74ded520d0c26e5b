/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_HIST_H
#define VMALOCK_HIST_H
/*
 * The one histogram geometry, compiled by BPF and by C.
 *
 * Bucket bounds are exactly 2^(k/4) seconds for k = -96 .. 28: Prometheus
 * native-histogram schema 2 and OpenTelemetry scale 2.  Bucket i holds the
 * durations in (bound[i-1], bound[i]]:
 *
 *	i = 0			up to 2^-24 s (59.6 ns): underflow, the "zero bucket"
 *	i = 1 .. 124		k = i - 96
 *	i = 125			over 2^7 s (128 s): overflow
 *
 * A quantile read from a bucket is its geometric middle, so it is off by at
 * most 2^(1/8) - 1 = 9.05 % upwards and 8.3 % downwards.
 *
 * Counts per bucket are unsigned and modulo 2^32 in BPF maps (a thread may
 * take mmap_lock more often than that); the collector extends them.
 *
 * Unit: nanoseconds.  Errors: none, every u64 has a bucket.
 * The file is included after the fixed-width types are known: vmlinux.h in
 * BPF, <linux/types.h> in C.
 */

#define VML_HIST_SCHEMA 2 /* bounds are 2^(k * 2^-schema) s */
#define VML_HIST_FIRST_K (-96) /* bound[0] = 2^(-96/4) s */
#define VML_HIST_BOUNDS 125
#define VML_HIST_BUCKETS (VML_HIST_BOUNDS + 1)

/*
 * floor(2^(k/4) * 10^9) for k = -96 .. 28: the largest whole nanosecond count
 * that still belongs to bucket k + 96.  Read-only data of whoever includes it;
 * tests/unit compares every entry with long-double arithmetic.
 */
/* clang-format off */
#define VML_HIST_BOUND_TABLE					\
	{								\
		59ULL, 70ULL, 84ULL, 100ULL, 119ULL,			\
		141ULL, 168ULL, 200ULL, 238ULL, 283ULL,			\
		337ULL, 400ULL, 476ULL, 567ULL, 674ULL,			\
		801ULL, 953ULL, 1134ULL, 1348ULL, 1603ULL,		\
		1907ULL, 2268ULL, 2697ULL, 3207ULL, 3814ULL,		\
		4536ULL, 5394ULL, 6415ULL, 7629ULL, 9072ULL,		\
		10789ULL, 12831ULL, 15258ULL, 18145ULL, 21579ULL,	\
		25662ULL, 30517ULL, 36291ULL, 43158ULL, 51324ULL,	\
		61035ULL, 72583ULL, 86316ULL, 102648ULL, 122070ULL,	\
		145166ULL, 172633ULL, 205296ULL, 244140ULL, 290333ULL,	\
		345266ULL, 410593ULL, 488281ULL, 580667ULL, 690533ULL,	\
		821187ULL, 976562ULL, 1161335ULL, 1381067ULL, 1642375ULL,\
		1953125ULL, 2322670ULL, 2762135ULL, 3284751ULL, 3906250ULL,\
		4645340ULL, 5524271ULL, 6569503ULL, 7812500ULL, 9290680ULL,\
		11048543ULL, 13139006ULL, 15625000ULL, 18581361ULL, 22097086ULL,\
		26278012ULL, 31250000ULL, 37162722ULL, 44194173ULL, 52556025ULL,\
		62500000ULL, 74325444ULL, 88388347ULL, 105112051ULL, 125000000ULL,\
		148650889ULL, 176776695ULL, 210224103ULL, 250000000ULL, 297301778ULL,\
		353553390ULL, 420448207ULL, 500000000ULL, 594603557ULL, 707106781ULL,\
		840896415ULL, 1000000000ULL, 1189207115ULL, 1414213562ULL, 1681792830ULL,\
		2000000000ULL, 2378414230ULL, 2828427124ULL, 3363585661ULL, 4000000000ULL,\
		4756828460ULL, 5656854249ULL, 6727171322ULL, 8000000000ULL, 9513656920ULL,\
		11313708498ULL, 13454342644ULL, 16000000000ULL, 19027313840ULL, 22627416997ULL,\
		26908685288ULL, 32000000000ULL, 38054627680ULL, 45254833995ULL, 53817370576ULL,\
		64000000000ULL, 76109255360ULL, 90509667991ULL, 107634741152ULL, 128000000000ULL,\
	}
/* clang-format on */

/*
 * The bucket of @ns, given the table above: the number of bounds below @ns.
 *
 * Seven compares with exact bounds.  Computing the octave and the quarter from
 * the bits takes twice as long (36 ns against 16 ns for random durations, in
 * user space) and leaves the verifier with every shift as a path of its own:
 * over a million instructions.
 */
static inline __attribute__((always_inline)) __u32 vml_hist_index(const __u64 bound[VML_HIST_BOUNDS], __u64 ns)
{
	__u32 i = 0;

	for (__u32 step = 64; step; step >>= 1)
		if (i + step <= VML_HIST_BOUNDS && bound[i + step - 1] < ns)
			i += step;
	return i;
}

#endif
