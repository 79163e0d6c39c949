/* build-follow.h: follows the stream of a build's progress and shows it. */
#pragma once

#include "cli/build-options.h"
#include "cli/build-progress.h"

/* The view that --progress, -q and BUILDKIT_PROGRESS ask for. */
int build_view_choose(const BuildOptions *options, const BuildView **ret, Error *err);
/* Shows the stream on standard error up to its end. pump: of the context, may be NULL; it is ended,
 * and what went wrong with it is shown in place of what the daemon made of that. The exit code: 0,
 * 1 where the build failed, which was said, 128 and its number after a signal; or a negative errno.
 */
int build_follow(HttpReply *reply, BuildDisplay *display, BuildPump **pump, Error *err);
