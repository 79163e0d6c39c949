/* progress.h: the stream of messages with which the daemon tells how a pull, load or import goes.
 */
#pragma once

#include "cli/cli.h"

/* Shows every message on out until the stream ends: in place on a terminal, lines otherwise; only
 * errors if quiet. An error message of the stream becomes err. */
int progress_show(HttpReply *reply, FILE *out, bool quiet, Error *err);

/* POST /images/create for a reference, shown on out; without tag and digest: every tag. platform
 * may be NULL. */
int image_pull(Cli *cli, const char *image, const char *platform, FILE *out, bool quiet,
               Error *err);
