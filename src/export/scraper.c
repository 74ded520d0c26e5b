/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "export/state.h"

static bool comes_back(const struct vml_export *e, const struct scraper *s)
{
	uint64_t late = s->interval_ns ? 2 * s->interval_ns : VML_EXPORT_HOLD_NS;

	return s->id && e->now_ns - s->ns <= late;
}

bool scrapers_any(const struct vml_export *e)
{
	for (int i = 0; i < SCRAPERS; i++)
		if (comes_back(e, &e->scraper[i]))
			return true;
	return false;
}

bool scrapers_saw(const struct vml_export *e, uint64_t gen, uint64_t since_ns)
{
	if (e->now_ns - since_ns >= VML_EXPORT_HOLD_NS)
		return true;
	for (int i = 0; i < SCRAPERS; i++)
		if (comes_back(e, &e->scraper[i]) && e->scraper[i].gen < gen)
			return false;
	return true;
}

/* The place of @id, else of who has been away the longest. */
static struct scraper *place_of(struct vml_export *e, uint64_t id)
{
	struct scraper *best = &e->scraper[0];

	for (int i = 0; i < SCRAPERS; i++) {
		struct scraper *s = &e->scraper[i];

		if (s->id == id)
			return s;
		if (!s->id || (best->id && s->ns < best->ns))
			best = s;
	}
	*best = (struct scraper){ 0 };
	return best;
}

void scraper_came(struct vml_export *e, uint64_t id)
{
	struct scraper *s;

	if (!id)
		return;
	s = place_of(e, id);
	if (s->id && e->now_ns > s->ns)
		s->interval_ns = e->now_ns - s->ns;
	s->id = id;
	s->ns = e->now_ns;
	s->gen = e->gen;
}
