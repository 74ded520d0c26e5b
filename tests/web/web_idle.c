// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Connections to 127.0.0.1 on which nothing, or only a request, is sent and nothing is read:
 *
 *	web_idle COUNT PORT SOURCE [REQUEST]
 *
 * Prints "opened N".  For each line of stdin it prints "open N", how many the server has
 * not closed.  Ends at the end of stdin.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_one(const char *source, const char *port, const char *request)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)atoi(port));
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	inet_pton(AF_INET, source, &from.sin_addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		perror(source);
		exit(1);
	}
	/* closed already: seen later */
	if (request && send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		perror("send");
	return fd;
}

/* Something to read, or nothing yet: open.  An end or an error: closed. */
static bool is_open(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 || (n < 0 && errno == EAGAIN);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char line[64];
	int count, *fds;

	if (argc < 4)
		return 2;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	count = atoi(argv[1]);
	fds = calloc((size_t)count, sizeof(*fds));
	for (int i = 0; i < count; i++)
		fds[i] = open_one(argv[3], argv[2], argc > 4 ? argv[4] : NULL);
	printf("opened %d\n", count);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int n = 0;

		for (int i = 0; i < count; i++)
			n += is_open(fds[i]);
		printf("open %d\n", n);
		fflush(stdout);
	}
	free(fds);
	return 0;
}
