/* job.h: the jobs of brig-image. Each finds its descriptors at the numbers of message.h, reports
 * over the socket, and returns when it is done; an error is reported by the caller. */
#pragma once

#include "base/error.h"

int job_unpack(Error *err);
int job_tree(Error *err);
int job_download(Error *err);
int job_stage(Error *err);
int job_fetch(Error *err);
int job_compress(Error *err);
int job_git(Error *err);
