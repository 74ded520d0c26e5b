// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The daemon: metrics, history, API. */
#include <locale.h>

#include "../src/daemon/daemon.h"
#include "../src/run/exit.h"

int main(int argc, char **argv)
{
	struct daemon_options o;

	setlocale(LC_CTYPE, "");
	switch (daemon_options_parse(argc, argv, &o)) {
	case VML_DONE:
		return EXIT_OK;
	case VML_USAGE:
		return EXIT_USAGE;
	case VML_FAILED:
		return EXIT_FAILED;
	case VML_RUN:
		break;
	}
	return daemon_run(&o);
}
