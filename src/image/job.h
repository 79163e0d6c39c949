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
int job_copy(Error *err);

/* Two are `brig cp`'s own, run by the user, with words in place of messages: standard input and
 * output carry the archive, an error goes to standard error.
 * DIR BASE NAME: packs BASE of DIR under that name. */
int job_pack_local(char **words, Error *err);
/* DIR FROM TO: unpacks into DIR, what is called FROM as TO ("": names stay). Whatever the archive
 * says, what it brings is the user's own and lies below DIR. */
int job_unpack_local(char **words, Error *err);
