// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hands sockets to a program as systemd does:
 *
 *	web_handover KIND... -- PROGRAM ARGS...
 *
 * KIND is tcp (127.0.0.1, any port), datagram, file, or the path of a local socket, which gets mode 0666.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make(const char *kind)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, rc;

	if (!strcmp(kind, "file"))
		return open("/dev/null", O_RDONLY);
	if (!strcmp(kind, "datagram"))
		return socket(AF_INET, SOCK_DGRAM, 0);
	if (!strcmp(kind, "tcp")) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		rc = bind(fd, (struct sockaddr *)&in, sizeof(in));
	} else {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", kind);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		rc = bind(fd, (struct sockaddr *)&un, sizeof(un));
		rc = rc ? rc : chmod(kind, 0666);
	}
	return rc || listen(fd, 16) ? -1 : fd;
}

int main(int argc, char **argv)
{
	char text[16];
	int i;

	close_range(3, ~0U, 0);
	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (make(argv[i]) != 2 + i) {
			perror(argv[i]);
			return 1;
		}
	}
	snprintf(text, sizeof(text), "%d", i - 1);
	setenv("LISTEN_FDS", text, 1);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 1;
}
