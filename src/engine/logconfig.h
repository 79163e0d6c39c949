/* logconfig.h: where a container's output goes. Inside engine only. */
#pragma once

#include "engine/container.h"

/* What the monitor shall do with the container's output; container_log_options_done frees it. */
int container_log_options(const Container *container, MonitorLog *ret, Error *err);
void container_log_options_done(MonitorLog *log);
/* The file that can be read, "<id>-json.log" or "local.log", below the container's directory; the
 * caller's. */
char *container_log_path(const Container *container);
/* Its form: "json-file" or "local"; NULL where nothing is kept for reading. */
const char *container_log_form(const Container *container);
/* The option "tag" expanded; `without` is the template where it is not given. The caller's. */
int container_log_tag(const Container *container, const char *without, char **ret, Error *err);
/* The log driver that it uses: its own, or the daemon's default. */
const char *container_log_driver(const Container *container);
