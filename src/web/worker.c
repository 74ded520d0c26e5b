// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "web/web.h"

static void *worker_main(void *arg)
{
	struct web_worker *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct vml_web_request *rq = w->first;

		if (!rq) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		w->first = rq->next;
		if (!w->first)
			w->last = &w->first;
		pthread_mutex_unlock(&w->lock);
		w->work(rq);
		MHD_resume_connection(rq->mhd);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int web_worker_start(struct web_worker *w, const char *name, void (*work)(struct vml_web_request *rq))
{
	int rc;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->work = work;
	w->last = &w->first;
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	if (rc) {
		pthread_cond_destroy(&w->wake);
		pthread_mutex_destroy(&w->lock);
		return -rc;
	}
	pthread_setname_np(w->thread, name);
	w->running = true;
	return 0;
}

/* The lock stays: requests may still come, until libmicrohttpd has stopped; they are given back at once. */
void web_worker_stop(struct web_worker *w)
{
	struct vml_web_request *rq, *next;

	if (!w->running)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	for (rq = w->first; rq; rq = next) {
		next = rq->next;
		MHD_resume_connection(rq->mhd);
	}
	w->first = NULL;
}

void web_worker_free(struct web_worker *w)
{
	if (!w->running)
		return;
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}

void web_worker_push(struct web_worker *w, struct vml_web_request *rq)
{
	bool stopped;

	/* before anybody can resume it */
	MHD_suspend_connection(rq->mhd);
	pthread_mutex_lock(&w->lock);
	stopped = w->stop || !w->running;
	if (!stopped) {
		rq->next = NULL;
		*w->last = rq;
		w->last = &rq->next;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	if (stopped)
		MHD_resume_connection(rq->mhd);
}
