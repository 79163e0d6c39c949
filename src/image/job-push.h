/* job-push.h: what the job that talks to a registry does besides fetching: blobs and manifests go
 * up, credentials are tried, a registry is searched. Inside brig-image. */
#pragma once

#include "image/registry.h"

/* Answers one request ("blob", "manifest", "check", "search"; file_fd: its file or -1) with "done"
 * or "error". Negative: it could not be answered, or is none of these (-EINVAL). */
int push_serve(Registry *registry, const ImageMessage *request, int file_fd);
/* An "error" report; get may be NULL. */
int push_report_error(long status, const char *code, const Error *err);
