/* change.h: `--change` of import and commit: a Dockerfile instruction applied to a run
 * configuration. Knows no images. */
#pragma once

#include "base/error.h"
#include "spec/image.h"

/* CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
 * invalid names the instruction that is refused. */
int change_apply(ImageRunConfig *config, const char *instruction, Error *err);
