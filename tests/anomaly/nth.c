// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Preloaded: the n-th allocation after the begin of main() fails, whoever asks for it.
 * In front of ASan, whose own strdup() and the like would not come by here.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nth.h"

extern void __sanitizer_print_stack_trace(void) __attribute__((weak));

typedef int main_fn(int argc, char **argv, char **envp);
typedef int start_fn(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		     void (*rtld_fini)(void), void *stack_end);

static struct nth *shared;
static main_fn *real_main;
static __thread unsigned int spared __attribute__((tls_model("initial-exec")));

/* ---- allocations */

static bool fails(void)
{
	uint64_t n;

	if (!shared || !shared->armed || spared)
		return false;
	n = ++shared->allocs;
	if (!shared->alloc || n < shared->alloc || (n > shared->alloc && !shared->onwards))
		return false;
	if (shared->trace && n == shared->alloc && __sanitizer_print_stack_trace) {
		shared->armed = false;
		__sanitizer_print_stack_trace();
		shared->armed = true;
	}
	errno = ENOMEM;
	return true;
}

/* The function of this name behind us; looked up once, which allocates nothing. */
#define NEXT(name)                                      \
	({                                              \
		static __typeof__(&name) next;          \
		if (!next)                              \
			next = dlsym(RTLD_NEXT, #name); \
		next;                                   \
	})

void *malloc(size_t size)
{
	return fails() ? NULL : NEXT(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : NEXT(calloc)(n, size);
}

void *realloc(void *p, size_t size)
{
	/* one that frees cannot fail */
	return (size || !p) && fails() ? NULL : NEXT(realloc)(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	return (n && size) && fails() ? NULL : NEXT(reallocarray)(p, n, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	return fails() ? ENOMEM : NEXT(posix_memalign)(ret, align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : NEXT(aligned_alloc)(align, size);
}

char *strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	copy[len] = '\0';
	return memcpy(copy, s, len);
}

char *strdup(const char *s)
{
	return strndup(s, strlen(s));
}

/* ASan asks for it in each new thread, and ends the program when it gets no answer. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
	int err;

	spared++;
	err = NEXT(pthread_getattr_np)(thread, attr);
	spared--;
	return err;
}

/* ---- main() */

static int armed_main(int argc, char **argv, char **envp)
{
	int status;

	shared->armed = true;
	status = real_main(argc, argv, envp);
	shared->armed = false;
	return status;
}

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end)
{
	const char *fd = getenv("NTH_FD");
	start_fn *next = dlsym(RTLD_NEXT, "__libc_start_main");
	void *p = fd ? mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0) : MAP_FAILED;

	if (p == MAP_FAILED)
		_exit(99);
	close(atoi(fd));
	/* not for the programs that this one starts */
	unsetenv("NTH_FD");
	unsetenv("LD_PRELOAD");
	shared = p;
	real_main = main;
	return next(armed_main, argc, argv, init, fini, rtld_fini, stack_end);
}
