/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_HTML_STYLE_H
#define VMALOCK_SINKS_HTML_STYLE_H

/* The style sheet of all pages (html_style.c). */
extern const char html_style[];

#endif
