// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * notified SOCKET: stands in for systemd.  Prints what programs send to NOTIFY_SOCKET,
 * one line a message, lines of it with blanks between them, until it is ended.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char message[4096];
	ssize_t n, i;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(at.sun_path)) {
		fprintf(stderr, "usage: notified SOCKET\n");
		return 2;
	}
	strcpy(at.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror(argv[1]);
		return 1;
	}
	while ((n = recv(fd, message, sizeof(message), 0)) >= 0) {
		for (i = 0; i < n; i++)
			if (message[i] == '\n')
				message[i] = ' ';
		printf("%.*s\n", (int)n, message);
		fflush(stdout);
	}
	perror("recv");
	return 1;
}
