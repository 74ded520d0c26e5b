# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What is computed of measurements; tests/cli/bench.bats has the examples.

# of an array of numbers; between two of them it is interpolated.  null: there is none
def quantile($q):
	sort | ((length - 1) * $q) as $at | ($at | floor) as $i
	| if length == 0 then null
	  elif $i + 1 < length then .[$i] + (.[$i + 1] - .[$i]) * ($at - $i)
	  else .[$i] end;

def spread: {n: length, p25: quantile(0.25), p50: quantile(0.5), p75: quantile(0.75)};

# of an array of [x, y]: y = intercept + slope * x by least squares, and the share of the
# variance that it explains; exponent: of the power of x with which y grows between the two
# largest x.  1 or less there: no worse than linear.  null when there are not two sizes.
def fit:
	map(select(.[0] != null and .[1] != null)) | sort | unique_by(.[0])
	| if length < 2 then null else
		length as $n | (map(.[0]) | add / $n) as $mx | (map(.[1]) | add / $n) as $my
		| (map((.[0] - $mx) * (.[0] - $mx)) | add) as $xx
		| (map((.[0] - $mx) * (.[1] - $my)) | add) as $xy
		| (map((.[1] - $my) * (.[1] - $my)) | add) as $yy
		| {points: $n, slope: ($xy / $xx), intercept: ($my - $xy / $xx * $mx),
		   r2: (if $yy > 0 then $xy * $xy / ($xx * $yy) else null end),
		   exponent: (if .[-2][1] > 0 and .[-1][1] > 0
			then ((.[-1][1] / .[-2][1]) | log) / ((.[-1][0] / .[-2][0]) | log) else null end)}
	  end;
